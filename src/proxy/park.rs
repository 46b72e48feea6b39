//! Calls of legacy sources that wait while a modern caller, who holds no stream, answers what the
//! source has asked.
//!
//! A parked call lives in memory under a random name, which the caller carries sealed in
//! `requestState`. It is taken out once. When nobody comes in time, when the caller loses the right
//! to come, or when the gateway ends, the source is told that its questions are cancelled, and the
//! call is given up.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    mcp::{codes, translate::Ask},
    proxy::{
        Proxy,
        dialogue::{CALL_QUESTIONS_MAX, Question, refused, unanswered},
        leave::Leave,
        running::Running,
        sessions::Holder,
    },
    upstream::{Event, UpstreamError},
};

/// How long a call waits for its caller.
pub const PARKED_FOR_MAX: Duration = Duration::from_secs(600);
/// How many calls may wait at once.
pub const PARKED_MAX: usize = 1024;
/// How many calls of one person, or of all anonymous callers of one preset, may wait at once.
pub const PARKED_PER_HOLDER_MAX: usize = 64;
/// How many bytes the questions of all waiting calls may have together.
pub const PARKED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a source is given to hear that nobody answers.
const FAREWELL: Duration = Duration::from_secs(5);

/// Names a parked call: the number of the process that has it, and 96 random bits.
pub(super) type Handle = [u8; 16];

/// A call that waits.
pub(super) struct Parked {
    pub(super) running: Running,
    /// What the caller was asked.
    pub(super) questions: Vec<Question>,
    /// What the source has asked since.
    pub(super) later: Vec<Question>,
    /// How many questions were asked so far.
    pub(super) keys: u32,
}

/// Every parked call.
#[derive(Default)]
pub(super) struct Park(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    slots: HashMap<Handle, Slot>,
    bytes: usize,
}

struct Slot {
    holder: Holder,
    bytes: usize,
    claim: oneshot::Sender<oneshot::Sender<Parked>>,
}

impl Park {
    /// Parks a call; `None` if there is no room. Must be called inside the runtime.
    pub(super) fn put(&self, proxy: &Proxy, leave: Leave, parked: Parked) -> Option<Handle> {
        let mut handle = Handle::default();
        handle[..4].copy_from_slice(&proxy.0.replicas.own().to_bytes());
        getrandom::fill(&mut handle[4..]).ok()?;
        let holder = Holder::of(leave.permit.caller(), leave.permit.preset());
        let bytes = parked.questions.iter().map(|question| question.params.len()).sum();
        let (claim, claimed) = oneshot::channel();
        let mut park = self.lock();
        let of_holder = park.slots.values().filter(|slot| slot.holder == holder).count();
        if park.slots.len() >= PARKED_MAX
            || of_holder >= PARKED_PER_HOLDER_MAX
            || park.bytes + bytes > PARKED_BYTES_MAX
        {
            return None;
        }
        park.bytes += bytes;
        park.slots.insert(handle, Slot { holder, bytes, claim });
        drop(park);
        let proxy = proxy.clone();
        tokio::spawn(async move { tend(proxy, handle, leave, parked, claimed).await });
        Some(handle)
    }

    /// Takes a parked call out; `None` if there is none of this name.
    pub(super) async fn take(&self, handle: Handle) -> Option<Parked> {
        let slot = self.remove(handle)?;
        let (sender, receiver) = oneshot::channel();
        slot.claim.send(sender).ok()?;
        receiver.await.ok()
    }

    /// Returns how many calls wait.
    pub(super) fn count(&self) -> usize {
        self.lock().slots.len()
    }

    fn remove(&self, handle: Handle) -> Option<Slot> {
        let mut park = self.lock();
        let slot = park.slots.remove(&handle)?;
        park.bytes -= slot.bytes;
        Some(slot)
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a call alive until it is taken out or given up.
async fn tend(
    proxy: Proxy,
    handle: Handle,
    leave: Leave,
    mut parked: Parked,
    mut claimed: oneshot::Receiver<oneshot::Sender<Parked>>,
) {
    let withdrawn = leave.withdrawn(&proxy);
    let late = tokio::time::sleep(proxy.0.patience.parked);
    tokio::pin!(withdrawn, late);
    let reason = loop {
        tokio::select! {
            biased;
            claim = &mut claimed => {
                if let Ok(claim) = claim {
                    // Whoever asked may have gone away: then nobody is left to go on.
                    let _ = claim.send(parked);
                }
                return;
            }
            () = &mut late => break "nobody answered in time",
            () = &mut withdrawn => break "the caller may not use the preset any more",
            () = proxy.0.drained.cancelled() => break "the gateway ends",
            event = parked.running.next() => hear(&mut parked, event).await,
        }
    };
    if proxy.0.park.remove(handle).is_none() {
        // It is being taken out in this very moment.
        if let Ok(claim) = claimed.await {
            let _ = claim.send(parked);
        }
        return;
    }
    tracing::info!(preset.slug = %leave.table.preset.slug, reason, "gave up a call that waited for answers: {reason}");
    let farewell = async {
        for question in parked.questions.iter().chain(&parked.later) {
            let _ = parked.running.reply(&question.id, unanswered(question.ask)).await;
        }
    };
    // Dropping the call tells the source in its own way.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// Takes note of what a source says while its call waits. Notifications have no listener.
async fn hear(parked: &mut Parked, event: Result<Event, UpstreamError>) {
    match event {
        Ok(Event::Notification { .. }) => {}
        Ok(Event::Question { id, method, params, revision }) => {
            let is_full = parked.questions.len() + parked.later.len() >= CALL_QUESTIONS_MAX;
            match Ask::parse(&method).filter(|_| !is_full) {
                Some(ask) => parked.later.push(Question { id, ask, params, revision, key: String::new() }),
                None => {
                    let refusal = refused(codes::METHOD_NOT_FOUND, "nobody is there to be asked");
                    let _ = parked.running.reply(&id, refusal).await;
                }
            }
        }
        Ok(Event::Withdrawn { id }) => {
            parked.questions.retain(|question| question.id != id);
            parked.later.retain(|question| question.id != id);
        }
        end => {
            let end = end.map(|event| match event {
                Event::Reply(reply) => reply,
                Event::Notification { .. } | Event::Question { .. } | Event::Withdrawn { .. } => {
                    unreachable!("the arms before take them")
                }
            });
            parked.running = Running::Ended(Some(end));
        }
    }
}
