//! Organisations and who belongs to them, for the operator and those who manage the instance.

use doorward::{
    model::{Handle, OrgMember, OrgRole},
    orgs::{NewOrganisation, OrgError, Team, TeamChange},
    policy::AdminPermit,
};
use serde_saphyr::Spanned;

use super::{Run, identity_error};
use crate::apply::{
    Action, ApplyError,
    document::{OrgMemberItem, OrganisationItem, line, mistake},
};

impl Run<'_> {
    pub(super) async fn organisations(&mut self) -> Result<(), ApplyError> {
        let Some(first) = self.document.organisations.first() else { return Ok(()) };
        let at = line(first);
        let permit = self.admin(at)?;
        let users = self.rooms.identity.users(&permit).await.map_err(identity_error(at))?;
        self.expected.know_users(&users);
        let plans = self.rooms.identity.plans(&permit).await.map_err(identity_error(at))?;
        self.expected.know_plans(&plans);
        for item in &self.document.organisations {
            for member in &item.value.members {
                if !self.expected.has_account(&member.value.user) {
                    let handle = member.value.user.clone();
                    return Err(ApplyError::NoUser { at: line(member), handle });
                }
            }
            let present = self.rooms.orgs.team(&permit, &item.value.handle).await.map_err(failed(item))?;
            if self.dry_run {
                let plan = match &item.value.plan {
                    Some(declared) => declared.clone(),
                    None => present.as_ref().and_then(|team| team.organisation.plan.clone()),
                };
                self.expected.organisation(&item.value.handle, plan).map_err(failed(item))?;
            }
            match present {
                Some(team) => self.change_organisation(&permit, item, team).await?,
                None => self.add_organisation(&permit, item).await?,
            }
        }
        Ok(())
    }

    async fn add_organisation(
        &mut self,
        permit: &AdminPermit,
        item: &Spanned<OrganisationItem>,
    ) -> Result<(), ApplyError> {
        let declared = &item.value;
        let admin = declared.members.iter().find(|member| member.value.role == OrgRole::Admin);
        let Some(admin) = admin.map(|admin| admin.value.user.clone()) else {
            let reason = "a new organisation needs a member with `role: admin`".to_owned();
            return Err(mistake(item, reason).into());
        };
        for member in &declared.members {
            is_somebody_else(permit, member)?;
        }
        let new = NewOrganisation {
            handle: declared.handle.clone(),
            title: declared.title.clone().unwrap_or_default(),
        };
        let orgs = &self.rooms.orgs;
        if self.dry_run {
            orgs.check(permit, &new).await.map_err(failed(item))?;
            if self.expected.has_account(&declared.handle) {
                let handle = declared.handle.clone();
                return Err(failed(item)(OrgError::Taken { handle }));
            }
            self.members.insert(declared.handle.clone(), None);
        } else {
            orgs.found(permit, new, &admin).await.map_err(failed(item))?;
            for member in declared.members.iter().filter(|member| member.value.user != admin) {
                self.put(permit, &declared.handle, member).await?;
            }
            let change = TeamChange {
                title: None,
                enabled: declared.enabled.filter(|enabled| !enabled),
                plan: declared.plan.clone().filter(Option::is_some),
            };
            if change.enabled.is_some() || change.plan.is_some() {
                let changed = self.rooms.orgs.change_team(permit, &declared.handle, change).await;
                changed.map_err(failed(item))?;
            }
        }
        self.note(Action::Add, "organisation", declared.handle.to_string(), String::new());
        Ok(())
    }

    async fn change_organisation(
        &mut self,
        permit: &AdminPermit,
        item: &Spanned<OrganisationItem>,
        present: Team,
    ) -> Result<(), ApplyError> {
        let declared = &item.value;
        let change = TeamChange {
            title: declared.title.clone().filter(|title| *title != present.organisation.title),
            enabled: declared.enabled.filter(|enabled| *enabled != present.organisation.enabled),
            plan: declared.plan.clone().filter(|plan| *plan != present.organisation.plan),
        };
        let is_as_declared = |member: &OrgMemberItem| {
            let is_same = |one: &OrgMember| one.handle == member.user && one.role == member.role;
            present.members.iter().any(is_same)
        };
        // Whoever is raised comes first, so that there is an administrator at every moment.
        let mut members: Vec<_> =
            declared.members.iter().filter(|member| !is_as_declared(&member.value)).collect();
        for member in &members {
            is_somebody_else(permit, member)?;
        }
        members.sort_by_key(|member| std::cmp::Reverse(member.value.role));
        let changes = change.title.is_some() || change.enabled.is_some() || change.plan.is_some();
        let parts: Vec<&str> = [
            ("title", change.title.is_some()),
            ("enabled", change.enabled.is_some()),
            ("plan", change.plan.is_some()),
            ("members", !members.is_empty()),
        ]
        .into_iter()
        .filter_map(|(part, differs)| differs.then_some(part))
        .collect();
        if !self.dry_run {
            if changes {
                let changed = self.rooms.orgs.change_team(permit, &declared.handle, change).await;
                changed.map_err(failed(item))?;
            }
            for member in members {
                self.put(permit, &declared.handle, member).await?;
            }
        }
        let action = if parts.is_empty() { Action::Same } else { Action::Change };
        self.note(action, "organisation", declared.handle.to_string(), parts.join(", "));
        Ok(())
    }

    async fn put(
        &self,
        permit: &AdminPermit,
        organisation: &Handle,
        member: &Spanned<OrgMemberItem>,
    ) -> Result<(), ApplyError> {
        let OrgMemberItem { user, role } = &member.value;
        self.rooms.orgs.put_member(permit, organisation, user, *role).await.map_err(failed(member))
    }
}

/// Refuses early what the organisations refuse: that whoever manages the instance puts themselves into one.
fn is_somebody_else(permit: &AdminPermit, member: &Spanned<OrgMemberItem>) -> Result<(), ApplyError> {
    match permit.actor().handle.as_ref() == Some(&member.value.user) {
        true => Err(failed(member)(OrgError::Yourself)),
        false => Ok(()),
    }
}

fn failed<T>(item: &Spanned<T>) -> impl Fn(OrgError) -> ApplyError + use<T> {
    let at = line(item);
    move |source| ApplyError::Organisation { at, source }
}
