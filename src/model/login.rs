//! What other identity providers say of people.

use crate::{
    clock::Ms,
    model::{Email, LoginId, TenantId, UserId},
};

/// A person's account at another identity provider, by which they sign in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Names it.
    pub id: LoginId,
    /// Whose it is.
    pub user: UserId,
    /// Their personal organisation.
    pub tenant: TenantId,
    /// Who says so, as `https://accounts.google.com`.
    pub issuer: String,
    /// The issuer's own name of the person, which never changes and never becomes another's.
    pub subject: String,
    /// What the person is called there, for their own eyes.
    pub shown: String,
    /// When it was added.
    pub created_at: Ms,
    /// When somebody last signed in by it.
    pub used_at: Ms,
}

/// Somebody whom a provider knows and nobody here does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingLogin {
    /// The provider's name in the settings.
    pub provider: String,
    /// Who says so.
    pub issuer: String,
    /// The issuer's own name of the person.
    pub subject: String,
    /// What the person is called there.
    pub shown: String,
    /// The address, if the provider has seen that it is theirs.
    pub email: Option<Email>,
    /// The path to go to afterwards.
    pub next: String,
    /// Until when the person may make up their mind.
    pub expires_at: Ms,
}
