//! People's accounts. A password is here as its hash only.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{Email, Handle, InstanceRole, OrgRole, PlanName, TenantId, User, UserId},
    store::{Result, SystemTx, changed, on, read_word},
};

#[derive(FromRow)]
struct UserRow {
    id: UserId,
    tenant_id: TenantId,
    handle: Handle,
    email: Email,
    password_hash: String,
    role: String,
    plan: PlanName,
    enabled: bool,
    created_at: Ms,
    audits: bool,
}

impl UserRow {
    fn user(self) -> Result<User> {
        Ok(self.user_and_hash()?.0)
    }

    fn user_and_hash(self) -> Result<(User, String)> {
        let user = User {
            id: self.id,
            tenant: self.tenant_id,
            handle: self.handle,
            email: self.email,
            role: match self.audits {
                true => InstanceRole::Auditor,
                false => read_word("users.role", &self.role, InstanceRole::from_word)?,
            },
            plan: self.plan,
            enabled: self.enabled,
            created_at: self.created_at,
        };
        Ok((user, self.password_hash))
    }
}

impl SystemTx {
    /// Says whether anybody has an account.
    pub async fn users_exist(&mut self) -> Result<bool> {
        Ok(on!(self, |c| query_scalar("select exists (select 1 from users)").fetch_one(c).await)?)
    }

    /// Adds the very first account; `false` if there is one already. Two at once cannot both win.
    pub async fn add_first_user(&mut self, user: &User, password_hash: &str) -> Result<bool> {
        self.take_turn().await?;
        if self.users_exist().await? {
            return Ok(false);
        }
        self.add_user(user, password_hash).await?;
        Ok(true)
    }

    /// Adds an account, its personal organisation (`user.tenant`, same handle) and the membership
    /// as its admin. A taken handle is `Conflict { what: "organisations.handle" }`, a taken address
    /// `"users.email"`, an unknown plan `Dangling`.
    pub async fn add_user(&mut self, user: &User, password_hash: &str) -> Result<()> {
        on!(self, |c| {
            query("insert into organisations (id, handle, personal_of, created_at) values ($1, $2, $3, $4)")
                .bind(user.tenant)
                .bind(&user.handle)
                .bind(user.id)
                .bind(user.created_at)
                .execute(c)
                .await
                .map(drop)
        })?;
        on!(self, |c| {
            query(
                "insert into users
                    (id, tenant_id, handle, email, password_hash, role, plan, enabled, created_at, audits)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(user.id)
            .bind(user.tenant)
            .bind(&user.handle)
            .bind(&user.email)
            .bind(password_hash)
            .bind(stored(user.role))
            .bind(&user.plan)
            .bind(user.enabled)
            .bind(user.created_at)
            .bind(user.role == InstanceRole::Auditor)
            .execute(c)
            .await
            .map(drop)
        })?;
        on!(self, |c| {
            query("insert into memberships (tenant_id, user_id, role, created_at) values ($1, $2, $3, $4)")
                .bind(user.tenant)
                .bind(user.id)
                .bind(OrgRole::Admin.word())
                .bind(user.created_at)
                .execute(c)
                .await
                .map(drop)
        })?;
        Ok(())
    }

    /// Returns accounts by handle, those after `after`.
    pub async fn list_users(&mut self, after: Option<&Handle>, limit: i64) -> Result<Vec<User>> {
        let after = after.map(Handle::as_str).unwrap_or_default();
        let rows: Vec<UserRow> = on!(self, |c| {
            query_as("select * from users where handle > $1 order by handle limit $2")
                .bind(after)
                .bind(limit)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(UserRow::user).collect()
    }

    /// Returns how many accounts there are.
    pub async fn count_users(&mut self) -> Result<i64> {
        Ok(on!(self, |c| query_scalar("select count(*) from users").fetch_one(c).await)?)
    }

    /// Finds an account.
    pub async fn find_user(&mut self, id: UserId) -> Result<Option<User>> {
        let row: Option<UserRow> =
            on!(self, |c| query_as("select * from users where id = $1").bind(id).fetch_optional(c).await)?;
        row.map(UserRow::user).transpose()
    }

    /// Finds the oldest account that manages the instance and is not switched off; `None` before the
    /// owner account is made.
    pub async fn find_first_admin(&mut self) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self, |c| {
            query_as("select * from users where role = $1 and enabled order by created_at, id limit 1")
                .bind(InstanceRole::Admin.word())
                .fetch_optional(c)
                .await
        })?;
        row.map(UserRow::user).transpose()
    }

    /// Says whether anybody but this person manages the instance.
    pub async fn other_admins_exist(&mut self, than: UserId) -> Result<bool> {
        Ok(on!(self, |c| {
            query_scalar("select exists (select 1 from users where id <> $1 and role = $2 and enabled)")
                .bind(than)
                .bind(InstanceRole::Admin.word())
                .fetch_one(c)
                .await
        })?)
    }

    /// Finds an account and its password's hash by handle or e-mail address, in any case.
    pub async fn find_user_by_login(&mut self, login: &str) -> Result<Option<(User, String)>> {
        let login = login.trim().to_lowercase();
        if login.contains('\0') {
            return Ok(None);
        }
        let row: Option<UserRow> = on!(self, |c| {
            query_as("select * from users where handle = $1 or email = $1")
                .bind(&login)
                .fetch_optional(c)
                .await
        })?;
        row.map(UserRow::user_and_hash).transpose()
    }

    /// Returns the hash of an account's password.
    pub async fn find_password(&mut self, id: UserId) -> Result<Option<String>> {
        Ok(on!(self, |c| {
            query_scalar("select password_hash from users where id = $1").bind(id).fetch_optional(c).await
        })?)
    }

    /// Replaces address, role, plan and the switch of an account; its handle never changes.
    /// `false` if there is no such account. A taken address is `Conflict { what: "users.email" }`,
    /// an unknown plan `Dangling`.
    pub async fn update_user(&mut self, user: &User) -> Result<bool> {
        let changed = changed!(
            self,
            query(
                "update users set email = $2, role = $3, plan = $4, enabled = $5, audits = $6 where id = $1"
            )
            .bind(user.id)
            .bind(&user.email)
            .bind(stored(user.role))
            .bind(&user.plan)
            .bind(user.enabled)
            .bind(user.role == InstanceRole::Auditor)
        );
        Ok(changed > 0)
    }

    /// Replaces the hash of an account's password. `false` if there is no such account.
    pub async fn set_password(&mut self, id: UserId, password_hash: &str) -> Result<bool> {
        let changed = changed!(
            self,
            query("update users set password_hash = $2 where id = $1").bind(id).bind(password_hash)
        );
        Ok(changed > 0)
    }
}

/// Returns the word that the column of roles holds, which knows no auditors.
fn stored(role: InstanceRole) -> &'static str {
    match role {
        InstanceRole::Auditor => InstanceRole::Member.word(),
        InstanceRole::Admin | InstanceRole::Member => role.word(),
    }
}
