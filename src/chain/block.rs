//! Events as they are kept: many of one chain in a row together, in as few bytes as they need.
//!
//! A block is two texts of bytes. The *ids* are those of its events, 16 bytes each, so that a database can look for one.
//! The *body* is a version, what its events [share](Shared), each said once, and then of each event which of that it has,
//! how it was hashed, and its own numbers:
//!
//! ```text
//! body    = version:u8 count:varint shared* event*
//! shared  = text{10} flags:u8 id*          texts and ids in the order of `Shared`; the flags say which ids are there
//! event   = shared:varint flags:u8 time:zigzag number:zigzag{3} digest request hash [part part] [trace]
//! text    = length:varint bytes
//! ```
//!
//! Times are differences to the event before. A digest or the id of a request in hexadecimal is kept as the bytes it
//! stands for. Version 1 is what is stored: another layout is another version, and this one stays readable.

use std::collections::{HashMap, hash_map::Entry};

use thiserror::Error;
use uuid::Uuid;

use super::{Form, Hash, Link, Part};
use crate::{
    clock::Ms,
    model::{
        Action, ApiKeyId, EventId, Outcome, PresetId, RunEvent, SourceId, TenantId, TraceContext, UserId,
    },
};

const VERSION: u8 = 1;
const ID_BYTES: usize = 16;

/// The two lowest bits of an event's flags: its form.
const FORM: u8 = 0b11;
const FORM_BLANK: u8 = 0;
const FORM_WHOLE: u8 = 1;
const FORM_PARTED: u8 = 2;
const WHO_ERASED: u8 = 1 << 2;
const WHAT_ERASED: u8 = 1 << 3;
const TRACED: u8 = 1 << 4;
const DIGEST_HEX: u8 = 1 << 5;
const REQUEST_HEX: u8 = 1 << 6;
const UNUSED: u8 = 1 << 7;

/// Says why the bytes of a block hold no events.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the block of events is damaged: {0}")]
pub struct DamagedBlock(&'static str);

/// What events have in common with others: everything but when, how long, how much, and what is different each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shared<'a> {
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so.
    pub reason: &'a str,
    /// Who did it, by name.
    pub principal: &'a str,
    /// From where.
    pub address: &'a str,
    /// With which program.
    pub client: &'a str,
    /// In which revision of the protocol.
    pub revision: &'a str,
    /// On which preset, by name.
    pub preset_slug: &'a str,
    /// On which source, by name.
    pub source_name: &'a str,
    /// On which tool or thing.
    pub subject: &'a str,
    /// Who did it.
    pub user: Option<UserId>,
    /// With which key.
    pub key: Option<ApiKeyId>,
    /// On which preset.
    pub preset: Option<PresetId>,
    /// On which source.
    pub source: Option<SourceId>,
}

impl<'a> Shared<'a> {
    /// Returns what an event has in common with others.
    pub fn of(event: &'a RunEvent) -> Self {
        Self {
            action: event.action,
            outcome: event.outcome,
            reason: &event.reason,
            principal: &event.principal,
            address: &event.address,
            client: &event.client,
            revision: &event.revision,
            preset_slug: &event.preset_slug,
            source_name: &event.source_name,
            subject: &event.subject,
            user: event.user,
            key: event.key,
            preset: event.preset,
            source: event.source,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let Self { reason, principal, address, client, revision, preset_slug, source_name, subject, .. } =
            self;
        for text in [
            self.action.word(),
            self.outcome.word(),
            reason,
            principal,
            address,
            client,
            revision,
            preset_slug,
            source_name,
            subject,
        ] {
            write_text(out, text);
        }
        let ids = [
            self.user.map(Uuid::from),
            self.key.map(Uuid::from),
            self.preset.map(Uuid::from),
            self.source.map(Uuid::from),
        ];
        out.push(ids.iter().enumerate().fold(0, |flags, (bit, id)| flags | u8::from(id.is_some()) << bit));
        ids.iter().flatten().for_each(|id| out.extend_from_slice(id.as_bytes()));
    }

    fn read(from: &mut Bytes<'a>) -> Result<Self, DamagedBlock> {
        let action = Action::from_word(from.text()?).ok_or(DamagedBlock("there is no such action"))?;
        let outcome = Outcome::from_word(from.text()?).ok_or(DamagedBlock("there is no such outcome"))?;
        let mut texts = [""; 8];
        for text in &mut texts {
            *text = from.text()?;
        }
        let [reason, principal, address, client, revision, preset_slug, source_name, subject] = texts;
        let flags = from.byte()?;
        if flags >= 1 << 4 {
            return Err(DamagedBlock("there are flags of no meaning"));
        }
        let mut id = |bit: u8| -> Result<Option<Uuid>, DamagedBlock> {
            if flags & (1 << bit) == 0 { Ok(None) } else { Ok(Some(Uuid::from_bytes(from.array()?))) }
        };
        Ok(Self {
            action,
            outcome,
            reason,
            principal,
            address,
            client,
            revision,
            preset_slug,
            source_name,
            subject,
            user: id(0)?.map(UserId),
            key: id(1)?.map(ApiKeyId),
            preset: id(2)?.map(PresetId),
            source: id(3)?.map(SourceId),
        })
    }
}

/// A block that is being made.
#[derive(Default)]
pub struct BlockWriter<'a> {
    ids: Vec<u8>,
    shared: Vec<(Shared<'a>, i64)>,
    places: HashMap<Shared<'a>, usize>,
    shared_bytes: Vec<u8>,
    events: Vec<u8>,
    at: Ms,
    last: usize,
}

impl<'a> BlockWriter<'a> {
    /// Adds the next event of the chain.
    pub fn push(&mut self, event: &'a RunEvent, form: &Form, hash: &Hash) {
        let place = self.place(Shared::of(event));
        self.shared[place].1 += 1;
        self.ids.extend_from_slice(event.id.0.as_bytes());

        let out = &mut self.events;
        write_varint(out, place as u64);
        let mut flags = match form {
            Form::Blank => FORM_BLANK,
            Form::Whole => FORM_WHOLE,
            Form::Parted { who, what } => {
                let erased = |part: &Part, bit: u8| if matches!(part, Part::Erased(_)) { bit } else { 0 };
                FORM_PARTED | erased(who, WHO_ERASED) | erased(what, WHAT_ERASED)
            }
        };
        let digest = from_hex::<32>(&event.argument_digest);
        let request = from_hex::<16>(&event.request_id);
        for (is_set, bit) in [
            (event.trace.is_some(), TRACED),
            (digest.is_some(), DIGEST_HEX),
            (request.is_some(), REQUEST_HEX),
        ] {
            flags |= if is_set { bit } else { 0 };
        }
        out.push(flags);
        write_number(out, event.at.0.wrapping_sub(self.at.0));
        self.at = event.at;
        for number in [event.duration_us, event.request_bytes, event.response_bytes] {
            write_number(out, number);
        }
        match digest {
            Some(bytes) => out.extend_from_slice(&bytes),
            None => write_text(out, &event.argument_digest),
        }
        match request {
            Some(bytes) => out.extend_from_slice(&bytes),
            None => write_text(out, &event.request_id),
        }
        out.extend_from_slice(hash);
        if let Form::Parted { who, what } = form {
            for part in [who, what] {
                match part {
                    Part::Kept(salt) => out.extend_from_slice(salt),
                    Part::Erased(hash) => out.extend_from_slice(hash),
                }
            }
        }
        if let Some(TraceContext { trace_id, span_id, flags }) = &event.trace {
            out.extend_from_slice(trace_id);
            out.extend_from_slice(span_id);
            out.push(*flags);
        }
    }

    /// Returns where it is said what an event shares with others, and says it there if it was not.
    fn place(&mut self, shared: Shared<'a>) -> usize {
        // Most of the time it is the same as of the event before.
        if self.shared.get(self.last).is_some_and(|(last, _)| *last == shared) {
            return self.last;
        }
        self.last = match self.places.entry(shared) {
            Entry::Occupied(place) => *place.get(),
            Entry::Vacant(vacant) => {
                let place = self.shared.len();
                vacant.insert(place);
                shared.write(&mut self.shared_bytes);
                self.shared.push((shared, 0));
                place
            }
        };
        self.last
    }

    /// Returns how many bytes it has so far.
    pub fn bytes(&self) -> usize {
        self.ids.len() + self.shared_bytes.len() + self.events.len()
    }

    /// Returns what its events share with others, each with the number of events that do.
    pub fn shared(&self) -> &[(Shared<'a>, i64)] {
        &self.shared
    }

    /// Returns the ids and the body.
    pub fn finish(self) -> (Vec<u8>, Vec<u8>) {
        let mut body = Vec::with_capacity(16 + self.shared_bytes.len() + self.events.len());
        body.push(VERSION);
        write_varint(&mut body, self.shared.len() as u64);
        body.extend_from_slice(&self.shared_bytes);
        body.extend_from_slice(&self.events);
        (self.ids, body)
    }
}

/// A block that is being read.
#[derive(Debug)]
pub struct BlockReader<'a> {
    shared: Vec<Shared<'a>>,
    ids: &'a [[u8; ID_BYTES]],
    rest: Bytes<'a>,
    at: Ms,
}

/// An event of a block, of which little is read yet.
#[derive(Debug)]
pub struct Packed<'a> {
    /// Which of what is [shared](BlockReader::shared) it has.
    pub shared: usize,
    /// Names it.
    pub id: EventId,
    /// When it ended.
    pub at: Ms,
    /// How it was hashed.
    pub form: Form,
    /// Its hash.
    pub hash: Hash,
    numbers: [i64; 3],
    digest: Hexed<'a, 32>,
    request: Hexed<'a, 16>,
    trace: Option<TraceContext>,
}

#[derive(Debug)]
enum Hexed<'a, const N: usize> {
    Bytes([u8; N]),
    Text(&'a str),
}

impl<const N: usize> Hexed<'_, N> {
    fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => hex::encode(bytes),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

impl<'a> BlockReader<'a> {
    /// Begins to read a block.
    pub fn new(ids: &'a [u8], body: &'a [u8]) -> Result<Self, DamagedBlock> {
        let (ids, []) = ids.as_chunks() else { return Err(DamagedBlock("an id is cut off")) };
        let mut rest = Bytes(body);
        if rest.byte()? != VERSION {
            return Err(DamagedBlock("it is of another version"));
        }
        let mut shared = Vec::new();
        for _ in 0..rest.varint()? {
            shared.push(Shared::read(&mut rest)?);
        }
        Ok(Self { shared, ids, rest, at: Ms(0) })
    }

    /// Returns what its events share with others.
    pub fn shared(&self) -> &[Shared<'a>] {
        &self.shared
    }

    /// Returns how many events are left to read.
    pub fn left(&self) -> usize {
        self.ids.len()
    }

    /// Returns the next event; `None` after the last one.
    pub fn next_event(&mut self) -> Result<Option<Packed<'a>>, DamagedBlock> {
        let Some((id, ids)) = self.ids.split_first() else {
            return if self.rest.0.is_empty() {
                Ok(None)
            } else {
                Err(DamagedBlock("there is more behind it"))
            };
        };
        self.ids = ids;
        let from = &mut self.rest;
        let shared = usize::try_from(from.varint()?).unwrap_or(usize::MAX);
        if shared >= self.shared.len() {
            return Err(DamagedBlock("an event shares what is not there"));
        }
        let flags = from.byte()?;
        self.at = Ms(self.at.0.wrapping_add(from.number()?));
        let numbers = [from.number()?, from.number()?, from.number()?];
        let digest =
            if flags & DIGEST_HEX == 0 { Hexed::Text(from.text()?) } else { Hexed::Bytes(from.array()?) };
        let request =
            if flags & REQUEST_HEX == 0 { Hexed::Text(from.text()?) } else { Hexed::Bytes(from.array()?) };
        let hash = from.array()?;
        let mut part = |bit: u8| -> Result<Part, DamagedBlock> {
            Ok(if flags & bit == 0 { Part::Kept(from.array()?) } else { Part::Erased(from.array()?) })
        };
        let form = match flags & FORM {
            FORM_BLANK => Form::Blank,
            FORM_WHOLE => Form::Whole,
            FORM_PARTED => Form::Parted { who: part(WHO_ERASED)?, what: part(WHAT_ERASED)? },
            _ => return Err(DamagedBlock("an event was hashed in no form there is")),
        };
        let is_apart = matches!(form, Form::Parted { .. }) || flags & (WHO_ERASED | WHAT_ERASED) == 0;
        if flags & UNUSED != 0 || !is_apart {
            return Err(DamagedBlock("there are flags of no meaning"));
        }
        let trace = if flags & TRACED == 0 {
            None
        } else {
            Some(TraceContext { trace_id: from.array()?, span_id: from.array()?, flags: from.byte()? })
        };
        let id = EventId(Uuid::from_bytes(*id));
        Ok(Some(Packed { shared, id, at: self.at, form, hash, numbers, digest, request, trace }))
    }

    /// Returns an event as a whole.
    pub fn event(&self, tenant: TenantId, packed: &Packed<'a>) -> RunEvent {
        let shared = &self.shared[packed.shared];
        let [duration_us, request_bytes, response_bytes] = packed.numbers;
        RunEvent {
            id: packed.id,
            tenant,
            at: packed.at,
            action: shared.action,
            outcome: shared.outcome,
            reason: shared.reason.to_owned(),
            user: shared.user,
            principal: shared.principal.to_owned(),
            key: shared.key,
            address: shared.address.to_owned(),
            client: shared.client.to_owned(),
            revision: shared.revision.to_owned(),
            preset: shared.preset,
            preset_slug: shared.preset_slug.to_owned(),
            source: shared.source,
            source_name: shared.source_name.to_owned(),
            subject: shared.subject.to_owned(),
            duration_us,
            request_bytes,
            response_bytes,
            argument_digest: packed.digest.text(),
            request_id: packed.request.text(),
            trace: packed.trace,
        }
    }
}

/// Returns the events of a block in their places in the chain: that of number `first` stands behind the hash `prev`.
pub fn unpack(
    tenant: TenantId,
    first: i64,
    prev: Hash,
    ids: &[u8],
    body: &[u8],
) -> Result<Vec<Link>, DamagedBlock> {
    let mut reader = BlockReader::new(ids, body)?;
    let mut links = Vec::with_capacity(reader.left());
    let (mut seq, mut prev) = (first, prev);
    while let Some(packed) = reader.next_event()? {
        let event = reader.event(tenant, &packed);
        links.push(Link { seq, prev, hash: packed.hash, form: packed.form, event });
        (seq, prev) = (seq + 1, packed.hash);
    }
    Ok(links)
}

/// Returns the bytes that a text stands for; `None` if it is not their hexadecimal as it is always written.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn write_number(out: &mut Vec<u8>, number: i64) {
    write_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// What of a body is not read yet.
#[derive(Clone, Debug)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Result<u8, DamagedBlock> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DamagedBlock> {
        let (array, rest) = self.0.split_first_chunk().ok_or(DamagedBlock("it is cut off"))?;
        self.0 = rest;
        Ok(*array)
    }

    fn varint(&mut self) -> Result<u64, DamagedBlock> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DamagedBlock("a number is too large"))
    }

    fn number(&mut self) -> Result<i64, DamagedBlock> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn text(&mut self) -> Result<&'a str, DamagedBlock> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (text, rest) = self.0.split_at_checked(length).ok_or(DamagedBlock("it is cut off"))?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| DamagedBlock("a text is no UTF-8"))
    }
}
