//! Who is calling: accounts, passwords, browser sessions and API keys.
//!
//! Passwords are hashed with Argon2id and rightly slow; API keys and cookies are random, so one
//! SHA-256 recognises them, from memory when they were seen a moment ago.
//!
//! Never decides what a person may do (`policy`), never keeps a secret in the clear, and never says
//! whether it was the account or the password that was wrong.

mod error;
mod settings;

use std::{net::IpAddr, sync::Arc};

use crate::{
    audit::Audit,
    changes::Changes,
    clock::{Clock, Ms},
    model::{
        ApiKey, ApiKeyId, BrowserSession, BrowserSessionId, Email, Handle, InstanceRole, KeyScope, Member,
        Plan, PlanName, User, UserId,
    },
    policy::AdminPermit,
    secret::Secret,
    store::Store,
};

pub use error::{IdentityError, KeyError};
pub use settings::{IdentitySettings, PasswordCost};

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The caller's address.
    pub address: IpAddr,
    /// What the browser says it is.
    pub user_agent: String,
}

/// A browser that has just signed in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The cookie's value.
    pub cookie: Secret,
    /// The session.
    pub session: BrowserSession,
    /// Who signed in.
    pub member: Arc<Member>,
}

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its owner calls it.
    pub name: String,
    /// What it may reach.
    pub scope: KeyScope,
    /// When it stops working; `None` = never.
    pub expires_at: Option<Ms>,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The public name.
    pub handle: Handle,
    /// Where to write to.
    pub email: Email,
    /// The first password.
    pub password: Secret,
    /// The role on the instance.
    pub role: InstanceRole,
    /// What the account may use; `None` = the default of its role.
    pub plan: Option<PlanName>,
}

/// What to change of an account. `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Where to write to.
    pub email: Option<Email>,
    /// The role on the instance.
    pub role: Option<InstanceRole>,
    /// What the account may use.
    pub plan: Option<PlanName>,
    /// Whether the account may sign in and its keys work.
    pub enabled: Option<bool>,
    /// A new password; ends every browser session of the account.
    pub password: Option<Secret>,
}

/// Knows people; cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    store: Store,
    audit: Audit,
    clock: Clock,
    settings: IdentitySettings,
}

impl Identity {
    /// Begins with nobody remembered.
    pub fn new(
        store: Store,
        audit: Audit,
        changes: Changes,
        clock: Clock,
        settings: IdentitySettings,
    ) -> Self {
        let _ = changes;
        Self(Arc::new(Inner { store, audit, clock, settings }))
    }

    /// Says whether the owner account has yet to be made.
    pub async fn setup_needed(&self) -> Result<bool, IdentityError> {
        let _ = (&self.0.store, &self.0.audit, &self.0.clock, &self.0.settings);
        todo!()
    }

    /// Returns the one-time token that lets whoever has it make the owner account; `None` once that
    /// exists. The same token until then or until the process ends.
    pub async fn setup_token(&self) -> Result<Option<Secret>, IdentityError> {
        todo!()
    }

    /// Makes the owner account, and signs in.
    pub async fn create_owner(
        &self,
        token: &Secret,
        handle: &Handle,
        email: &Email,
        password: Secret,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let _ = (token, handle, email, password, origin);
        todo!()
    }

    /// Signs in with handle or e-mail address and password.
    pub async fn sign_in(
        &self,
        login: &str,
        password: Secret,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let _ = (login, password, origin);
        todo!()
    }

    /// Ends the browser session of a cookie, if there is one.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), IdentityError> {
        let _ = cookie;
        todo!()
    }

    /// Returns the person behind a cookie; `None` if it is of no live session.
    pub async fn find_session(&self, cookie: &str) -> Result<Option<Arc<Member>>, IdentityError> {
        let _ = cookie;
        todo!()
    }

    /// Returns the person's browser sessions, the last seen first.
    pub async fn sessions(&self, member: &Member) -> Result<Vec<BrowserSession>, IdentityError> {
        let _ = member;
        todo!()
    }

    /// Ends one of the person's browser sessions; `false` if there is none of that id.
    pub async fn revoke_session(&self, member: &Member, id: BrowserSessionId) -> Result<bool, IdentityError> {
        let _ = (member, id);
        todo!()
    }

    /// Changes the person's password and ends their other browser sessions.
    pub async fn change_password(
        &self,
        member: &Member,
        old: Secret,
        new: Secret,
    ) -> Result<(), IdentityError> {
        let _ = (member, old, new);
        todo!()
    }

    /// Returns the account of a person.
    pub async fn account(&self, member: &Member) -> Result<Option<User>, IdentityError> {
        let _ = member;
        todo!()
    }

    /// Returns a person acting in their own organisation as the operator at the shell; `None` if
    /// there is no such account or it is switched off. For the command line only.
    pub async fn at_the_shell(&self, handle: &Handle) -> Result<Option<Arc<Member>>, IdentityError> {
        let _ = handle;
        todo!()
    }

    /// Returns the person an API key acts for. Takes the text after `Bearer `.
    pub async fn authenticate_key(&self, bearer: &str) -> Result<Arc<Member>, KeyError> {
        let _ = bearer;
        todo!()
    }

    /// Returns the API keys of the person, the newest first.
    pub async fn keys(&self, member: &Member) -> Result<Vec<ApiKey>, IdentityError> {
        let _ = member;
        todo!()
    }

    /// Makes an API key. The secret returned is the whole key, and is not to be had again.
    pub async fn create_key(&self, member: &Member, new: NewKey) -> Result<(ApiKey, Secret), IdentityError> {
        let _ = (member, new);
        todo!()
    }

    /// Makes an API key whose text exists already, as `doorward apply` reads it from a file. Does
    /// nothing if the person has that very key.
    pub async fn import_key(
        &self,
        member: &Member,
        new: NewKey,
        text: &Secret,
    ) -> Result<ApiKey, IdentityError> {
        let _ = (member, new, text);
        todo!()
    }

    /// Revokes an API key of the person; `false` if there is none of that id left to revoke.
    pub async fn revoke_key(&self, member: &Member, id: ApiKeyId) -> Result<bool, IdentityError> {
        let _ = (member, id);
        todo!()
    }

    /// Writes when keys and browser sessions were last used. To be called every second or so.
    pub async fn flush_used(&self) -> Result<(), IdentityError> {
        todo!()
    }

    /// Returns all accounts by handle.
    pub async fn users(&self, permit: &AdminPermit) -> Result<Vec<User>, IdentityError> {
        let _ = permit;
        todo!()
    }

    /// Makes an account.
    pub async fn add_user(&self, permit: &AdminPermit, new: NewUser) -> Result<User, IdentityError> {
        let _ = (permit, new);
        todo!()
    }

    /// Changes an account; `None` if there is none of that id.
    pub async fn update_user(
        &self,
        permit: &AdminPermit,
        id: UserId,
        change: UserChange,
    ) -> Result<Option<User>, IdentityError> {
        let _ = (permit, id, change);
        todo!()
    }

    /// Returns the plans by name.
    pub async fn plans(&self, permit: &AdminPermit) -> Result<Vec<Plan>, IdentityError> {
        let _ = permit;
        todo!()
    }

    /// Adds a plan, or replaces the one of that name.
    pub async fn save_plan(&self, permit: &AdminPermit, plan: &Plan) -> Result<(), IdentityError> {
        let _ = (permit, plan);
        todo!()
    }
}
