//! Managing accounts and plans.

use std::sync::Arc;

use super::{
    Identity, IdentityError, NewUser, UserChange, password,
    record::{Deed, home},
};
use crate::{
    changes::Change,
    clock::Ms,
    model::{Action, Email, Handle, InstanceRole, Member, Plan, PlanName, TenantId, User, UserId, Via},
    policy::AdminPermit,
    secret::Secret,
    store::{LIST_MAX, StoreError, SystemTx},
};

impl Identity {
    /// Returns all accounts by handle.
    pub async fn users(&self, _permit: &AdminPermit) -> Result<Vec<User>, IdentityError> {
        Ok(self.0.store.system_read().await?.list_users(None, LIST_MAX).await?)
    }

    /// Says why an account could not have this password. Makes nothing.
    pub fn check_password(
        &self,
        password: &Secret,
        handle: &Handle,
        email: &Email,
    ) -> Result<(), IdentityError> {
        password::check(password, &[handle.as_str(), email.as_str()])
    }

    /// Makes an account.
    pub async fn add_user(&self, permit: &AdminPermit, new: NewUser) -> Result<User, IdentityError> {
        password::check(&new.password, &[new.handle.as_str(), new.email.as_str()])?;
        let hash = self.0.passwords.hash(new.password).await?;
        let mut user = new_user(new.handle, new.email, new.role, self.0.clock.now());
        user.plan = new.plan.unwrap_or(user.plan);
        let mut tx = self.0.store.system().await?;
        plan_exists(&mut tx, &user.plan).await?;
        tx.add_user(&user, &hash).await.map_err(taken)?;
        tx.commit().await?;
        self.user_changed(permit, &user);
        Ok(user)
    }

    /// Changes an account; `None` if there is none of that id. Holds on the next call of its keys
    /// and browsers.
    pub async fn update_user(
        &self,
        permit: &AdminPermit,
        id: UserId,
        change: UserChange,
    ) -> Result<Option<User>, IdentityError> {
        let Some(before) = self.0.store.system_read().await?.find_user(id).await? else {
            return Ok(None);
        };
        let hash = match change.password {
            Some(password) => {
                let email = change.email.as_ref().unwrap_or(&before.email);
                password::check(&password, &[before.handle.as_str(), email.as_str()])?;
                Some(self.0.passwords.hash(password).await?)
            }
            None => None,
        };

        let mut tx = self.0.store.system().await?;
        // Two administrators who demote each other must not both succeed.
        tx.take_turn().await?;
        let Some(before) = tx.find_user(id).await? else {
            return Ok(None);
        };
        let user = User {
            email: change.email.unwrap_or_else(|| before.email.clone()),
            role: change.role.unwrap_or(before.role),
            plan: change.plan.unwrap_or_else(|| before.plan.clone()),
            enabled: change.enabled.unwrap_or(before.enabled),
            ..before.clone()
        };
        if user.plan != before.plan {
            plan_exists(&mut tx, &user.plan).await?;
        }
        if manages(&before) && !manages(&user) && !tx.other_admins_exist(id).await? {
            return Err(IdentityError::LastAdmin);
        }
        tx.update_user(&user).await.map_err(taken)?;
        if let Some(hash) = &hash {
            tx.set_password(id, hash).await?;
        }
        if hash.is_some() || !user.enabled {
            tx.revoke_browser_sessions(id, None).await?;
        }
        tx.commit().await?;
        self.user_changed(permit, &user);
        Ok(Some(user))
    }

    /// Returns the plans by name.
    pub async fn plans(&self, _permit: &AdminPermit) -> Result<Vec<Plan>, IdentityError> {
        Ok(self.0.store.system_read().await?.list_plans().await?)
    }

    /// Adds a plan, or replaces the one of that name. Holds on the next call.
    pub async fn save_plan(&self, permit: &AdminPermit, plan: &Plan) -> Result<(), IdentityError> {
        check_plan(plan)?;
        let name = &plan.name;
        let mut tx = self.0.store.system().await?;
        tx.save_plan(plan).await?;
        let home = home(&mut tx).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::Plan(name.clone()));
        self.record_of_the_instance(home, permit.actor(), Deed::done(Action::PlanChange, name.as_str()));
        Ok(())
    }

    /// Returns the account of a person.
    pub async fn account(&self, member: &Member) -> Result<Option<User>, IdentityError> {
        Ok(self.0.store.system_read().await?.find_user(member.user).await?)
    }

    /// Returns a person acting in their own organisation as the operator at the shell; `None` if
    /// there is no such account or it is switched off. For the command line only.
    pub async fn at_the_shell(&self, handle: &Handle) -> Result<Option<Arc<Member>>, IdentityError> {
        let mut tx = self.0.store.system_read().await?;
        let Some((user, _)) = tx.find_user_by_login(handle.as_str()).await? else {
            return Ok(None);
        };
        Ok(tx.find_member(user.id, user.tenant, Via::Shell).await?.map(Arc::new))
    }

    /// Tells everybody, and the audit log of the administrator's organisation; at the shell there
    /// is none, and the account's own is told.
    fn user_changed(&self, permit: &AdminPermit, user: &User) {
        self.0.changes.announce(Change::User(user.id));
        let tenant = permit.actor().tenant.unwrap_or(user.tenant);
        if manages(user) {
            self.record_what_waited(user);
        }
        self.record(tenant, permit.actor(), Deed::done(Action::UserChange, user.handle.as_str()));
    }
}

/// Says why a plan could not be kept.
pub fn check_plan(plan: &Plan) -> Result<(), IdentityError> {
    let Plan {
        name: _,
        calls_per_month,
        analyses_per_month,
        concurrent_analyses,
        sources_max,
        presets_max,
        stored_analyses_max,
        retention_days,
        rate: _,
    } = plan;
    let numbers = [
        calls_per_month,
        analyses_per_month,
        concurrent_analyses,
        sources_max,
        presets_max,
        stored_analyses_max,
        retention_days,
    ];
    if numbers.into_iter().flatten().any(|number| *number < 0) {
        return Err(IdentityError::BadPlan);
    }
    Ok(())
}

/// Returns an account as it begins, with an organisation of its own and the plan of its role.
pub(super) fn new_user(handle: Handle, email: Email, role: InstanceRole, now: Ms) -> User {
    User {
        id: UserId::new(),
        tenant: TenantId::new(),
        handle,
        email,
        role,
        plan: default_plan(role),
        enabled: true,
        created_at: now,
    }
}

/// Returns the plan of an account that is given none.
pub fn default_plan(role: InstanceRole) -> PlanName {
    let name = match role {
        InstanceRole::Admin => "enterprise",
        InstanceRole::Auditor | InstanceRole::Member => "free",
    };
    PlanName::parse(name).expect("both are names")
}

fn manages(user: &User) -> bool {
    user.enabled && user.role == InstanceRole::Admin
}

async fn plan_exists(tx: &mut SystemTx, plan: &PlanName) -> Result<(), IdentityError> {
    match tx.find_plan(plan).await? {
        Some(_) => Ok(()),
        None => Err(IdentityError::NoPlan { plan: plan.clone() }),
    }
}

pub(super) fn taken(error: StoreError) -> IdentityError {
    match &error {
        StoreError::Conflict { what } if what.ends_with("handle") => IdentityError::Taken { what: "handle" },
        StoreError::Conflict { what } if what.ends_with("email") => {
            IdentityError::Taken { what: "e-mail address" }
        }
        _ => error.into(),
    }
}
