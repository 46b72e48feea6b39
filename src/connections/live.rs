//! A connection in use: the token that requests are sent with at this moment.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use url::Url;
use zeroize::Zeroizing;

use super::{ConnectionError, Connections, Inner, Result, kept::Kept};
use crate::{
    clock::Ms,
    model::{Connection, ConnectionId, SourceId, TenantId},
    upstream::{Lane, Refusal, Tokens},
};

/// How long before its end a token is not begun to be used any more.
const MARGIN: Duration = Duration::from_secs(5);

/// How long after a failure a call does not try to renew a token again.
const PAUSE: Duration = Duration::from_secs(10);

/// A connection in use. Its token changes in place, so that links live on.
pub struct Live {
    room: Weak<Inner>,
    id: ConnectionId,
    tenant: TenantId,
    source: SourceId,
    /// The source's address that the tokens are for.
    url: Url,
    held: ArcSwapOption<Held>,
    /// Until when nobody is asked to renew it, because that has just failed.
    paused_until: AtomicI64,
    /// Held by whoever renews it.
    pub(super) renewing: tokio::sync::Mutex<()>,
}

/// A token.
pub(super) struct Held {
    pub(super) value: HeaderValue,
    pub(super) ends_at: Option<Ms>,
    pub(super) given_at: Ms,
    pub(super) renews: bool,
    pub(super) version: i64,
}

impl Held {
    pub(super) fn new(connection: &Connection, kept: &Kept) -> Result<Self> {
        let text = Zeroizing::new(format!("Bearer {}", kept.access.expose()));
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| ConnectionError::Damaged { id: connection.id })?;
        value.set_sensitive(true);
        Ok(Self {
            value,
            ends_at: connection.expires_at,
            given_at: connection.renewed_at.unwrap_or(connection.created_at),
            renews: connection.renews,
            version: connection.version,
        })
    }
}

impl Live {
    pub(super) fn new(room: Weak<Inner>, connection: &Connection, kept: &Kept) -> Result<Self> {
        let held = Held::new(connection, kept)?;
        Ok(Self {
            room,
            id: connection.id,
            tenant: connection.tenant,
            source: connection.source,
            url: kept.url.clone(),
            held: ArcSwapOption::from_pointee(held),
            paused_until: AtomicI64::new(0),
            renewing: tokio::sync::Mutex::default(),
        })
    }

    /// Returns the connection's name.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Says whether its tokens are for this address of the source.
    pub fn is_for(&self, url: &Url) -> bool {
        self.url == *url
    }

    /// Returns the lane of links that requests with its tokens go over.
    pub fn lane(self: &Arc<Self>) -> Lane {
        Lane { id: self.id.0, tokens: Arc::clone(self) as Arc<dyn Tokens> }
    }

    pub(super) fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn source(&self) -> SourceId {
        self.source
    }

    pub(super) fn held(&self) -> Option<Arc<Held>> {
        self.held.load_full()
    }

    pub(super) fn hold(&self, held: Held) {
        self.held.store(Some(Arc::new(held)));
    }

    /// Lets go of the token: it is worth nothing any more.
    pub(super) fn drop_token(&self) {
        self.held.store(None);
    }

    /// Notes that it could not be renewed, so that not every call tries.
    pub(super) fn pause(&self, now: Ms) {
        self.paused_until.store(now.plus(PAUSE).0, Ordering::Relaxed);
    }

    /// Says whether it could not be renewed a moment ago.
    pub(super) fn is_paused(&self, now: Ms) -> bool {
        now.0 < self.paused_until.load(Ordering::Relaxed)
    }

    /// Says whether there is a token.
    pub(super) fn is_there(&self) -> bool {
        self.held.load().is_some()
    }

    /// Says whether the token is over, or as good as.
    pub(super) fn is_ending(&self, now: Ms) -> bool {
        let held = self.held.load();
        held.as_ref().is_some_and(|held| held.ends_at.is_some_and(|end| end <= now.plus(MARGIN)))
    }
}

impl Tokens for Live {
    fn current(&self) -> Option<HeaderValue> {
        self.held.load().as_ref().map(|held| held.value.clone())
    }

    fn refused<'a>(&'a self, refusal: Refusal<'a>) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let Some(room) = self.room.upgrade() else { return false };
            Connections(room).refused(self, refusal).await
        })
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").field("id", &self.id).finish_non_exhaustive()
    }
}
