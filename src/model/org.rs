//! Organisations, who belongs to them, and who is invited.

use crate::{
    clock::Ms,
    model::{Email, Handle, InviteId, PlanName, TenantId, User, UserId, words},
};

/// What a person may do inside an organisation; each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrgRole {
    /// Uses what is there.
    Viewer,
    /// Runs and tests.
    Operator,
    /// Manages.
    Admin,
}
words!(OrgRole { Viewer = "viewer", Operator = "operator", Admin = "admin" });

/// A tenant. Everybody has a personal one whose handle is their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Names it.
    pub id: TenantId,
    /// The owner's part of its presets' addresses.
    pub handle: Handle,
    /// What it is called in full; empty if the handle says it all.
    pub title: String,
    /// The person whose personal organisation this is; `None` for a team.
    pub personal_of: Option<UserId>,
    /// Who made it; `None` = the operator, or it is somebody's own.
    pub made_by: Option<UserId>,
    /// What it may use beside what its members may; `None` = it has no plan of its own, as one person's own never has.
    pub plan: Option<PlanName>,
    /// Whether its members may act in it and its presets answer.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Ms,
}

impl Organisation {
    /// The longest title, in characters.
    pub const TITLE_MAX: usize = 100;

    /// Returns what people call it.
    pub fn name(&self) -> &str {
        if self.title.is_empty() { self.handle.as_str() } else { &self.title }
    }

    /// Says whether it is one person's own.
    pub fn is_personal(&self) -> bool {
        self.personal_of.is_some()
    }
}

/// An organisation that a person belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organisation.
    pub organisation: Organisation,
    /// The person's role in it.
    pub role: OrgRole,
}

/// A person of an organisation, as the others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgMember {
    /// The person.
    pub user: UserId,
    /// Their handle.
    pub handle: Handle,
    /// Their role.
    pub role: OrgRole,
    /// Whether their account is switched on.
    pub enabled: bool,
    /// Since when they belong to it.
    pub since: Ms,
}

/// An invitation to an organisation that nobody has accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgInvite {
    /// Names it (never its link, which is secret).
    pub id: InviteId,
    /// The organisation.
    pub tenant: TenantId,
    /// The account whose it is alone; `None` = the address, or whoever has the link.
    pub user: Option<(UserId, Handle)>,
    /// Whose it is alone, by the address of their account; `None` = the account, or whoever has the link, once.
    pub email: Option<Email>,
    /// What whoever accepts becomes.
    pub role: OrgRole,
    /// Who invites.
    pub by: UserId,
    /// Their handle.
    pub by_handle: Handle,
    /// Whether the link went to that address alone, so that whoever comes back with it has proven to
    /// read there.
    pub sent: bool,
    /// Who made an account by it, whose it is alone from then on; `None` = nobody.
    pub claimed_by: Option<UserId>,
    /// When it was made.
    pub created_at: Ms,
    /// When it ends.
    pub expires_at: Ms,
}

impl OrgInvite {
    /// Says whether this account may accept it.
    pub fn is_for(&self, account: &User) -> bool {
        self.claimed_by.is_none_or(|claimed| claimed == account.id)
            && self.user.as_ref().is_none_or(|(user, _)| *user == account.id)
            && self.email.as_ref().is_none_or(|email| *email == account.email)
    }
}
