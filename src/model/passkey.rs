//! Passkeys: credentials of authenticators (WebAuthn).

use crate::{
    clock::Ms,
    model::{PasskeyId, TenantId, UserId},
};

/// A passkey of a person. Nothing in it is secret: the private key never leaves the authenticator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Names it.
    pub id: PasskeyId,
    /// Whose it is.
    pub user: UserId,
    /// Their personal organisation.
    pub tenant: TenantId,
    /// What its owner calls it.
    pub name: String,
    /// What the authenticator calls it.
    pub credential_id: Vec<u8>,
    /// The public key and what was said of it when it was added, as JSON.
    pub credential: String,
    /// How often the authenticator says it has signed; stays 0 where it does not count.
    pub counter: i64,
    /// When it was added.
    pub created_at: Ms,
    /// When somebody last signed in with it; `None` = never.
    pub used_at: Option<Ms>,
}
