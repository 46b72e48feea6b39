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
use uuid::Uuid;

use crate::{
    clock::Ms,
    mcp::{Capabilities, Raw, Revision, sealed::Purpose},
    model::{PresetId, Principal, ReplicaNumber, SourceId, UserId},
    proxy::{
        events::Budget,
        seal::{Bound, CannotSeal, Sealer},
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

/// How long a session is taken over by another process after it began.
pub const TAKEN_OVER_FOR: Duration = Duration::from_secs(24 * 3600);

/// The hexadecimal digits of an id, behind which its terms are sealed.
const ID_DIGITS: usize = 32;

/// Names a session: the number of the process that began it, and 96 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId(pub(super) [u8; 16]);

impl SessionId {
    pub(super) fn random(replica: ReplicaNumber) -> Result<Self, getrandom::Error> {
        let mut bits = [0; 16];
        bits[..4].copy_from_slice(&replica.to_bytes());
        getrandom::fill(&mut bits[4..])?;
        Ok(Self(bits))
    }

    fn parse(value: &HeaderValue) -> Option<Self> {
        let (digits, rest) = value.as_bytes().split_at_checked(ID_DIGITS)?;
        let mut bits = [0; 16];
        hex::decode_to_slice(digits, &mut bits).ok()?;
        rest.first().is_some_and(|dot| *dot == b'.').then_some(Self(bits))
    }

    /// Returns the process that began it.
    pub(super) fn replica(self) -> ReplicaNumber {
        ReplicaNumber::of_name(self.0)
    }

    /// Returns it as the caller carries it, with what it was begun on: another process, or the next one, can go on
    /// with it when this one is gone.
    pub(super) fn header(
        self,
        sealer: &Sealer,
        caller: &Principal,
        preset: PresetId,
        terms: &Terms,
        now: Ms,
    ) -> Result<HeaderValue, CannotSeal> {
        let digits = hex::encode(self.0);
        let capabilities = terms.capabilities.write(terms.revision);
        let fields = [terms.revision.as_str().as_bytes(), terms.client.as_bytes(), capabilities.as_bytes()];
        let expires = now.plus(TAKEN_OVER_FOR);
        let sealed = sealer.seal(&bound(caller, preset, &digits), expires, NOWHERE, &fields)?;
        Ok(HeaderValue::try_from(format!("{digits}.{sealed}")).expect("digits and Base64 are visible ASCII"))
    }

    /// Reads what the caller carries; `None` if it is not theirs at this preset, or too old.
    pub(super) fn open(
        value: &HeaderValue,
        sealer: &Sealer,
        caller: &Principal,
        preset: PresetId,
        now: Ms,
    ) -> Option<(Self, Terms)> {
        let id = Self::parse(value)?;
        let (digits, sealed) = value.to_str().ok()?.split_once('.')?;
        let opened = sealer.open(&bound(caller, preset, digits), sealed, now).ok()?;
        let [revision, client, capabilities] = opened.fields.as_slice() else { return None };
        let terms = Terms {
            revision: Revision::parse(std::str::from_utf8(revision).ok()?)?,
            client: std::str::from_utf8(client).ok()?.into(),
            capabilities: Capabilities::read(Raw::parse_bytes(capabilities).ok()?),
        };
        Some((id, terms))
    }
}

/// A session is of no data source.
const NOWHERE: SourceId = SourceId(Uuid::nil());

fn bound<'a>(caller: &'a Principal, preset: PresetId, digits: &'a str) -> Bound<'a> {
    Bound { purpose: Purpose::Session, caller, preset, method: "", subject: digits, digest: "" }
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
    /// Begins a session, or goes on with one that another process has begun: what was watched and what was sent there
    /// is lost, and two requests that come at once go on with the same one. If its holder has too many, the one unused
    /// for longest ends.
    pub(super) fn go_on(
        &self,
        id: SessionId,
        caller: &Principal,
        preset: PresetId,
        terms: Terms,
        now: Ms,
    ) -> Arc<Session> {
        let holder = Holder::of(caller, preset);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = table.sessions.get(&id) {
            return Arc::clone(session);
        }
        let session = Arc::new(Session::new(holder, preset, terms, &self.budget, now));
        table.make_room(holder);
        table.held.entry(holder).or_default().push(id);
        table.sessions.insert(id, Arc::clone(&session));
        session
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

    /// Ends a session that [`Sessions::find`] has found by this value.
    pub(super) fn end(&self, value: &HeaderValue) {
        if let Some(id) = SessionId::parse(value) {
            self.table.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
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

    fn sealer() -> Sealer {
        Sealer::new(&[zeroize::Zeroizing::new([7; 32])])
    }

    #[test]
    fn what_a_session_was_begun_on_is_read_by_another_process_for_its_caller_alone() {
        let (sealer, preset, caller) = (sealer(), PresetId::new(), &Principal::Anonymous);
        let capabilities =
            Capabilities::read(Raw::parse(r#"{"elicitation":{},"sampling":{}}"#).expect("JSON"));
        let terms = Terms { revision: Revision::LATEST_LEGACY, client: "test 1".into(), capabilities };
        let id = SessionId::random(ReplicaNumber(7)).expect("random bytes");
        let value = id.header(&sealer, caller, preset, &terms, NOW).expect("small");

        let open = |value: &HeaderValue, preset, now| SessionId::open(value, &sealer, caller, preset, now);
        let (opened, read) = open(&value, preset, NOW).expect("it is ours");

        assert!(opened == id && opened.replica() == ReplicaNumber(7));
        assert_eq!((read.revision, &*read.client), (terms.revision, "test 1"));
        assert_eq!(read.capabilities, terms.capabilities);
        assert!(open(&value, PresetId::new(), NOW).is_none());
        assert!(open(&value, preset, NOW.plus(TAKEN_OVER_FOR)).is_none());
        let other = SessionId::random(ReplicaNumber(7)).expect("random bytes");
        let text = value.to_str().expect("ASCII");
        let swapped = format!("{}{}", hex::encode(other.0), &text[ID_DIGITS..]);
        assert!(open(&HeaderValue::try_from(swapped).expect("ASCII"), preset, NOW).is_none());
        assert!(value.len() < 512, "{} bytes", value.len());
    }

    fn begin(sessions: &Sessions, preset: PresetId, now: Ms) -> HeaderValue {
        let terms = Terms {
            revision: Revision::LATEST_LEGACY,
            client: "test".into(),
            capabilities: Capabilities::default(),
        };
        let (sealer, caller) = (sealer(), &Principal::Anonymous);
        let id = SessionId::random(ReplicaNumber(7)).expect("random bytes");
        let header = id.header(&sealer, caller, preset, &terms, now).expect("small");
        sessions.go_on(id, caller, preset, terms, now);
        header
    }

    #[test]
    fn a_session_opens_only_the_preset_it_was_begun_at() {
        let (sessions, preset) = (Sessions::default(), PresetId::new());
        let id = begin(&sessions, preset, NOW);

        let session = sessions.find(&id, &Principal::Anonymous, preset, NOW).expect("it is there");
        assert!(sessions.find(&id, &Principal::Anonymous, PresetId::new(), NOW).is_none());
        assert!(!session.ended.is_cancelled());
        sessions.end(&id);
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
