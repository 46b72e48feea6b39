//! People's accounts. A password is here as its hash only.

use crate::{
    model::{Handle, User, UserId},
    store::{Result, SystemTx},
};

impl SystemTx {
    /// Says whether anybody has an account.
    pub async fn users_exist(&mut self) -> Result<bool> {
        todo!()
    }

    /// Adds the very first account; `false` if there is one already. Two at once cannot both win.
    pub async fn add_first_user(&mut self, user: &User, password_hash: &str) -> Result<bool> {
        let _ = (user, password_hash);
        todo!()
    }

    /// Adds an account, its personal organisation (`user.tenant`, same handle) and the membership
    /// as its admin. A taken handle is `Conflict { what: "organisations.handle" }`, a taken address
    /// `"users.email"`.
    pub async fn add_user(&mut self, user: &User, password_hash: &str) -> Result<()> {
        let _ = (user, password_hash);
        todo!()
    }

    /// Returns accounts by handle, those after `after`.
    pub async fn list_users(&mut self, after: Option<&Handle>, limit: i64) -> Result<Vec<User>> {
        let _ = (after, limit);
        todo!()
    }

    /// Returns how many accounts there are.
    pub async fn count_users(&mut self) -> Result<i64> {
        todo!()
    }

    /// Finds an account.
    pub async fn find_user(&mut self, id: UserId) -> Result<Option<User>> {
        let _ = id;
        todo!()
    }

    /// Finds an account and its password's hash by handle or e-mail address, in any case.
    pub async fn find_user_by_login(&mut self, login: &str) -> Result<Option<(User, String)>> {
        let _ = login;
        todo!()
    }

    /// Returns the hash of an account's password.
    pub async fn find_password(&mut self, id: UserId) -> Result<Option<String>> {
        let _ = id;
        todo!()
    }

    /// Replaces address, role, plan and the switch of an account; its handle never changes.
    /// `false` if there is no such account.
    pub async fn update_user(&mut self, user: &User) -> Result<bool> {
        let _ = user;
        todo!()
    }

    /// Replaces the hash of an account's password. `false` if there is no such account.
    pub async fn set_password(&mut self, id: UserId, password_hash: &str) -> Result<bool> {
        let _ = (id, password_hash);
        todo!()
    }
}
