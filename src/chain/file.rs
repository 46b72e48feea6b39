//! The lines of a file that proves itself: how it begins, events, checkpoints, keys, how it ends.

use serde::{Deserialize, Serialize};

use super::{Checkpoint, Form, Hash, Hex, Link, Part, PublicKey};
use crate::{
    clock::Ms,
    model::{Action, ApiKeyId, EventId, Outcome, PresetId, RunEvent, SourceId, TenantId, UserId},
};

/// One line, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// The first one.
    Begin(Begin),
    /// An event in its place.
    Event(Box<EventLine>),
    /// A signature over one of the events.
    Checkpoint(Checkpoint),
    /// A key that checkpoints are signed with.
    Key {
        /// What checkpoints call it by.
        id: String,
        /// The key.
        public_key: PublicKey,
    },
    /// The last one.
    End(End),
}

/// How a file begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The version of this form of file: 1.
    pub version: u32,
    /// Whose events these are.
    pub organisation: TenantId,
    /// The handle that the organisation had.
    pub handle: String,
    /// The number of the event before the first one.
    pub behind: i64,
    /// The hash of that event.
    pub prev: Hex<32>,
}

impl Begin {
    /// The version that this program writes and reads.
    pub const VERSION: u32 = 1;

    /// Says that what follows comes behind this event.
    pub fn behind(organisation: TenantId, handle: String, seq: i64, hash: Hash) -> Self {
        Self { version: Self::VERSION, organisation, handle, behind: seq, prev: Hex(hash) }
    }
}

/// How a file ends. One that has no such line broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many events it holds.
    pub events: i64,
    /// The number of the last one.
    pub last: i64,
}

/// An event in its place, with everything its hash is of. What is empty is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    seq: i64,
    prev: Hex<32>,
    hash: Hex<32>,
    form: FormWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    who_salt: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    who_erased: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what_salt: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what_erased: Option<Hex<32>>,
    id: EventId,
    at_ms: Ms,
    action: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<ApiKeyId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    address: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    client: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preset: Option<PresetId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    preset_slug: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    source_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subject: String,
    duration_us: i64,
    request_bytes: i64,
    response_bytes: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    argument_digest: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    request_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FormWord {
    Whole,
    Blank,
    Parted,
}

impl From<&Link> for EventLine {
    fn from(link: &Link) -> Self {
        let (form, who, what) = match link.form {
            Form::Whole => (FormWord::Whole, None, None),
            Form::Blank => (FormWord::Blank, None, None),
            Form::Parted { who, what } => (FormWord::Parted, Some(who), Some(what)),
        };
        let [(who_salt, who_erased), (what_salt, what_erased)] = [who, what].map(|part| match part {
            None => (None, None),
            Some(Part::Kept(salt)) => (Some(Hex(salt)), None),
            Some(Part::Erased(hash)) => (None, Some(Hex(hash))),
        });
        let event = link.event.clone();
        Self {
            seq: link.seq,
            prev: Hex(link.prev),
            hash: Hex(link.hash),
            form,
            who_salt,
            who_erased,
            what_salt,
            what_erased,
            id: event.id,
            at_ms: event.at,
            action: event.action.word().to_owned(),
            outcome: event.outcome.word().to_owned(),
            reason: event.reason,
            user: event.user,
            principal: event.principal,
            key: event.key,
            address: event.address,
            client: event.client,
            revision: event.revision,
            preset: event.preset,
            preset_slug: event.preset_slug,
            source: event.source,
            source_name: event.source_name,
            subject: event.subject,
            duration_us: event.duration_us,
            request_bytes: event.request_bytes,
            response_bytes: event.response_bytes,
            argument_digest: event.argument_digest,
            request_id: event.request_id,
        }
    }
}

impl EventLine {
    /// Returns the number it has.
    pub(super) fn seq(&self) -> i64 {
        self.seq
    }

    /// Returns the event in its place; says what is missing or unknown.
    pub(super) fn link(self, tenant: TenantId) -> Result<Link, String> {
        let part = |name: &str, salt: Option<Hex<16>>, erased: Option<Hex<32>>| match (salt, erased) {
            (Some(salt), None) => Ok(Part::Kept(salt.0)),
            (None, Some(hash)) => Ok(Part::Erased(hash.0)),
            _ => Err(format!("one of `{name}_salt` and `{name}_erased` is to be there")),
        };
        let form = match self.form {
            FormWord::Whole => Form::Whole,
            FormWord::Blank => Form::Blank,
            FormWord::Parted => Form::Parted {
                who: part("who", self.who_salt, self.who_erased)?,
                what: part("what", self.what_salt, self.what_erased)?,
            },
        };
        let unknown = |what: &str, word: &str| format!("there is no {what} `{}`", word.escape_debug());
        let event = RunEvent {
            id: self.id,
            tenant,
            at: self.at_ms,
            action: Action::from_word(&self.action).ok_or_else(|| unknown("action", &self.action))?,
            outcome: Outcome::from_word(&self.outcome).ok_or_else(|| unknown("outcome", &self.outcome))?,
            reason: self.reason,
            user: self.user,
            principal: self.principal,
            key: self.key,
            address: self.address,
            client: self.client,
            revision: self.revision,
            preset: self.preset,
            preset_slug: self.preset_slug,
            source: self.source,
            source_name: self.source_name,
            subject: self.subject,
            duration_us: self.duration_us,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            argument_digest: self.argument_digest,
            request_id: self.request_id,
            trace: None,
        };
        Ok(Link { seq: self.seq, prev: self.prev.0, hash: self.hash.0, form, event })
    }
}

/// Writes a line with its end.
pub fn proof_line(line: &Line, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, line).expect("memory takes a line");
    out.push(b'\n');
}
