//! Sessions of legacy callers: a small entry each, no task.
//!
//! A session is no credential. Every request is authenticated by itself, and a session answers only
//! the principal and the preset it was begun with.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::HeaderValue;

use crate::{
    clock::Ms,
    model::{PresetId, Principal, UserId},
    proxy::{
        events::Budget,
        session::{Session, Terms},
    },
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

/// Who something kept between two requests belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Person(UserId),
    Anonymous(PresetId),
}

impl Holder {
    pub(super) fn of(caller: &Principal, preset: PresetId) -> Self {
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

/// Every session.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    table: RwLock<Table>,
    budget: Budget,
}

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
        terms: Terms,
        now: Ms,
    ) -> Result<SessionId, getrandom::Error> {
        let id = SessionId::random()?;
        let holder = Holder::of(caller, preset);
        let session = Arc::new(Session::new(holder, preset, terms, &self.budget, now));
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.make_room(holder);
        table.held.entry(holder).or_default().push(id);
        table.sessions.insert(id, session);
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
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let session = table.sessions.get(&id)?;
        let is_own = session.preset == preset && session.holder == Holder::of(caller, preset);
        if !is_own || session.is_idle(now, IDLE_MAX) {
            return None;
        }
        session.used(now);
        Some(Arc::clone(session))
    }

    /// Ends a session; `false` if it is not the caller's own.
    pub(super) fn end(&self, value: &HeaderValue, caller: &Principal, preset: PresetId, now: Ms) -> bool {
        if self.find(value, caller, preset, now).is_none() {
            return false;
        }
        if let Some(id) = SessionId::parse(value) {
            self.table.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
        true
    }

    /// Ends the sessions that have not been used for [`IDLE_MAX`], and forgets what the others sent
    /// a while ago.
    pub(super) fn end_idle(&self, now: Ms) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let Table { sessions, held } = &mut *table;
        sessions.retain(|_, session| {
            let is_idle = session.is_idle(now, IDLE_MAX);
            if is_idle {
                session.ended.cancel();
            } else {
                session.events().forget_ended(now);
            }
            !is_idle
        });
        held.retain(|_, ids| {
            ids.retain(|id| sessions.contains_key(id));
            !ids.is_empty()
        });
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.table.read().unwrap_or_else(PoisonError::into_inner).sessions.len()
    }
}

impl Table {
    fn make_room(&mut self, holder: Holder) {
        while self.held.get(&holder).is_some_and(|ids| ids.len() >= holder.sessions_max()) {
            let ids = &self.held[&holder];
            let used_at =
                |id: &SessionId| self.sessions.get(id).map_or(i64::MIN, |session| session.used_at());
            let Some(oldest) = ids.iter().copied().min_by_key(used_at) else { return };
            self.remove(oldest);
            if let Some(ids) = self.held.get_mut(&holder) {
                ids.retain(|id| *id != oldest);
            }
        }
    }

    fn remove(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        session.ended.cancel();
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
    use crate::mcp::{Capabilities, Revision};

    const NOW: Ms = Ms(1_000_000_000);

    fn begin(sessions: &Sessions, preset: PresetId, now: Ms) -> HeaderValue {
        let terms = Terms {
            revision: Revision::LATEST_LEGACY,
            client: "test".into(),
            capabilities: Capabilities::default(),
        };
        sessions.begin(&Principal::Anonymous, preset, terms, now).expect("random bytes").header()
    }

    #[test]
    fn a_session_opens_only_the_preset_it_was_begun_at() {
        let (sessions, preset) = (Sessions::default(), PresetId::new());
        let id = begin(&sessions, preset, NOW);

        let session = sessions.find(&id, &Principal::Anonymous, preset, NOW).expect("it is there");
        assert!(sessions.find(&id, &Principal::Anonymous, PresetId::new(), NOW).is_none());
        assert!(!sessions.end(&id, &Principal::Anonymous, PresetId::new(), NOW));
        assert!(!session.ended.is_cancelled());
        assert!(sessions.end(&id, &Principal::Anonymous, preset, NOW));
        assert!(session.ended.is_cancelled());
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
        let listening = begin(&sessions, preset, NOW);
        let listener = sessions.find(&listening, &Principal::Anonymous, preset, NOW).expect("begun");
        let stream = listener.events().listen(0);
        let half = NOW.plus(IDLE_MAX / 2);
        let later = NOW.plus(IDLE_MAX + Duration::from_millis(1));

        assert!(sessions.find(&used, &Principal::Anonymous, preset, half).is_some());
        assert!(sessions.find(&idle, &Principal::Anonymous, preset, later).is_none());
        sessions.end_idle(later);

        assert_eq!(sessions.count(), 2);
        assert!(sessions.find(&used, &Principal::Anonymous, preset, later).is_some());
        drop(stream);
        sessions.end_idle(later);
        assert!(listener.ended.is_cancelled());
        assert_eq!(sessions.count(), 1);
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
}
