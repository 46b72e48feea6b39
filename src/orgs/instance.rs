//! What those who manage the instance do with organisations, without seeing what these own.

use crate::{
    changes::Change,
    model::{Handle, OrgMember, OrgRole, Organisation, PlanName, UserId},
    orgs::{NewOrganisation, OrgError, Orgs, Result, checked_title, members, team},
    policy::AdminPermit,
    store::SystemTx,
};

/// A team, as those who manage the instance see it.
#[derive(Clone, Debug)]
pub struct Team {
    /// The organisation.
    pub organisation: Organisation,
    /// Who belongs to it, by handle.
    pub members: Vec<OrgMember>,
}

/// What is to be different about a team; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct TeamChange {
    /// What it is called in full.
    pub title: Option<String>,
    /// Whether its members may act in it and its presets answer.
    pub enabled: Option<bool>,
    /// What it may use beside what its members may; `None` within = it has no plan of its own.
    pub plan: Option<Option<PlanName>>,
}

impl Orgs {
    /// Returns the teams by handle.
    pub async fn teams(&self, _permit: &AdminPermit) -> Result<Vec<Team>> {
        let mut tx = self.0.store.system_read().await?;
        let mut teams = Vec::new();
        for organisation in tx.list_teams().await? {
            let members = tx.list_members(organisation.id).await?;
            teams.push(Team { organisation, members });
        }
        Ok(teams)
    }

    /// Returns a team; `None` if there is none of that handle.
    pub async fn team(&self, _permit: &AdminPermit, handle: &Handle) -> Result<Option<Team>> {
        let mut tx = self.0.store.system_read().await?;
        let found = tx.find_organisation_by_handle(handle).await?;
        let Some(organisation) = found.filter(|found| !found.is_personal()) else { return Ok(None) };
        let members = tx.list_members(organisation.id).await?;
        Ok(Some(Team { organisation, members }))
    }

    /// Makes a team with its first administrator.
    pub async fn found(
        &self,
        permit: &AdminPermit,
        new: NewOrganisation,
        admin: &Handle,
    ) -> Result<Organisation> {
        let made = self.new_organisation(new, permit.actor().user)?;
        let mut tx = self.0.store.system().await?;
        let admin = self.somebody_else(&mut tx, permit, admin).await?;
        self.add(tx, &made, admin, permit.actor()).await?;
        Ok(made)
    }

    /// Says why a team could not be made. Makes nothing.
    pub async fn check(&self, _permit: &AdminPermit, new: &NewOrganisation) -> Result<()> {
        checked_title(&new.title)?;
        let mut tx = self.0.store.system_read().await?;
        match tx.handle_is_taken(&new.handle).await? {
            true => Err(OrgError::Taken { handle: new.handle.clone() }),
            false => Ok(()),
        }
    }

    /// Has somebody belong to a team in this role.
    pub async fn put_member(
        &self,
        permit: &AdminPermit,
        handle: &Handle,
        who: &Handle,
        role: OrgRole,
    ) -> Result<()> {
        let mut tx = self.0.store.system().await?;
        let found = find(&mut tx, handle).await?;
        let present = self.turn(&mut tx, found.id).await?;
        let user = self.somebody_else(&mut tx, permit, who).await?;
        match present.iter().find(|member| member.user == user) {
            Some(_) if role < OrgRole::Admin => members::another_admin(&present, user)?,
            Some(_) => {}
            None => members::room_for_one(&present)?,
        }
        tx.put_member(found.id, user, role, self.0.clock.now()).await?;
        let event = self.event(found.id, permit.actor(), format!("give {who} the role {role}"));
        self.commit(tx, vec![Change::User(user)], event).await
    }

    /// Takes somebody out of a team.
    pub async fn remove_member(&self, permit: &AdminPermit, handle: &Handle, who: &Handle) -> Result<()> {
        let found = find(&mut self.0.store.system_read().await?, handle).await?;
        self.take_out(found.id, permit.actor(), who, format!("remove {who}")).await
    }

    /// Changes what a team is called, switches it on or off, or gives it a plan. While it is off nobody acts in it and
    /// its presets answer nobody. What it has used of the month stays used under another plan. Holds on the next call.
    pub async fn change_team(
        &self,
        permit: &AdminPermit,
        handle: &Handle,
        change: TeamChange,
    ) -> Result<Organisation> {
        let title = change.title.as_deref().map(checked_title).transpose()?;
        let mut tx = self.0.store.system().await?;
        let found = find(&mut tx, handle).await?;
        tx.take_turn_in(found.id).await?;
        let before = team(&mut tx, found.id).await?;
        let after = Organisation {
            title: title.unwrap_or_else(|| before.title.clone()),
            enabled: change.enabled.unwrap_or(before.enabled),
            plan: change.plan.unwrap_or_else(|| before.plan.clone()),
            ..before.clone()
        };
        if let Some(plan) = after.plan.as_ref().filter(|plan| before.plan.as_ref() != Some(*plan))
            && tx.find_plan(plan).await?.is_none()
        {
            return Err(OrgError::NoPlan { plan: plan.clone() });
        }
        if !after.enabled {
            tx.send_browser_sessions_home(after.id, None).await?;
        }
        tx.update_organisation(&after).await?;
        let mut told = Vec::new();
        let mut done = Vec::new();
        if before.enabled != after.enabled {
            told.push(Change::Everything);
            done.push(
                if after.enabled { "switch the organisation on" } else { "switch the organisation off" }
                    .to_owned(),
            );
        }
        if before.plan != after.plan {
            told.extend(before.plan.iter().chain(&after.plan).cloned().map(Change::Plan));
            done.push(match &after.plan {
                Some(plan) => format!("give the organisation the plan {plan}"),
                None => "take the organisation's plan away".to_owned(),
            });
        }
        if done.is_empty() {
            done.push("rename the organisation".to_owned());
        }
        let event = self.event(after.id, permit.actor(), done.join(", "));
        self.commit(tx, told, event).await?;
        Ok(after)
    }

    /// Removes a team with everything it owns. Its handle is nobody's from then on.
    pub async fn remove_team(&self, permit: &AdminPermit, handle: &Handle) -> Result<()> {
        let found = find(&mut self.0.store.system_read().await?, handle).await?;
        self.dissolve(found.id, permit.actor(), "remove the organisation").await
    }

    /// Finds the account of this handle, and refuses the one who asks: they would see what the team owns.
    async fn somebody_else(
        &self,
        tx: &mut SystemTx,
        permit: &AdminPermit,
        handle: &Handle,
    ) -> Result<UserId> {
        let found = tx.find_user_by_login(handle.as_str()).await?;
        let (user, _) = found.ok_or_else(|| OrgError::Nobody { handle: handle.clone() })?;
        if permit.actor().user == Some(user.id) { Err(OrgError::Yourself) } else { Ok(user.id) }
    }
}

async fn find(tx: &mut SystemTx, handle: &Handle) -> Result<Organisation> {
    let found = tx.find_organisation_by_handle(handle).await?.ok_or(OrgError::NotFound)?;
    if found.is_personal() { Err(OrgError::Personal) } else { Ok(found) }
}
