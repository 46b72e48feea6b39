//! Keeping tokens alive.
//!
//! A token is renewed by whoever has its turn: in one process a lock, among processes a lease in the
//! database, because a refresh token may work only once. Whoever comes later finds the new token there.
//! A refusal counts only if nobody else has renewed the token meanwhile; trouble on the way never costs
//! a token.

use std::{sync::PoisonError, time::Duration};

use futures::{StreamExt, stream};
use uuid::Uuid;

use super::{ConnectionError, Connections, Live, Result, kept, kept::Kept, live::Held};
use crate::{
    changes::Change,
    model::{Connection, ConnectionId, ConnectionState, Member, TenantId},
    oauth::{self, Challenge, Tokens},
    store::{ConnectionRow, NewConnectionToken},
    upstream::Refusal,
};

/// How long before its end a token is renewed at the latest; one that lives shorter than three times
/// that, in the last third of its life.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long a turn to renew a token lasts: longer than an issuer may take.
const LEASE: Duration = Duration::from_secs(40);
/// How long somebody waits until they look again whether another has renewed a token.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How often they do.
const LOOKS_MAX: u32 = 1000;
/// How old a token must be so that a source which does not take it is worth asking the issuer for
/// another.
const REFUSED_YOUNG: Duration = Duration::from_secs(10);
/// How many tokens are renewed in one turn of the background job, and how many at the same time.
const BATCH: i64 = 200;
const AT_ONCE: usize = 4;

impl Connections {
    /// Renews every token that ends soon, and says how many; called by a background job.
    pub async fn renew_due(&self) -> Result<usize> {
        let now = self.now();
        let due = self.0.store.system_read().await?.list_connections_to_renew(now.plus(AHEAD), BATCH).await?;
        let due: Vec<Connection> = due
            .into_iter()
            .filter(|connection| {
                let life =
                    connection.expires_at.zip(connection.renewed_at).map(|(end, begin)| end.since(begin));
                let ahead = life.map_or(AHEAD, |life| AHEAD.min(life / 3));
                connection.expires_at.is_some_and(|end| end <= now.plus(ahead))
            })
            .collect();
        let number = due.len();
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, |connection| async move {
                if let Err(error) = self.renew(connection.tenant, connection.id, connection.version).await {
                    tracing::warn!(connection.id = %connection.id, %error, "a token could not be renewed");
                }
            })
            .await;
        Ok(number)
    }

    /// Renews a token now, because somebody wants it.
    pub async fn renew_now(&self, member: &Member, id: ConnectionId) -> Result<Connection> {
        let connection = self.managed(member, id).await?;
        self.renew(connection.tenant, id, connection.version).await?;
        self.find(member, id).await?.ok_or(ConnectionError::NotFound)
    }

    /// Renews a token that is over, for a call that waits for it. What goes wrong is noted with the
    /// connection, and the token let go of for the moment if it is over.
    pub(super) async fn renew_ending(&self, live: &Live) {
        let _turn = live.renewing.lock().await;
        let Some(held) = live.held() else { return };
        if !live.is_ending(self.now()) || live.is_paused(self.now()) {
            return;
        }
        if !held.renews {
            self.break_off(
                live,
                held.version,
                "its token is over, and the issuer gave none to renew it with",
            )
            .await;
            return;
        }
        if let Err(error) = self.renew(live.tenant(), live.id(), held.version).await {
            live.pause(self.now());
            tracing::info!(connection.id = %live.id(), %error, "a token that is over could not be renewed");
        }
        self.adopt(live).await;
    }

    /// Hears that a source did not take a token. Says whether there is another one now.
    pub(super) async fn refused(&self, live: &Live, refusal: Refusal<'_>) -> bool {
        let _turn = live.renewing.lock().await;
        let Some(held) = live.held() else { return false };
        if refusal.sent.is_none_or(|sent| *sent != held.value) {
            return true;
        }
        let challenge = Challenge::read(refusal.challenge);
        if refusal.status != 401 {
            if challenge.error.as_deref() == Some("insufficient_scope")
                && let Err(error) = self.wish(live, &held, &challenge).await
            {
                tracing::warn!(connection.id = %live.id(), %error, "could not note what a source wants");
            }
            return false;
        }
        let is_young = self.now().since(held.given_at) < REFUSED_YOUNG;
        if live.is_paused(self.now()) {
            return false;
        }
        if held.renews && !is_young {
            let renewed = self.renew(live.tenant(), live.id(), held.version).await;
            self.adopt(live).await;
            return match renewed {
                Ok(()) => live.held().is_some_and(|now| now.version != held.version),
                Err(error) => {
                    live.pause(self.now());
                    tracing::info!(connection.id = %live.id(), %error, "a token that was refused could not be renewed");
                    false
                }
            };
        }
        self.break_off(live, held.version, "the source does not accept the token that its issuer gave").await;
        false
    }

    /// Takes over the token that the database has by now.
    async fn adopt(&self, live: &Live) {
        let read = async {
            let row = self.0.store.read(live.tenant()).await?.find_connection(live.id()).await?;
            match row {
                Some(row) if row.connection.state == ConnectionState::Active => {
                    live.hold(Held::new(&row.connection, &kept::open(&self.0.vault, &row)?)?);
                }
                _ => live.drop_token(),
            }
            Ok::<_, ConnectionError>(())
        };
        if let Err(error) = read.await {
            tracing::warn!(connection.id = %live.id(), %error, "a connection could not be read");
        }
    }

    /// Notes what a source wants to have been granted, so that the next sign-in asks for it.
    async fn wish(&self, live: &Live, held: &Held, challenge: &Challenge) -> Result<()> {
        let scope = challenge.scope.as_deref().unwrap_or_default();
        let mut tx = self.0.store.tenant(live.tenant()).await?;
        tx.set_connection_wish(live.id(), held.version, scope).await?;
        Ok(tx.commit().await?)
    }

    /// Notes that somebody has to sign in again.
    async fn break_off(&self, live: &Live, version: i64, why: &str) {
        live.drop_token();
        if let Err(error) = self.set_broken(live.tenant(), live.id(), version, why).await {
            tracing::warn!(connection.id = %live.id(), %error, "could not note that a connection is over");
        }
        self.0.changes.announce(Change::Connection(live.source()));
    }

    pub(super) async fn set_broken(
        &self,
        tenant: TenantId,
        id: ConnectionId,
        version: i64,
        why: &str,
    ) -> Result<bool> {
        let mut tx = self.0.store.tenant(tenant).await?;
        let noted = tx.set_connection_state(id, version, ConnectionState::Broken, why).await?;
        tx.commit().await?;
        Ok(noted)
    }

    /// Renews a token, unless it has another version than `seen` by now, or gets another while somebody
    /// else renews it.
    pub(super) async fn renew(&self, tenant: TenantId, id: ConnectionId, seen: i64) -> Result<()> {
        let Some(row) = self.take_turn(tenant, id, seen).await? else { return Ok(()) };
        let kept = match kept::open(&self.0.vault, &row) {
            Ok(kept) => kept,
            Err(error) => {
                self.give_turn_back(&row, "its tokens cannot be opened").await?;
                return Err(error);
            }
        };
        let Some(refresh) = &kept.refresh else {
            self.give_turn_back(&row, "").await?;
            return Ok(());
        };
        let egress = self.door_of(row.connection.source).await?;
        match oauth::renew(&egress, &kept.issuer, &kept.client, refresh).await {
            Ok(tokens) => {
                self.keep(&row, kept, tokens).await?;
                Ok(())
            }
            Err(error) if error.is_final() => {
                if self.set_broken(tenant, id, seen, &error.to_string()).await? {
                    self.0.changes.announce(Change::Connection(row.connection.source));
                }
                Err(error.into())
            }
            Err(error) => {
                self.give_turn_back(&row, &format!("it could not be renewed: {error}")).await?;
                Err(error.into())
            }
        }
    }

    /// Waits for the turn to renew a token; `None` if it has been renewed meanwhile, is broken, or gone.
    async fn take_turn(
        &self,
        tenant: TenantId,
        id: ConnectionId,
        seen: i64,
    ) -> Result<Option<ConnectionRow>> {
        for _ in 0..LOOKS_MAX {
            let now = self.now();
            let mut tx = self.0.store.tenant(tenant).await?;
            let Some(row) = tx.find_connection(id).await? else { return Ok(None) };
            if row.connection.version != seen || row.connection.state != ConnectionState::Active {
                return Ok(None);
            }
            if tx.lease_connection(id, seen, now, now.plus(LEASE)).await? {
                tx.commit().await?;
                return Ok(Some(row));
            }
            drop(tx);
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Ok(None)
    }

    async fn give_turn_back(&self, row: &ConnectionRow, why: &str) -> Result<()> {
        let Connection { tenant, id, version, state, .. } = row.connection;
        let mut tx = self.0.store.tenant(tenant).await?;
        tx.set_connection_state(id, version, state, why).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps renewed tokens. What the issuer did not give anew stays as it was.
    async fn keep(&self, row: &ConnectionRow, kept: Kept, tokens: Tokens) -> Result<()> {
        let Connection { tenant, id, version, .. } = row.connection;
        let now = self.now();
        let scope = tokens.scope.unwrap_or_else(|| row.connection.scope.clone());
        let kept = Kept { access: tokens.access, refresh: tokens.refresh.or(kept.refresh), ..kept };
        let sealed = kept::seal(&self.0.vault, tenant, id, &kept)?;
        let token = NewConnectionToken {
            issuer: &kept.issuer.name,
            scope: &scope,
            expires_at: tokens.lasts.map(|lasts| now.plus(lasts)),
            renews: kept.refresh.is_some(),
            at: now,
            sealed: &sealed,
        };
        let mut tx = self.0.store.tenant(tenant).await?;
        let is_kept = tx.set_connection_token(id, Some(version), token).await?;
        let kept_row = tx.find_connection(id).await?;
        tx.commit().await?;
        if let Some(row) = kept_row.filter(|_| is_kept) {
            self.hold_renewed(&row.connection, &kept)?;
        }
        Ok(())
    }

    /// Gives the new token to the links that are in use.
    fn hold_renewed(&self, renewed: &Connection, kept: &Kept) -> Result<()> {
        let key = (renewed.source, renewed.user.map_or(Uuid::nil(), |user| user.0));
        let known = self.0.lives.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(live) = known.flatten().filter(|live| live.id() == renewed.id) {
            live.hold(Held::new(renewed, kept)?);
        }
        Ok(())
    }
}
