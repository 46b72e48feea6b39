//! The live tail: run events as they happen, those of this process at once, and those that other processes on the same
//! database record soon after they are committed.
//!
//! Who follows an organisation remembers how far its chain was seen; what lies behind that and was not recorded here is
//! read every [`LOOK_PAUSE`], so nothing that was said can be missed and nothing is told twice. While nobody follows,
//! nothing is asked. Never decides who may read what: a [`Tail`] holds the permit.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{
    Mutex, MutexGuard,
    broadcast::{self, Receiver, Sender, error::RecvError},
};

use crate::{
    model::{RunEvent, TenantId},
    policy::AuditPermit,
    store::{Backend, ChainSpan, Store, StoreError},
};

/// How often it is looked for what other processes have recorded, while somebody follows.
pub const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// How many events a slow reader may be behind before it misses some, and how many of other processes are read of one
/// organisation in one look.
const TAIL_MAX: usize = 256;

/// What a tail tells.
#[derive(Clone, Debug)]
pub enum Told {
    /// Something happened.
    Event(Arc<RunEvent>),
    /// So many events came too fast to be told.
    Missed(u64),
}

/// The events of one organisation that its reader may see, from here on.
#[derive(Debug)]
pub struct Tail {
    permit: AuditPermit,
    own: Receiver<Arc<RunEvent>>,
    /// What other processes record; `None` = there can be none.
    others: Option<Receiver<Told>>,
}

impl Tail {
    /// Waits for what is told next; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            let told = tokio::select! {
                event = self.own.recv() => event.map(Told::Event),
                told = receive(self.others.as_mut()) => told,
            };
            match told {
                Ok(Told::Event(event)) if !self.permit.shows(&event) => {}
                Ok(told) => return Some(told),
                Err(RecvError::Lagged(missed)) => return Some(Told::Missed(missed)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

async fn receive(from: Option<&mut Receiver<Told>>) -> Result<Told, RecvError> {
    match from {
        Some(from) => from.recv().await,
        None => std::future::pending().await,
    }
}

/// Who follows what.
pub(super) struct Tails {
    /// Everything this process records.
    own: Sender<Arc<RunEvent>>,
    followed: Mutex<HashMap<TenantId, Followed>>,
    is_any_followed: AtomicBool,
}

/// An organisation that somebody follows here.
pub(super) struct Followed {
    tails: Sender<Told>,
    /// The number of the last event that was seen.
    seen: i64,
    /// Which of those behind it this process has recorded, and told.
    own: Vec<ChainSpan>,
}

/// Events of one organisation that are to be told.
struct Due {
    tenant: TenantId,
    tails: Sender<Told>,
    behind: i64,
    last: i64,
    own: Vec<ChainSpan>,
}

impl Tails {
    pub(super) fn new() -> Self {
        let own = broadcast::channel(TAIL_MAX).0;
        Self { own, followed: Mutex::default(), is_any_followed: AtomicBool::new(false) }
    }

    /// Tells what this process has recorded.
    pub(super) fn tell(&self, event: &Arc<RunEvent>) {
        if self.own.receiver_count() > 0 {
            let _ = self.own.send(Arc::clone(event));
        }
    }

    /// Follows what this process records in every organisation.
    pub(super) fn all_of_own(&self) -> Receiver<Arc<RunEvent>> {
        self.own.subscribe()
    }

    /// Begins to follow an organisation.
    pub(super) async fn follow(&self, store: &Store, permit: AuditPermit) -> Result<Tail, StoreError> {
        if store.backend() == Backend::Sqlite {
            return Ok(Tail { permit, own: self.own.subscribe(), others: None });
        }
        let tenant = permit.tenant();
        let mut followed = self.followed.lock().await;
        // Before the first event of ours is heard, so that whoever writes it down says that it is.
        self.is_any_followed.store(true, Ordering::SeqCst);
        let own = self.own.subscribe();
        if let Some(followed) = followed.get(&tenant) {
            return Ok(Tail { permit, own, others: Some(followed.tails.subscribe()) });
        }
        let end = store.system_read().await?.find_chain_end(tenant).await?;
        // With room for how many were missed.
        let (tails, others) = broadcast::channel(TAIL_MAX + 1);
        let seen = end.map_or(0, |end| end.seq);
        followed.insert(tenant, Followed { tails, seen, own: Vec::new() });
        Ok(Tail { permit, own, others: Some(others) })
    }

    /// Returns where to note what is written down, which nobody looks for until this is let go of; `None` while nobody
    /// follows anything.
    pub(super) async fn writing(&self) -> Option<Writing<'_>> {
        if !self.is_any_followed.load(Ordering::SeqCst) {
            return None;
        }
        Some(Writing(self.followed.lock().await))
    }

    /// Tells what other processes have recorded since the last look.
    pub(super) async fn look(&self, store: &Store) -> Result<(), StoreError> {
        if !self.is_any_followed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut looked = Ok(());
        for due in self.due(store).await? {
            looked = looked.and(due.tell(store).await);
        }
        looked
    }

    async fn due(&self, store: &Store) -> Result<Vec<Due>, StoreError> {
        let mut followed = self.followed.lock().await;
        followed.retain(|_, followed| followed.tails.receiver_count() > 0);
        self.is_any_followed.store(!followed.is_empty(), Ordering::SeqCst);
        if followed.is_empty() {
            return Ok(Vec::new());
        }
        let tenants: Vec<TenantId> = followed.keys().copied().collect();
        let mut due = Vec::new();
        for (tenant, last) in store.system_read().await?.list_last_numbers(&tenants).await? {
            if let Some(followed) = followed.get_mut(&tenant).filter(|followed| followed.seen < last) {
                let behind = std::mem::replace(&mut followed.seen, last);
                let own = std::mem::take(&mut followed.own);
                due.push(Due { tenant, tails: followed.tails.clone(), behind, last, own });
            }
        }
        Ok(due)
    }
}

/// What is being written down.
pub(super) struct Writing<'a>(MutexGuard<'a, HashMap<TenantId, Followed>>);

impl Writing<'_> {
    /// Notes where events of this process are.
    pub(super) fn are_own(mut self, spans: &[ChainSpan]) {
        for span in spans {
            if let Some(followed) = self.0.get_mut(&span.tenant) {
                followed.own.push(*span);
            }
        }
    }
}

impl Due {
    /// Tells how many of what others recorded are too many, and the newest.
    async fn tell(self, store: &Store) -> Result<(), StoreError> {
        let from = self.behind.max(self.last - TAIL_MAX as i64);
        let newest =
            if self.of_others(from, self.last) > 0 { self.read(store, from).await } else { Ok(Vec::new()) };
        // What cannot be read is missed, too.
        let missed = self.of_others(self.behind, if newest.is_ok() { from } else { self.last });
        // Nobody who follows any more is not a failure.
        if missed > 0 {
            let _ = self.tails.send(Told::Missed(missed));
        }
        for event in newest? {
            let _ = self.tails.send(Told::Event(Arc::new(event)));
        }
        Ok(())
    }

    async fn read(&self, store: &Store, behind: i64) -> Result<Vec<RunEvent>, StoreError> {
        let links = store.read(self.tenant).await?.list_links(behind, self.last, TAIL_MAX as i64).await?;
        let of_others = links.into_iter().filter(|link| !self.own.iter().any(|own| own.holds(link.seq)));
        Ok(of_others.map(|link| link.event).collect())
    }

    /// Returns how many events behind this number and up to that one other processes have recorded.
    fn of_others(&self, behind: i64, last: i64) -> u64 {
        let own = |span: &ChainSpan| (span.last.min(last) - span.first.max(behind + 1) + 1).max(0);
        let others = last - behind - self.own.iter().map(own).sum::<i64>();
        u64::try_from(others).unwrap_or(0)
    }
}
