//! What will be there when the document is applied so far: what the look beforehand compares with,
//! since nothing of the document is made yet.

use std::collections::{BTreeMap, BTreeSet};

use doorward::{
    identity::{IdentityError, default_plan},
    model::{Email, Handle, InstanceRole, Plan, PlanName, Slug, SourceName, TunnelId, TunnelName, User},
    orgs::OrgError,
};

use super::document::UserItem;

/// An account as it will be.
struct Account {
    email: Email,
    role: InstanceRole,
    plan: PlanName,
    enabled: bool,
}

/// What will be there.
#[derive(Default)]
pub(super) struct Expected {
    /// The plans the document declares.
    plans: BTreeMap<PlanName, Plan>,
    /// The plans there are, if they could be asked for.
    known_plans: BTreeSet<PlanName>,
    accounts: BTreeMap<Handle, Account>,
    /// The plans that declared organisations will have of their own.
    organisations: BTreeMap<Handle, PlanName>,
    tunnels: BTreeMap<(Handle, TunnelName), TunnelId>,
    sources: BTreeSet<(Handle, SourceName)>,
    presets: BTreeSet<(Handle, Slug)>,
    keys: BTreeMap<Handle, usize>,
}

impl Expected {
    /// Takes note of the plans there are.
    pub(super) fn know_plans(&mut self, plans: &[Plan]) {
        self.known_plans.extend(plans.iter().map(|plan| plan.name.clone()));
    }

    /// Takes note of a plan that is declared.
    pub(super) fn plan(&mut self, plan: &Plan) {
        self.plans.insert(plan.name.clone(), plan.clone());
    }

    /// Says whether somebody will have an account of this handle.
    pub(super) fn has_account(&self, handle: &Handle) -> bool {
        self.accounts.contains_key(handle)
    }

    /// Takes note of the accounts there are, as far as the document says nothing of them.
    pub(super) fn know_users(&mut self, users: &[User]) {
        for user in users {
            if self.accounts.contains_key(&user.handle) {
                continue;
            }
            let account = Account {
                email: user.email.clone(),
                role: user.role,
                plan: user.plan.clone(),
                enabled: user.enabled,
            };
            self.accounts.insert(user.handle.clone(), account);
        }
    }

    /// Takes note of an account that is declared, or says why it cannot be made so.
    pub(super) fn user(&mut self, item: &UserItem) -> Result<(), IdentityError> {
        let before = self.accounts.remove(&item.handle);
        let role = item.role.or(before.as_ref().map(|before| before.role)).unwrap_or(InstanceRole::Member);
        let plan = item.plan.clone().or(before.as_ref().map(|before| before.plan.clone()));
        let enabled = item.enabled.or(before.as_ref().map(|before| before.enabled)).unwrap_or(true);
        let plan = plan.unwrap_or_else(|| default_plan(role));
        let account = Account { email: item.email.clone(), role, plan, enabled };
        if self.accounts.values().any(|other| other.email == account.email) {
            return Err(IdentityError::Taken { what: "e-mail address" });
        }
        if !self.plans.contains_key(&account.plan) && !self.known_plans.contains(&account.plan) {
            return Err(IdentityError::NoPlan { plan: account.plan });
        }
        let managed = before.is_some_and(|before| before.manages());
        if managed && !account.manages() && !self.accounts.values().any(Account::manages) {
            return Err(IdentityError::LastAdmin);
        }
        self.accounts.insert(item.handle.clone(), account);
        Ok(())
    }

    /// Takes note of the plan that a declared organisation will have, or says that there will be none of that name.
    pub(super) fn organisation(&mut self, handle: &Handle, plan: Option<PlanName>) -> Result<(), OrgError> {
        let Some(plan) = plan else { return Ok(()) };
        if !self.plans.contains_key(&plan) && !self.known_plans.contains(&plan) {
            return Err(OrgError::NoPlan { plan });
        }
        self.organisations.insert(handle.clone(), plan);
        Ok(())
    }

    /// Returns the plan that will bound what somebody owns; `None` if the document says nothing of them.
    pub(super) fn plan_of(&self, owner: &Handle) -> Option<&PlanName> {
        self.organisations.get(owner).or_else(|| self.accounts.get(owner).map(|account| &account.plan))
    }

    /// Returns a plan as it is declared; `None` if it is not.
    pub(super) fn declared_plan(&self, plan: &PlanName) -> Option<&Plan> {
        self.plans.get(plan)
    }

    /// Takes note of a tunnel that will be made. Returns how many will have been for that owner.
    pub(super) fn tunnel(&mut self, owner: &Handle, name: &TunnelName) -> usize {
        self.tunnels.insert((owner.clone(), name.clone()), TunnelId::new());
        self.tunnels.keys().filter(|(of, _)| of == owner).count()
    }

    /// Returns what stands for a tunnel that will be made.
    pub(super) fn makes_tunnel(&self, owner: &Handle, name: &TunnelName) -> Option<TunnelId> {
        self.tunnels.get(&(owner.clone(), name.clone())).copied()
    }

    /// Takes note of a source that will be made. Returns how many will have been for that owner.
    pub(super) fn source(&mut self, owner: &Handle, name: &SourceName) -> i64 {
        self.sources.insert((owner.clone(), name.clone()));
        let made = self.sources.iter().filter(|(of, _)| of == owner).count();
        i64::try_from(made).unwrap_or(i64::MAX)
    }

    /// Says whether a source will be made.
    pub(super) fn makes_source(&self, owner: &Handle, name: &SourceName) -> bool {
        self.sources.contains(&(owner.clone(), name.clone()))
    }

    /// Takes note of a preset that will be made.
    pub(super) fn preset(&mut self, owner: &Handle, slug: &Slug) {
        self.presets.insert((owner.clone(), slug.clone()));
    }

    /// Returns how many presets will have been made for an owner.
    pub(super) fn presets_of(&self, owner: &Handle) -> i64 {
        let made = self.presets.iter().filter(|(of, _)| of == owner).count();
        i64::try_from(made).unwrap_or(i64::MAX)
    }

    /// Says whether a preset will be made.
    pub(super) fn makes_preset(&self, owner: &Handle, slug: &Slug) -> bool {
        self.presets.contains(&(owner.clone(), slug.clone()))
    }

    /// Takes note of a key that will be made. Returns how many will have been for that owner.
    pub(super) fn key(&mut self, owner: &Handle) -> usize {
        let made = self.keys.entry(owner.clone()).or_default();
        *made += 1;
        *made
    }
}

impl Account {
    fn manages(&self) -> bool {
        self.enabled && self.role == InstanceRole::Admin
    }
}
