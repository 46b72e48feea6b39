//! Connections: somebody's own sign-in at a data source, kept alive for them.

use crate::{
    clock::Ms,
    model::{ConnectionId, SourceId, TenantId, UserId, words},
    secret::Secret,
};

/// Whose credential a call to a source runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RunsAs {
    /// That of the organisation which owns the source.
    #[default]
    Owner,
    /// The caller's own, and none without.
    Caller,
    /// The caller's own, and without one that of the organisation.
    CallerOrOwner,
}
words!(RunsAs { Owner = "owner", Caller = "caller", CallerOrOwner = "caller_or_owner" });

/// Whether a connection can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Somebody needs it and nobody has signed in yet.
    Wanted,
    /// It works, as far as is known.
    Active,
    /// It was refused for good: somebody has to sign in again.
    Broken,
}
words!(ConnectionState { Wanted = "wanted", Active = "active", Broken = "broken" });

/// How Doorward is known to a source's issuer beforehand, and what it asks for there. All of it may be
/// left out, and is then found out and registered.
#[derive(Clone, Debug, Default)]
pub struct OauthClient {
    /// The client's name at the issuer.
    pub id: Option<String>,
    /// The client's secret, if it has one.
    pub secret: Option<Secret>,
    /// The scopes to ask for, separated by spaces, in place of what source and issuer name.
    pub scope: Option<String>,
}

/// A sign-in at a source. Its tokens are not part of it: they are sealed beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Names it.
    pub id: ConnectionId,
    /// The organisation that owns the source.
    pub tenant: TenantId,
    /// The source.
    pub source: SourceId,
    /// Whose it is; `None` = the organisation's.
    pub user: Option<UserId>,
    /// The issuer that was signed in at; empty before.
    pub issuer: String,
    /// What was granted, separated by spaces; empty if the issuer does not say.
    pub scope: String,
    /// What the source asked for beside that, when it refused something; empty if it has all it wants.
    pub wanted_scope: String,
    /// Whether it can be used.
    pub state: ConnectionState,
    /// Why it cannot be used, or could not be renewed when that was last tried; empty if all is well.
    pub detail: String,
    /// When the present token ends; `None` = the issuer does not say.
    pub expires_at: Option<Ms>,
    /// Whether it can be renewed without anybody.
    pub renews: bool,
    /// When the present token was given.
    pub renewed_at: Option<Ms>,
    /// Counts the tokens.
    pub version: i64,
    /// When it was first needed.
    pub created_at: Ms,
}
