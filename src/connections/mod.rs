//! Connections: sign-ins at data sources that stay alive.
//!
//! A connection is one person's, or one organisation's own, sign-in at the issuer of one source. Its
//! tokens are sealed by the vault; the one in use is in memory as a [`Live`], which every request over a
//! link asks for its header. A token is renewed before it ends (`renew.rs`), by one process at a time,
//! and is let go of only when its issuer has refused it for good.
//!
//! Never decides whose connection a call runs with (`sources` does), and never hands a token to anybody
//! but a link. What is kept for a connection is `kept.rs`; one more member there needs no migration.

mod error;
mod kept;
mod live;
mod renew;
mod sign_in;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use uuid::Uuid;

use crate::{
    changes::{Change, Changes},
    clock::{Clock, Ms},
    egress::Egress,
    model::{
        CaCertificates, Connection, ConnectionId, ConnectionState, Member, OrgRole, SourceId, TenantId,
        UserId,
    },
    oauth::{self, OwnNames},
    policy,
    store::{Store, StoreError, Tx},
    vault::Vault,
};

pub use error::ConnectionError;
pub use live::Live;
pub use sign_in::{Begin, Going};

type Result<T, E = ConnectionError> = std::result::Result<T, E>;

/// How many connections are remembered. When there are more, all are forgotten and the ones in use come
/// back with their next call.
const LIVES_MAX: usize = 10_000;

/// Everybody's connections; cheap to clone.
#[derive(Clone)]
pub struct Connections(Arc<Inner>);

struct Inner {
    store: Store,
    vault: Vault,
    egress: Egress,
    clock: Clock,
    changes: Changes,
    names: OwnNames,
    lives: Arc<Lives>,
}

/// What is remembered, by source and person; `None` = it was looked for, and cannot be used.
type Known = HashMap<(SourceId, Uuid), Option<Arc<Live>>>;

/// The connections in use.
#[derive(Default)]
struct Lives {
    known: RwLock<Known>,
    /// Counts the changes heard of.
    generation: AtomicU64,
}

impl Lives {
    fn forget(&self, change: &Change) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Connection(source) => known.retain(|(of, _), _| of != source),
            Change::Everything => known.clear(),
            Change::Source(..)
            | Change::SourceHealth(..)
            | Change::Preset(..)
            | Change::Key(_)
            | Change::Grant(_)
            | Change::User(_)
            | Change::Plan(_) => return,
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn put(&self, key: (SourceId, Uuid), live: Option<Arc<Live>>, generation: u64) -> Option<Arc<Live>> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::SeqCst) != generation {
            return live;
        }
        if known.len() >= LIVES_MAX {
            known.clear();
        }
        // Two who looked at once have one connection after all, so that there is one link.
        known.entry(key).or_insert(live).clone()
    }
}

impl Connections {
    /// Begins with nothing remembered. `names` are our own addresses, as issuers know them.
    pub fn new(
        store: Store,
        vault: Vault,
        egress: Egress,
        clock: Clock,
        changes: Changes,
        names: OwnNames,
    ) -> Self {
        let lives = Arc::new(Lives::default());
        let heard = Arc::clone(&lives);
        changes.listen(move |change| heard.forget(change));
        Self(Arc::new(Inner { store, vault, egress, clock, changes, names, lives }))
    }

    /// Returns our own addresses, as issuers know them.
    pub fn names(&self) -> &OwnNames {
        &self.0.names
    }

    /// Returns the connection of a person, or of the organisation itself, to a source; `None` if there
    /// is none that can be used. Answers from memory once it was asked. A token that is about to end is
    /// renewed first.
    pub async fn live(
        &self,
        tenant: TenantId,
        source: SourceId,
        user: Option<UserId>,
    ) -> Result<Option<Arc<Live>>> {
        let key = (source, user.map_or(Uuid::nil(), |user| user.0));
        let known = self.0.lives.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let live = match known {
            Some(live) => live,
            None => Box::pin(self.read_live(tenant, key, user)).await?,
        };
        let Some(live) = live.filter(|live| live.tenant() == tenant) else { return Ok(None) };
        if live.is_ending(self.0.clock.now()) {
            Box::pin(self.renew_ending(&live)).await;
        }
        Ok(live.is_there().then_some(live))
    }

    async fn read_live(
        &self,
        tenant: TenantId,
        key: (SourceId, Uuid),
        user: Option<UserId>,
    ) -> Result<Option<Arc<Live>>> {
        let generation = self.0.lives.generation.load(Ordering::SeqCst);
        let row = self.0.store.read(tenant).await?.find_connection_of(key.0, user).await?;
        let live = match row {
            Some(row) if row.connection.state == ConnectionState::Active => {
                let kept = kept::open(&self.0.vault, &row)?;
                Some(Arc::new(Live::new(Arc::downgrade(&self.0), &row.connection, &kept)?))
            }
            _ => None,
        };
        Ok(self.0.lives.put(key, live, generation))
    }

    /// Returns the connection of a person, or of the organisation itself, to a source, and notes that
    /// it is wanted if there is none.
    pub async fn want(&self, tenant: TenantId, source: SourceId, user: Option<UserId>) -> Result<Connection> {
        if let Some(row) = self.0.store.read(tenant).await?.find_connection_of(source, user).await? {
            return Ok(row.connection);
        }
        let mut tx = self.0.store.tenant(tenant).await?;
        let row = tx.want_connection(source, user, self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(row.connection)
    }

    /// Returns the connections a person sees: those of their organisation itself, if they may, and their
    /// own, to sources of any organisation.
    pub async fn list(&self, member: &Member) -> Result<Vec<Connection>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut all = self.0.store.read(permit.tenant()).await?.list_own_connections().await?;
        all.extend(self.0.store.system_read().await?.list_connections_of(member.user).await?);
        Ok(all)
    }

    /// Finds a connection that this person sees.
    pub async fn find(&self, member: &Member, id: ConnectionId) -> Result<Option<Connection>> {
        let permit = policy::may_see(member, member.tenant)?;
        let row = self.0.store.system_read().await?.find_connection(id).await?;
        let is_seen = |connection: &Connection| match connection.user {
            Some(user) => user == member.user,
            None => connection.tenant == permit.tenant(),
        };
        Ok(row.map(|row| row.connection).filter(is_seen))
    }

    /// Ends a connection: its tokens are given back, where the issuer takes them, and forgotten. The
    /// connection is wanted again.
    pub async fn disconnect(&self, member: &Member, id: ConnectionId) -> Result<Connection> {
        let connection = self.managed(member, id).await?;
        let mut tx = self.0.store.tenant(connection.tenant).await?;
        let row = tx.find_connection(id).await?.ok_or(ConnectionError::NotFound)?;
        tx.remove_connection(id).await?;
        self.commit(tx, connection.source).await?;
        if row.sealed.is_some() {
            let kept = kept::open(&self.0.vault, &row)?;
            let token = kept.refresh.as_ref().unwrap_or(&kept.access);
            let egress = self.door_of(connection.source).await?;
            if let Err(error) = oauth::revoke(&egress, &kept.issuer, &kept.client, token).await {
                tracing::info!(connection.id = %id, %error, "an issuer did not take a token back");
            }
        }
        Ok(connection)
    }

    /// Returns the door to a source and its issuer, which trusts whom the source's owner does.
    async fn door_of(&self, source: SourceId) -> Result<Egress> {
        let found = self.0.store.system_read().await?.find_source(source).await?;
        Ok(self.door(found.and_then(|(source, _)| source.ca_certificates).as_ref()))
    }

    fn door(&self, trusted: Option<&CaCertificates>) -> Egress {
        self.0.egress.trusting(CaCertificates::all(trusted))
    }

    /// Returns a connection that this person may change.
    async fn managed(&self, member: &Member, id: ConnectionId) -> Result<Connection> {
        let connection = self.find(member, id).await?.ok_or(ConnectionError::NotFound)?;
        match connection.user {
            Some(_) => drop(policy::may_use_account(member)?),
            None => drop(policy::may_manage(member, connection.tenant, OrgRole::Admin)?),
        }
        Ok(connection)
    }

    /// Removes what nobody can go on with any more; called by a background job.
    pub async fn remove_late(&self) -> Result<()> {
        let mut tx = self.0.store.system().await?;
        tx.remove_late_sign_ins(self.0.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Makes a transaction hold and has everybody forget the connections to a source, also when the
    /// caller goes away meanwhile.
    async fn commit(&self, tx: Tx, source: SourceId) -> Result<(), StoreError> {
        self.0.changes.announce_after(Change::Connection(source), tx.commit()).await
    }

    fn now(&self) -> Ms {
        self.0.clock.now()
    }
}
