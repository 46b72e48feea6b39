//! Sessions of legacy callers: a small entry each, no task, no channel.
//!
//! A session is no credential. Every request is authenticated by itself, and a session answers only
//! the principal and the preset it was begun with.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Ms,
    mcp::Revision,
    model::{PresetId, Principal, UserId},
};

/// How long a session may be unused.
pub const IDLE_MAX: Duration = Duration::from_secs(30 * 60);

/// How many sessions one person may have. Beyond that the one unused for longest ends: clients
/// rarely end theirs.
pub const PER_PERSON_MAX: usize = 2048;

/// How many sessions anonymous callers may have at one preset, all together.
pub const PER_PUBLIC_PRESET_MAX: usize = 8192;

/// Names a session: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId([u8; 16]);

impl SessionId {
    fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        Ok(Self(bits))
    }

    fn parse(value: &HeaderValue) -> Option<Self> {
        let mut bits = [0; 16];
        hex::decode_to_slice(value.as_bytes(), &mut bits).ok()?;
        Some(Self(bits))
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_str(&hex::encode(self.0)).expect("hexadecimal is visible ASCII")
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionId")
    }
}

/// Who a session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Person(UserId),
    Anonymous(PresetId),
}

impl Holder {
    fn of(caller: &Principal, preset: PresetId) -> Self {
        match caller {
            Principal::Anonymous => Self::Anonymous(preset),
            Principal::Member(member) => Self::Person(member.user),
        }
    }

    fn sessions_max(self) -> usize {
        match self {
            Self::Person(_) => PER_PERSON_MAX,
            Self::Anonymous(_) => PER_PUBLIC_PRESET_MAX,
        }
    }
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    holder: Holder,
    preset: PresetId,
    /// The revision agreed on.
    pub(super) revision: Revision,
    /// What the caller's program calls itself.
    pub(super) client: Box<str>,
    used_at: AtomicI64,
    calls: Mutex<Vec<OpenCall>>,
    calls_begun: AtomicU64,
}

/// A call that a notification may cancel.
#[derive(Debug)]
struct OpenCall {
    /// The caller's id as JSON, so that `1` is not `"1"`.
    id: Box<str>,
    number: u64,
    cancel: CancellationToken,
}

/// How many calls of one session may run at once.
pub const OPEN_CALLS_MAX: usize = 256;

impl Session {
    fn calls(&self) -> MutexGuard<'_, Vec<OpenCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a call, so that it can be cancelled; `None` if too many run.
    pub(super) fn begin_call(self: &Arc<Self>, id: &str) -> Option<CallEntry> {
        let mut calls = self.calls();
        if calls.len() >= OPEN_CALLS_MAX {
            return None;
        }
        let number = self.calls_begun.fetch_add(1, Ordering::Relaxed);
        let cancel = CancellationToken::new();
        calls.push(OpenCall { id: id.into(), number, cancel: cancel.clone() });
        drop(calls);
        Some(CallEntry { session: Arc::clone(self), number, cancel })
    }

    /// Cancels the calls of this id. An id nobody knows is one whose answer is on its way.
    pub(super) fn cancel(&self, id: &str) {
        for call in self.calls().iter().filter(|call| *call.id == *id) {
            call.cancel.cancel();
        }
    }
}

/// A call's place in its session; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct CallEntry {
    session: Arc<Session>,
    number: u64,
    cancel: CancellationToken,
}

impl CallEntry {
    /// Waits until the caller cancels the call.
    pub(super) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}

impl Drop for CallEntry {
    fn drop(&mut self) {
        self.session.calls().retain(|call| call.number != self.number);
    }
}

/// Every session.
#[derive(Debug, Default)]
pub(super) struct Sessions(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<SessionId, Arc<Session>>,
    held: HashMap<Holder, Vec<SessionId>>,
}

impl Sessions {
    /// Begins a session. If its holder has too many, the one unused for longest ends.
    pub(super) fn begin(
        &self,
        caller: &Principal,
        preset: PresetId,
        revision: Revision,
        client: Box<str>,
        now: Ms,
    ) -> Result<SessionId, getrandom::Error> {
        let id = SessionId::random()?;
        let holder = Holder::of(caller, preset);
        let session = Session {
            holder,
            preset,
            revision,
            client,
            used_at: AtomicI64::new(now.0),
            calls: Mutex::default(),
            calls_begun: AtomicU64::new(0),
        };
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table.make_room(holder);
        table.held.entry(holder).or_default().push(id);
        table.sessions.insert(id, Arc::new(session));
        Ok(id)
    }

    /// Returns the session a request names, if it is the caller's own at this preset and still
    /// alive.
    pub(super) fn find(
        &self,
        value: &HeaderValue,
        caller: &Principal,
        preset: PresetId,
        now: Ms,
    ) -> Option<Arc<Session>> {
        let id = SessionId::parse(value)?;
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let session = table.sessions.get(&id)?;
        let is_own = session.preset == preset && session.holder == Holder::of(caller, preset);
        if !is_own || is_idle(session, now) {
            return None;
        }
        session.used_at.store(now.0, Ordering::Relaxed);
        Some(Arc::clone(session))
    }

    /// Ends a session; `false` if it is not the caller's own.
    pub(super) fn end(&self, value: &HeaderValue, caller: &Principal, preset: PresetId, now: Ms) -> bool {
        let Some(session) = self.find(value, caller, preset, now) else { return false };
        if let Some(id) = SessionId::parse(value) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
        for call in session.calls().iter() {
            call.cancel.cancel();
        }
        true
    }

    /// Ends the sessions that have not been used for [`IDLE_MAX`].
    pub(super) fn end_idle(&self, now: Ms) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Table { sessions, held } = &mut *table;
        sessions.retain(|_, session| !is_idle(session, now));
        held.retain(|_, ids| {
            ids.retain(|id| sessions.contains_key(id));
            !ids.is_empty()
        });
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).sessions.len()
    }
}

/// A session with a call under way is in use, however long that takes.
fn is_idle(session: &Session, now: Ms) -> bool {
    now.since(Ms(session.used_at.load(Ordering::Relaxed))) > IDLE_MAX && session.calls().is_empty()
}

impl Table {
    fn make_room(&mut self, holder: Holder) {
        while self.held.get(&holder).is_some_and(|ids| ids.len() >= holder.sessions_max()) {
            let ids = &self.held[&holder];
            let used_at = |id: &SessionId| {
                self.sessions.get(id).map_or(i64::MIN, |session| session.used_at.load(Ordering::Relaxed))
            };
            let Some(oldest) = ids.iter().copied().min_by_key(used_at) else { return };
            self.remove(oldest);
            if let Some(ids) = self.held.get_mut(&holder) {
                ids.retain(|id| *id != oldest);
            }
        }
    }

    fn remove(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Some(ids) = self.held.get_mut(&session.holder) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.held.remove(&session.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_000_000_000);

    fn begin(sessions: &Sessions, preset: PresetId, now: Ms) -> HeaderValue {
        sessions
            .begin(&Principal::Anonymous, preset, Revision::LATEST_LEGACY, "test".into(), now)
            .expect("random bytes")
            .header()
    }

    #[test]
    fn a_session_opens_only_the_preset_it_was_begun_at() {
        let (sessions, preset) = (Sessions::default(), PresetId::new());
        let id = begin(&sessions, preset, NOW);

        assert!(sessions.find(&id, &Principal::Anonymous, preset, NOW).is_some());
        assert!(sessions.find(&id, &Principal::Anonymous, PresetId::new(), NOW).is_none());
        assert!(!sessions.end(&id, &Principal::Anonymous, PresetId::new(), NOW));
        assert!(sessions.end(&id, &Principal::Anonymous, preset, NOW));
        assert!(sessions.find(&id, &Principal::Anonymous, preset, NOW).is_none());
        assert_eq!(sessions.count(), 0);
        for wrong in ["", "x", "00", &"0".repeat(32)] {
            let wrong = HeaderValue::from_str(wrong).expect("visible");
            assert!(sessions.find(&wrong, &Principal::Anonymous, preset, NOW).is_none());
        }
    }

    #[test]
    fn an_idle_session_ends_and_a_used_one_stays() {
        let (sessions, preset) = (Sessions::default(), PresetId::new());
        let (idle, used) = (begin(&sessions, preset, NOW), begin(&sessions, preset, NOW));
        let half = NOW.plus(IDLE_MAX / 2);
        let later = NOW.plus(IDLE_MAX + Duration::from_millis(1));

        assert!(sessions.find(&used, &Principal::Anonymous, preset, half).is_some());
        assert!(sessions.find(&idle, &Principal::Anonymous, preset, later).is_none());
        sessions.end_idle(later);

        assert_eq!(sessions.count(), 1);
        assert!(sessions.find(&used, &Principal::Anonymous, preset, later).is_some());
    }

    #[test]
    fn the_session_unused_for_longest_makes_room() {
        let (sessions, preset) = (Sessions::default(), PresetId::new());
        let first = begin(&sessions, preset, NOW);
        let second = begin(&sessions, preset, Ms(NOW.0 + 1));
        for _ in 2..PER_PUBLIC_PRESET_MAX {
            begin(&sessions, preset, Ms(NOW.0 + 3));
        }
        assert!(sessions.find(&first, &Principal::Anonymous, preset, Ms(NOW.0 + 2)).is_some());

        begin(&sessions, preset, Ms(NOW.0 + 4));

        assert_eq!(sessions.count(), PER_PUBLIC_PRESET_MAX);
        assert!(sessions.find(&second, &Principal::Anonymous, preset, Ms(NOW.0 + 4)).is_none());
        assert!(sessions.find(&first, &Principal::Anonymous, preset, Ms(NOW.0 + 4)).is_some());
    }

    #[tokio::test]
    async fn a_notification_cancels_the_call_of_that_id_and_type_only() {
        let (sessions, preset) = (Sessions::default(), PresetId::new());
        let id = begin(&sessions, preset, NOW);
        let session = sessions.find(&id, &Principal::Anonymous, preset, NOW).expect("begun");
        let number = session.begin_call("1").expect("room");
        let text = session.begin_call("\"1\"").expect("room");

        session.cancel("1");

        number.cancelled().await;
        assert!(!text.cancel.is_cancelled());
        drop((number, text));
        assert!(session.calls().is_empty());
    }
}
