//! Who is calling: accounts, passwords, second factors, logins with other identity providers, browser
//! sessions, API keys, and access tokens of the issuer.
//!
//! Passwords are hashed with Argon2id and rightly slow; API keys and cookies are random, so one
//! SHA-256 recognises them, from memory when they were seen a moment ago.
//!
//! Never decides what a person may do (`policy`), never keeps a secret in the clear, and never says
//! whether it was the account or the password that was wrong. One more way to be recognised is one
//! more variant of [`Via`](crate::model::Via), and a file here that ends in a `Member`.

mod accounts;
mod bearer;
mod confirm;
mod epochs;
mod error;
mod invited;
mod keys;
mod logins;
mod password;
mod record;
mod remembered;
mod second;
mod sessions;
mod settings;
mod setup;
mod strangers;
mod throttle;
mod token;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use crate::{
    audit::Audit,
    changes::{Change, Changes},
    clock::{Clock, Ms},
    egress::Egress,
    model::{
        ApiKeyId, BrowserSession, BrowserSessionId, Email, GrantId, Handle, InstanceRole, KeyScope, Member,
        PlanName, Rate, RunEvent, Whence,
    },
    secret::Secret,
    store::Store,
    vault::Vault,
};
use epochs::Epochs;
use logins::Logins;
use moka::sync::Cache;
use password::Passwords;
use remembered::Remembered;
use second::RelyingParty;
use setup::Setup;
use strangers::Strangers;
use uuid::Uuid;

pub use accounts::{check_plan, default_plan};
pub use error::{IdentityError, KeyError};
pub use keys::KEYS_MAX;
pub use logins::{
    Asserted, AssertionError, BegunLogin, FinishedLogin, LoginAnswer, LoginError, LoginProvider,
    ProviderKind, SignUp,
};
pub use second::{Authenticator, BegunPasskey, HalfStep, PASSKEYS_MAX, SecondStep};
pub use settings::{IdentitySettings, PasswordCost};
pub(crate) use throttle::{Buckets, network};
pub(crate) use token::{ACCESS_PREFIX, digest, is_key_client, key_client, random_token};

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The caller's address.
    pub address: IpAddr,
    /// What the browser says it is.
    pub user_agent: String,
    /// The request's id, as in the logs; `None` if there is none.
    pub request: Option<Uuid>,
}

impl Origin {
    /// Returns what the audit log is told of it.
    pub fn whence(&self) -> Whence {
        Whence { address: Some(self.address), request: self.request }
    }
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
    /// How fast calls with it may come; `None` = as fast as others let them.
    pub rate: Option<Rate>,
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
    changes: Changes,
    clock: Clock,
    vault: Vault,
    settings: IdentitySettings,
    passwords: Passwords,
    /// What was tried too often, and until when it is refused.
    refused: Cache<[u8; 32], Ms>,
    strangers: Mutex<Strangers>,
    /// Events that wait for the first organisation there is to record them in.
    unrecorded: Mutex<Vec<RunEvent>>,
    setup: Setup,
    epochs: Arc<Epochs>,
    logins: Logins,
    /// The place passkeys are for; `None` if browsers have none at the address people use.
    relying_party: Option<RelyingParty>,
    keys: Remembered<ApiKeyId>,
    sessions: Remembered<BrowserSessionId>,
    grants: Remembered<GrantId>,
}

impl Identity {
    /// Begins with nobody remembered.
    pub fn new(
        store: Store,
        audit: Audit,
        changes: Changes,
        clock: Clock,
        egress: Egress,
        vault: Vault,
        settings: IdentitySettings,
    ) -> Self {
        let epochs = Arc::new(Epochs::new());
        let listener = Arc::clone(&epochs);
        changes.listen(move |change| match change {
            Change::Key(id) => listener.changed(id.0),
            Change::Grant(id) => listener.changed(id.0),
            Change::User(id) => listener.changed(id.0),
            Change::Everything => listener.everything_changed(),
            // Who somebody is does not depend on these; what a plan allows is looked up by its name.
            Change::Source(..)
            | Change::SourceHealth(..)
            | Change::Connection(_)
            | Change::Preset(..)
            | Change::Plan(_) => {}
        });
        Self(Arc::new(Inner {
            store,
            audit,
            changes,
            clock,
            vault,
            passwords: Passwords::new(&settings),
            logins: Logins::new(
                settings.login_providers.clone(),
                settings.sign_up.clone(),
                settings.base_url.clone(),
                egress,
            ),
            relying_party: RelyingParty::at(&settings.base_url),
            settings,
            refused: Cache::new(throttle::SUBJECTS_MAX as u64),
            strangers: Mutex::new(Strangers::new()),
            unrecorded: Mutex::default(),
            setup: Setup::default(),
            epochs,
            keys: Remembered::new(),
            sessions: Remembered::new(),
            grants: Remembered::new(),
        }))
    }
}

#[cfg(test)]
mod tests;
