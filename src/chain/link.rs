//! One event in its place.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::model::RunEvent;

/// A SHA-256.
pub type Hash = [u8; 32];
/// What makes the hash of a part one that nobody guesses.
pub type Salt = [u8; 16];

/// What the first event of a chain names as the hash before it.
pub const FIRST_PREV: Hash = [0; 32];

/// A part of an event that may be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is there, hashed with this salt.
    Kept(Salt),
    /// It was erased; this was its hash.
    Erased(Hash),
}

/// How an event was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a whole, as all were before parts of them could be erased.
    Whole,
    /// As a whole, and then something of it was erased: nobody can say whether the rest is as it was, only that an event
    /// with this hash stood here.
    Blank,
    /// With the hashes of two parts in place of what they hold.
    Parted {
        /// Who it was and from where: account, name, key, address, client, digest of the arguments, id of the request.
        who: Part,
        /// What it was done to and why it ended so, in words, which may name people.
        what: Part,
    },
}

impl Form {
    /// Returns the form and the hash of an event that comes behind the one with this hash.
    pub fn of(seq: i64, prev: &Hash, event: &RunEvent) -> (Self, Hash) {
        let (who, what) = (Part::Kept(new_salt()), Part::Kept(new_salt()));
        (Self::Parted { who, what }, parted(seq, prev, event, [&who, &what]))
    }
}

/// An event in its place in the chain of its organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1 on without gaps.
    pub seq: i64,
    /// The hash of the event before.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// How that was made.
    pub form: Form,
    /// The event; what was erased of it is empty.
    pub event: RunEvent,
}

impl Link {
    /// Puts an event behind the one with this hash.
    pub fn new(seq: i64, prev: Hash, event: RunEvent) -> Self {
        let (form, hash) = Form::of(seq, &prev, &event);
        Self { seq, prev, hash, form, event }
    }

    /// Returns the hash that belongs to what it holds; `None` if that cannot be said any more.
    pub fn expected(&self) -> Option<Hash> {
        let Self { seq, prev, form, event, .. } = self;
        match form {
            Form::Whole => Some(whole(*seq, prev, event)),
            Form::Blank => None,
            Form::Parted { who, what } => Some(parted(*seq, prev, event, [who, what])),
        }
    }

    /// Says whether something of it was erased.
    pub fn is_erased(&self) -> bool {
        match self.form {
            Form::Whole => false,
            Form::Blank => true,
            Form::Parted { who, what } => [who, what].iter().any(|part| matches!(part, Part::Erased(_))),
        }
    }

    /// Says whether an erased part holds something, which was then written into it afterwards.
    pub fn is_filled_in(&self) -> bool {
        let Form::Parted { who, what } = self.form else { return false };
        (matches!(who, Part::Erased(_)) && self.event.names_somebody())
            || (matches!(what, Part::Erased(_)) && self.event.says_something())
    }

    /// Erases who it was, what it was done to, or both.
    pub fn erase(&mut self, erase_who: bool, erase_what: bool) {
        match &mut self.form {
            Form::Whole | Form::Blank => self.form = Form::Blank,
            Form::Parted { who, what } => {
                if let (true, Part::Kept(salt)) = (erase_who, &*who) {
                    *who = Part::Erased(who_hash(salt, &self.event));
                }
                if let (true, Part::Kept(salt)) = (erase_what, &*what) {
                    *what = Part::Erased(what_hash(salt, &self.event));
                }
            }
        }
        if erase_who {
            self.event.forget_who();
        }
        if erase_what {
            self.event.forget_what();
        }
    }
}

/// Makes a salt: 122 random bits, of which nobody guesses one.
fn new_salt() -> Salt {
    Uuid::new_v4().into_bytes()
}

/// Hashes members. Each is led by its length, so that no two different events give the same bytes. What is hashed in
/// which order is part of what is stored: it never changes.
struct Hasher(Sha256);

impl Hasher {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn member(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn texts(&mut self, texts: &[&str]) {
        texts.iter().for_each(|text| self.member(text.as_bytes()));
    }

    fn id(&mut self, id: Option<impl Into<Uuid>>) {
        match id {
            Some(id) => self.member(id.into().as_bytes()),
            None => self.member(&[]),
        }
    }

    fn number(&mut self, number: i64) {
        self.member(&number.to_be_bytes());
    }

    fn done(self) -> Hash {
        self.0.finalize().into()
    }
}

fn whole(seq: i64, prev: &Hash, event: &RunEvent) -> Hash {
    let mut hasher = Hasher::new();
    hasher.0.update(prev);
    hasher.number(seq);
    hasher.id(Some(event.tenant));
    hasher.id(Some(event.id));
    hasher.number(event.at.0);
    hasher.texts(&[event.action.word(), event.outcome.word(), &event.reason]);
    hasher.id(event.user);
    hasher.texts(&[&event.principal]);
    hasher.id(event.key);
    hasher.texts(&[&event.address, &event.client, &event.revision]);
    hasher.id(event.preset);
    hasher.texts(&[&event.preset_slug]);
    hasher.id(event.source);
    hasher.texts(&[&event.source_name, &event.subject]);
    for number in [event.duration_us, event.request_bytes, event.response_bytes] {
        hasher.number(number);
    }
    hasher.texts(&[&event.argument_digest, &event.request_id]);
    hasher.done()
}

fn parted(seq: i64, prev: &Hash, event: &RunEvent, [who, what]: [&Part; 2]) -> Hash {
    let RunEvent { tenant, id, at, action, outcome, .. } = event;
    let mut hasher = Hasher::new();
    hasher.texts(&["doorward event in parts"]);
    hasher.member(prev);
    hasher.number(seq);
    hasher.id(Some(*tenant));
    hasher.id(Some(*id));
    hasher.number(at.0);
    hasher.texts(&[action.word(), outcome.word(), &event.revision]);
    hasher.id(event.preset);
    hasher.texts(&[&event.preset_slug]);
    hasher.id(event.source);
    hasher.texts(&[&event.source_name]);
    for number in [event.duration_us, event.request_bytes, event.response_bytes] {
        hasher.number(number);
    }
    hasher.member(&hash_of(who, |salt| who_hash(salt, event)));
    hasher.member(&hash_of(what, |salt| what_hash(salt, event)));
    hasher.done()
}

fn hash_of(part: &Part, hash: impl Fn(&Salt) -> Hash) -> Hash {
    match part {
        Part::Kept(salt) => hash(salt),
        Part::Erased(hash) => *hash,
    }
}

fn who_hash(salt: &Salt, event: &RunEvent) -> Hash {
    let mut hasher = Hasher::new();
    hasher.texts(&["doorward event, who"]);
    hasher.member(salt);
    hasher.id(event.user);
    hasher.texts(&[&event.principal]);
    hasher.id(event.key);
    hasher.texts(&[&event.address, &event.client, &event.argument_digest, &event.request_id]);
    hasher.done()
}

fn what_hash(salt: &Salt, event: &RunEvent) -> Hash {
    let mut hasher = Hasher::new();
    hasher.texts(&["doorward event, what"]);
    hasher.member(salt);
    hasher.texts(&[&event.subject, &event.reason]);
    hasher.done()
}
