//! Plans and accounts.

use doorward::{
    identity::{NewUser, UserChange, check_plan},
    model::{InstanceRole, Plan as UsagePlan, User},
    policy::AdminPermit,
};
use serde_saphyr::Spanned;

use super::{Run, identity_error};
use crate::apply::{
    Action, ApplyError,
    document::{UserItem, line, mistake},
};

impl Run<'_> {
    pub(super) async fn plans(&mut self) -> Result<(), ApplyError> {
        let Some(first) = self.document.plans.first() else { return Ok(()) };
        let at = line(first);
        let permit = self.admin(at)?;
        let present = self.rooms.identity.plans(&permit).await.map_err(identity_error(at))?;
        for item in &self.document.plans {
            let plan: &UsagePlan = &item.value;
            let name = plan.name.to_string();
            let known = present.iter().find(|known| known.name == plan.name);
            let action = match known {
                Some(known) if known == plan => Action::Same,
                Some(_) => Action::Change,
                None => Action::Add,
            };
            check_plan(plan).map_err(identity_error(line(item)))?;
            self.expected.plan(plan);
            if action != Action::Same && !self.dry_run {
                self.rooms.identity.save_plan(&permit, plan).await.map_err(identity_error(line(item)))?;
            }
            self.note(action, "plan", name, String::new());
        }
        Ok(())
    }

    pub(super) async fn users(&mut self) -> Result<(), ApplyError> {
        let Some(first) = self.document.users.first() else { return Ok(()) };
        let at = line(first);
        let permit = self.admin(at)?;
        let present = self.rooms.identity.users(&permit).await.map_err(identity_error(at))?;
        let plans = self.rooms.identity.plans(&permit).await.map_err(identity_error(at))?;
        self.expected.know_plans(&plans);
        self.expected.know_users(&present);
        for item in &self.document.users {
            if self.dry_run {
                self.expected.user(&item.value).map_err(identity_error(line(item)))?;
            }
            match present.iter().find(|user| user.handle == item.value.handle) {
                Some(user) => self.change_user(&permit, item, user).await?,
                None => self.add_user(&permit, item).await?,
            }
        }
        Ok(())
    }

    async fn add_user(&mut self, permit: &AdminPermit, item: &Spanned<UserItem>) -> Result<(), ApplyError> {
        let user = &item.value;
        let Some(password) = user.password.clone() else {
            return Err(mistake(item, "a new user needs `password_file` or `password`".to_owned()).into());
        };
        if self.dry_run {
            let checked = self.rooms.identity.check_password(&password, &user.handle, &user.email);
            checked.map_err(identity_error(line(item)))?;
            self.members.insert(user.handle.clone(), None);
        } else {
            let new = NewUser {
                handle: user.handle.clone(),
                email: user.email.clone(),
                password,
                role: user.role.unwrap_or(InstanceRole::Member),
                plan: user.plan.clone(),
            };
            let identity = &self.rooms.identity;
            let added = identity.add_user(permit, new).await.map_err(identity_error(line(item)))?;
            if user.enabled == Some(false) {
                let change = UserChange { enabled: Some(false), ..UserChange::default() };
                identity.update_user(permit, added.id, change).await.map_err(identity_error(line(item)))?;
            }
        }
        self.note(Action::Add, "user", user.handle.to_string(), String::new());
        Ok(())
    }

    async fn change_user(
        &mut self,
        permit: &AdminPermit,
        item: &Spanned<UserItem>,
        present: &User,
    ) -> Result<(), ApplyError> {
        let declared = &item.value;
        let change = UserChange {
            email: Some(declared.email.clone()).filter(|email| *email != present.email),
            role: declared.role.filter(|role| *role != present.role),
            plan: declared.plan.clone().filter(|plan| *plan != present.plan),
            enabled: declared.enabled.filter(|enabled| *enabled != present.enabled),
            password: None,
        };
        let parts: Vec<&str> = [
            ("email", change.email.is_some()),
            ("role", change.role.is_some()),
            ("plan", change.plan.is_some()),
            ("enabled", change.enabled.is_some()),
        ]
        .into_iter()
        .filter_map(|(part, differs)| differs.then_some(part))
        .collect();
        if !parts.is_empty() && !self.dry_run {
            let identity = &self.rooms.identity;
            identity.update_user(permit, present.id, change).await.map_err(identity_error(line(item)))?;
        }
        let action = if parts.is_empty() { Action::Same } else { Action::Change };
        self.note(action, "user", declared.handle.to_string(), parts.join(", "));
        Ok(())
    }
}
