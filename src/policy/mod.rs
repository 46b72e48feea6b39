//! Who may do what.
//!
//! Every function here looks at values and answers with a *permit*: a type that can be made nowhere
//! else, which the rooms that act ask for. Forgetting the check does not compile.
//!
//! Never reads, writes or waits, and never knows how a refusal is shown. To guard one more kind of
//! deed: add a permit in `permit.rs`, and one function here that is the only one to make it.

mod permit;

use std::sync::Arc;

use thiserror::Error;

use crate::{
    clock::Ms,
    fault::Fault,
    model::{
        Access, AccessLevel, InstanceRole, KeyScope, Member, OrgRole, Preset, Principal, TenantId, Via,
        Visibility,
    },
};

pub use permit::{
    AccountPermit, Actor, AdminPermit, AuditPermit, CallPermit, ManagePermit, PresetPermit, ProcessPermit,
    SeePermit, TryPermit,
};

/// Says why something was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Denied {
    /// The thing belongs to an organisation the person does not act in.
    #[error("this belongs to another organisation")]
    OtherOrganisation,
    /// The role in the organisation is too low.
    #[error("this needs the role `{needs}` in the organisation")]
    Role {
        /// The least role that may.
        needs: OrgRole,
    },
    /// The preset is shared with the person, but not so far.
    #[error("this needs the level `{needs}` on the preset's access list")]
    Level {
        /// The least level that may.
        needs: AccessLevel,
    },
    /// Only the owner of the preset may.
    #[error("only the owner of the preset may do this")]
    Owner,
    /// Only those who manage the instance may.
    #[error("only an administrator of this instance may do this")]
    InstanceAdmin,
    /// Only auditors may.
    #[error("only an auditor of this instance may do this")]
    Auditor,
    /// The API key is limited to presets.
    #[error("this API key may only call its presets")]
    KeyScope,
    /// The API key belongs to another organisation than the one asked about.
    #[error(
        "an API key of an organisation acts in that alone; take a browser, or a key of your own organisation"
    )]
    KeyOrganisation,
    /// The access token is for calling one preset.
    #[error("this access token may only call its preset")]
    Grant,
}

impl Denied {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        Fault::Refused
    }
}

/// May this person look at what the organisation has?
pub fn may_see(member: &Member, tenant: TenantId) -> Result<SeePermit, Denied> {
    acts_in(member, tenant, OrgRole::Viewer)?;
    Ok(SeePermit::new(tenant))
}

/// May this person change what the organisation has? Takes the least role that may.
pub fn may_manage(member: &Member, tenant: TenantId, needs: OrgRole) -> Result<ManagePermit, Denied> {
    acts_in(member, tenant, needs)?;
    Ok(ManagePermit::new(tenant, member))
}

/// May this person manage their own account: API keys, browser sessions, password?
pub fn may_use_account(member: &Member) -> Result<AccountPermit, Denied> {
    reaches_everything(member)?;
    Ok(AccountPermit::new(member))
}

/// May this person act in another organisation of theirs than the one they are recognised in, make one, and join one?
/// A key of a team stays there, so that the team need not trust what else its owner does with it.
pub fn may_act_elsewhere(member: &Member) -> Result<AccountPermit, Denied> {
    let permit = may_use_account(member)?;
    match member.via {
        Via::ApiKey { .. } if !member.is_at_home() => Err(Denied::KeyOrganisation),
        Via::ApiKey { .. } | Via::Grant { .. } | Via::BrowserSession(_) | Via::Shell => Ok(permit),
    }
}

/// May this person have the gateway start a process (a source of kind `mcp_stdio`)? Whoever may
/// runs any program as the gateway's own user, so only those who manage the instance do, and the
/// operator, who could start it without us.
pub fn may_use_process(member: &Member) -> Result<ProcessPermit, Denied> {
    may_administer(member)?;
    Ok(ProcessPermit::new())
}

/// May this person manage users and plans?
pub fn may_administer(member: &Member) -> Result<AdminPermit, Denied> {
    reaches_everything(member)?;
    if member.is_instance_admin() || member.via == Via::Shell {
        Ok(AdminPermit::new(member))
    } else {
        Err(Denied::InstanceAdmin)
    }
}

/// Gives the operator at the shell of the installation, who has the database file in hand, the
/// permit to manage users and plans. For the command line only: there is no person to ask about.
pub fn operator_at_the_shell() -> AdminPermit {
    AdminPermit::at_the_shell()
}

/// May this person do with the preset what needs a level, given its access list and the time? Says that it
/// belongs to others, which is shown as missing, if they may not know of it.
pub fn may_open(
    member: &Member,
    preset: &Preset,
    access: &Access,
    needs: AccessLevel,
    now: Ms,
) -> Result<PresetPermit, Denied> {
    reaches_everything(member)?;
    let level = level(member, preset, access, now).ok_or(Denied::OtherOrganisation)?;
    if level < needs {
        let is_ours = member.tenant == preset.tenant;
        return Err(if is_ours { Denied::Role { needs: OrgRole::Admin } } else { Denied::Level { needs } });
    }
    let tries = member.tenant != preset.tenant || member.org_role >= OrgRole::Operator;
    Ok(PresetPermit::new(preset, level, owns(member, preset), tries))
}

/// May this person, who may open the preset, try its tools in the console? In its own organisation that is for those
/// who run and test; viewers call it from their clients.
pub fn may_try(member: &Arc<Member>, open: &PresetPermit) -> Result<TryPermit, Denied> {
    if open.tries() { Ok(TryPermit::new(member)) } else { Err(Denied::Role { needs: OrgRole::Operator }) }
}

/// Which events of the organisation may this person read? Whoever manages it reads all, everybody else what they did
/// themselves.
pub fn may_audit(member: &Member) -> Result<AuditPermit, Denied> {
    let tenant = may_see(member, member.tenant)?.tenant();
    Ok(AuditPermit::new(tenant, (member.org_role < OrgRole::Admin).then_some(member.user), true))
}

/// May this person read the events of an organisation whether they belong to it or not? That is for auditors, who see of
/// what callers sent not even a digest. Whoever manages the instance does not.
pub fn may_audit_any(member: &Member, tenant: TenantId) -> Result<AuditPermit, Denied> {
    is_auditor(member)?;
    Ok(AuditPermit::new(tenant, None, false))
}

/// Says whether this person reads the events of every organisation.
pub fn is_auditor(member: &Member) -> Result<(), Denied> {
    reaches_everything(member)?;
    match member.instance_role {
        InstanceRole::Auditor => Ok(()),
        InstanceRole::Admin | InstanceRole::Member => Err(Denied::Auditor),
    }
}

/// May this caller use the preset, given its access list and the time? `None` says no more than a preset that
/// does not exist would.
pub fn may_call(caller: &Principal, preset: &Preset, access: &Access, now: Ms) -> Option<CallPermit> {
    if !preset.answers(now) {
        return None;
    }
    let allowed = match caller {
        Principal::Anonymous => preset.visibility == Visibility::Public && preset.anonymous,
        Principal::Member(member) => {
            level(member, preset, access, now).is_some() && key_reaches(member, preset)
        }
    };
    allowed.then(|| CallPermit::new(caller.clone(), preset))
}

/// Returns what a person may do with a preset; `None` if they may not know of it. The list of a
/// private preset is kept and opens nothing.
fn level(member: &Member, preset: &Preset, access: &Access, now: Ms) -> Option<AccessLevel> {
    if owns(member, preset) {
        return Some(AccessLevel::Admin);
    }
    match preset.visibility {
        Visibility::Private => (member.tenant == preset.tenant).then_some(AccessLevel::Viewer),
        // Inviting others takes nothing from the people of the organisation.
        Visibility::InviteOnly => {
            access.level(member).or((member.tenant == preset.tenant).then_some(AccessLevel::Viewer))
        }
        Visibility::Public => {
            let is_there = preset.answers(now) || member.tenant == preset.tenant;
            access.level(member).or(is_there.then_some(AccessLevel::Viewer))
        }
    }
}

fn owns(member: &Member, preset: &Preset) -> bool {
    member.tenant == preset.tenant && member.org_role == OrgRole::Admin
}

fn key_reaches(member: &Member, preset: &Preset) -> bool {
    match &member.via {
        Via::ApiKey { scope: KeyScope::Presets(presets), .. } => presets.contains(&preset.id),
        Via::Grant { preset: granted, .. } => *granted == preset.id,
        Via::ApiKey { scope: KeyScope::Everything, .. } | Via::BrowserSession(_) | Via::Shell => true,
    }
}

fn acts_in(member: &Member, tenant: TenantId, needs: OrgRole) -> Result<(), Denied> {
    reaches_everything(member)?;
    if member.tenant != tenant {
        return Err(Denied::OtherOrganisation);
    }
    if member.org_role < needs {
        return Err(Denied::Role { needs });
    }
    Ok(())
}

fn reaches_everything(member: &Member) -> Result<(), Denied> {
    match &member.via {
        Via::ApiKey { scope: KeyScope::Presets(_), .. } => Err(Denied::KeyScope),
        Via::Grant { .. } => Err(Denied::Grant),
        Via::ApiKey { scope: KeyScope::Everything, .. } | Via::BrowserSession(_) | Via::Shell => Ok(()),
    }
}

#[cfg(test)]
mod tests;
