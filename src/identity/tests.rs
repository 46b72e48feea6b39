//! What the room promises, on real databases. The pure parts are tested beside their code.

use std::{num::NonZeroUsize, time::Duration};

use super::*;
use crate::{
    egress::{EgressLimits, EgressPolicy},
    metrics::Metrics,
    model::{Action, ApiKey, OrgRole, Outcome, Plan, PresetId, RunEvent, User, Via},
    policy::{self, AdminPermit, Denied},
    store::testing::{TestStore, store_test},
    vault::KeySource,
};

mod accounts;
mod api_keys;
mod passkeys;
mod signing_in;
mod soft_passkey;

const NOW: Ms = Ms(1_795_233_963_183);
const PASSWORD: &str = "correct horse battery";

struct Scene {
    /// Keeps the database until the test ends.
    _test: Option<TestStore>,
    store: Store,
    clock: Clock,
    vault: Vault,
    changes: Changes,
    identity: Identity,
    events: tokio::sync::broadcast::Receiver<Arc<RunEvent>>,
}

impl Scene {
    /// Begins before anybody has an account.
    async fn fresh() -> Self {
        let test = TestStore::sqlite().await;
        let scene = Self::on(&test.store).await;
        Self { _test: Some(test), ..scene }
    }

    /// Begins on this database, before anybody has an account.
    async fn on(store: &Store) -> Self {
        let key = Secret::new("6f1c0a9be2d4873550ffb3c7a8e91d247b6a0c5e9f8d3b2a1476cde8950f3a2b");
        let vault = Vault::open(store.clone(), KeySource::Settings(key)).await.unwrap();
        let clock = Clock::manual(NOW);
        let audit = Audit::new(store.clone(), Metrics::new(store.clone()));
        let events = audit.tail();
        let changes = Changes::new();
        let identity = Identity::new(
            store.clone(),
            audit,
            changes.clone(),
            clock.clone(),
            egress(),
            vault.clone(),
            cheap_settings(),
        );
        Self { _test: None, store: store.clone(), clock, vault, changes, identity, events }
    }

    /// Begins with the owner `ada`, signed in.
    async fn with_owner() -> (Self, NewSession) {
        let mut scene = Self::fresh().await;
        let owner = scene.create_owner().await.unwrap();
        scene.events();
        (scene, owner)
    }

    /// Makes what another replica of the program would have.
    fn replica(&self) -> Identity {
        self.replica_on(self.store.clone())
    }

    /// Makes what another process would have that opened the database as this store.
    fn replica_on(&self, store: Store) -> Identity {
        let audit = Audit::new(store.clone(), Metrics::new(store.clone()));
        Identity::new(
            store,
            audit,
            Changes::new(),
            self.clock.clone(),
            egress(),
            self.vault.clone(),
            cheap_settings(),
        )
    }

    async fn create_owner(&self) -> Result<NewSession, IdentityError> {
        let token = self.identity.setup_token().await.unwrap().unwrap_or_default();
        let (handle, email) = (handle("ada"), email("ada@example.org"));
        self.identity.create_owner(&token, &handle, &email, Secret::new(PASSWORD), &origin(1)).await
    }

    async fn sign_in(&self, login: &str, password: &str) -> Result<NewSession, IdentityError> {
        self.identity.sign_in(login, Secret::new(password), &origin(1)).await
    }

    async fn member(&self, session: &NewSession) -> Option<Arc<Member>> {
        self.identity.find_session(session.cookie.expose()).await.unwrap()
    }

    async fn key(&self, member: &Member) -> (ApiKey, Secret) {
        self.identity.create_key(member, new_key()).await.unwrap()
    }

    async fn add_user(&self, name: &str) -> User {
        let new = NewUser {
            handle: handle(name),
            email: email(&format!("{name}@example.org")),
            password: Secret::new(PASSWORD),
            role: InstanceRole::Member,
            plan: None,
        };
        self.identity.add_user(&policy::operator_at_the_shell(), new).await.unwrap()
    }

    /// Returns what will be recorded from here on, whole.
    fn recent(&self) -> tokio::sync::broadcast::Receiver<Arc<RunEvent>> {
        self.events.resubscribe()
    }

    /// Returns what was recorded since the last time.
    fn events(&mut self) -> Vec<(Action, Outcome, String)> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .map(|event| (event.action, event.outcome, event.principal.clone()))
            .collect()
    }
}

fn egress() -> Egress {
    Egress::new(EgressPolicy::default(), EgressLimits::default())
}

fn cheap_settings() -> IdentitySettings {
    IdentitySettings {
        password_cost: PasswordCost { memory_kib: 64, passes: 1, lanes: 1 },
        hashes_at_once: NonZeroUsize::MIN,
        ..IdentitySettings::default()
    }
}

fn new_key() -> NewKey {
    NewKey { name: "agent".into(), scope: KeyScope::Everything, expires_at: None, rate: None }
}

fn admin(session: &NewSession) -> AdminPermit {
    policy::may_administer(&session.member).unwrap()
}

fn handle(text: &str) -> Handle {
    Handle::parse(text).unwrap()
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn origin(n: u8) -> Origin {
    Origin { address: [192, 0, 2, n].into(), user_agent: "test\u{7}browser".into(), request: None }
}
