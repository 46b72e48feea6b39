//! Verifying files with nothing but them and a key.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read as _},
};

use thiserror::Error;

use super::{Begin, Checkpoint, End, Flaw, Hash, Line, PublicKey, Tally, Walk};
use crate::model::TenantId;

/// The longest line read, in bytes. The texts of an event have bounds far below.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Says why a file does not hold.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error("could not be read")]
    Read(#[from] io::Error),
    /// A line is none of such a file.
    #[error("line {line} is no line of an audit log with proof: {why}")]
    Line {
        /// The number of the line, from 1 on.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It breaks off.
    #[error("it breaks off: its last line is missing")]
    BrokenOff,
    /// Something in it does not fit.
    #[error(transparent)]
    Flaw(#[from] Flaw),
}

/// What a file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// What was counted of its events.
    pub tally: Tally,
    /// How many checkpoints it held, each signed with a key that counts.
    pub checkpoints: i64,
}

/// Verifies files, one after the other: those of one organisation in the order of their events.
#[derive(Debug, Default)]
pub struct Verifier {
    /// The keys that count; empty = those that the files name themselves.
    keys: Vec<PublicKey>,
    /// The keys that files named.
    named: BTreeMap<String, PublicKey>,
    chains: BTreeMap<TenantId, Seen>,
}

/// What was seen of an organisation's chain.
#[derive(Debug, Default)]
struct Seen {
    /// The number of the event before the first of `hashes`.
    behind: i64,
    hashes: Vec<Hash>,
    /// Which file ended where: the number of its last event, and its name.
    files: Vec<(i64, String)>,
    /// By the number of their event.
    checkpoints: BTreeMap<i64, Checkpoint>,
}

impl Seen {
    fn hash(&self, seq: i64) -> Option<&Hash> {
        self.hashes.get(usize::try_from(seq - self.behind - 1).ok()?)
    }

    fn last(&self) -> i64 {
        self.behind + i64::try_from(self.hashes.len()).unwrap_or(i64::MAX)
    }

    fn file_of(&self, seq: i64) -> String {
        let file = self.files.iter().find(|(last, _)| *last >= seq);
        file.map_or_else(|| "another file".to_owned(), |(_, name)| name.clone())
    }
}

impl Verifier {
    /// Makes one to whom only these keys count; none = those that the files name.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Verifies a file: by itself, and beside those before it.
    pub fn file(&mut self, name: &str, mut file: impl BufRead) -> Result<FileReport, VerifyError> {
        let mut report = FileReport::default();
        let mut open: Option<(TenantId, Walk, i64)> = None;
        let (mut number, mut ended) = (0, None::<End>);
        let mut checkpoints = Vec::new();
        while let Some(text) = next_line(&mut file, number + 1)? {
            number += 1;
            let wrong = |why: String| VerifyError::Line { line: number, why };
            let line: Line = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
            if ended.is_some() {
                return Err(wrong("it stands behind the last one".to_owned()));
            }
            match (line, &mut open) {
                (Line::Begin(begin), None) if number == 1 => {
                    let tenant = begin.organisation;
                    open = Some((tenant, self.begin(&begin)?, begin.behind));
                }
                (Line::Event(event), Some((tenant, walk, _))) => {
                    let seq = event.seq();
                    let link = event.link(*tenant).map_err(wrong)?;
                    walk.step(&link)?;
                    self.keep(*tenant, seq, link.hash)?;
                }
                (Line::Checkpoint(checkpoint), _) => checkpoints.push(checkpoint),
                (Line::Key { public_key, .. }, _) => {
                    self.named.insert(public_key.id(), public_key);
                }
                (Line::End(end), Some((_, walk, behind))) => {
                    let (events, last) = (walk.tally().events, walk.seq());
                    if end.last > last {
                        return Err(Flaw::Missing { first: last + 1, last: end.last }.into());
                    }
                    if end != (End { events, last }) || last - *behind != events {
                        return Err(wrong(format!("the file holds {events} events up to {last}")));
                    }
                    ended = Some(end);
                }
                (Line::Begin(_), _) => return Err(wrong("a file begins once".to_owned())),
                (Line::Event(_) | Line::End(_), None) => {
                    return Err(wrong("the line that a file begins with is missing".to_owned()));
                }
            }
        }
        if let Some((tenant, walk, _)) = open {
            if ended.is_none() {
                return Err(VerifyError::BrokenOff);
            }
            report.tally = walk.tally();
            self.chains.entry(tenant).or_default().files.push((walk.seq(), name.to_owned()));
        }
        report.checkpoints = i64::try_from(checkpoints.len()).unwrap_or(i64::MAX);
        for checkpoint in checkpoints {
            self.checkpoint(checkpoint)?;
        }
        Ok(report)
    }

    /// Returns the checkpoints of a file, whoever signed them and whatever else it holds.
    pub fn checkpoints_in(mut file: impl BufRead) -> Result<Vec<Checkpoint>, VerifyError> {
        let mut found = Vec::new();
        let mut number = 0;
        while let Some(text) = next_line(&mut file, number + 1)? {
            number += 1;
            let line = serde_json::from_slice(&text)
                .map_err(|error| VerifyError::Line { line: number, why: error.to_string() })?;
            if let Line::Checkpoint(checkpoint) = line {
                found.push(checkpoint);
            }
        }
        Ok(found)
    }

    /// Says which keys the files named, where none were given.
    pub fn named_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.named.values().filter(|_| self.keys.is_empty())
    }

    /// Returns how many events follow the newest checkpoint of their organisation, so that nobody signed for them yet.
    pub fn unsigned(&self) -> i64 {
        let of_one = |seen: &Seen| {
            let signed = seen.checkpoints.keys().copied().max().unwrap_or(0);
            (seen.last() - signed.max(seen.behind)).max(0)
        };
        self.chains.values().map(of_one).sum()
    }

    /// Begins a file where it says, which must follow from what was seen.
    fn begin(&mut self, begin: &Begin) -> Result<Walk, VerifyError> {
        let Begin { version, organisation, behind, prev, .. } = begin;
        if *version != Begin::VERSION {
            let why = format!("its version is {version}, and this program reads {}", Begin::VERSION);
            return Err(VerifyError::Line { line: 1, why });
        }
        let seen = self.chains.entry(*organisation).or_default();
        if seen.hashes.is_empty() {
            seen.behind = *behind;
        }
        if *behind > seen.last() {
            return Err(Flaw::Missing { first: seen.last() + 1, last: *behind }.into());
        }
        if *behind < seen.behind {
            let why =
                "it holds events from before the file ahead of it: name files in their order".to_owned();
            return Err(VerifyError::Line { line: 1, why });
        }
        if seen.hash(*behind).is_some_and(|known| *known != prev.0) {
            return Err(Flaw::Cut { seq: behind + 1 }.into());
        }
        Ok(Walk::behind(*organisation, *behind, prev.0))
    }

    /// Keeps the hash of an event, which must be the same in all files and checkpoints.
    fn keep(&mut self, tenant: TenantId, seq: i64, hash: Hash) -> Result<(), Flaw> {
        let seen = self.chains.entry(tenant).or_default();
        match seen.hash(seq) {
            Some(known) if *known != hash => return Err(Flaw::Differs { seq, other: seen.file_of(seq) }),
            Some(_) => return Ok(()),
            None => seen.hashes.push(hash),
        }
        seen.checkpoints.get(&seq).map_or(Ok(()), |checkpoint| fits(checkpoint, &hash))
    }

    /// Verifies a checkpoint and keeps it.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), Flaw> {
        let counts = |id: &str| {
            if self.keys.is_empty() {
                return self.named.get(id);
            }
            self.keys.iter().find(|key| key.id() == id)
        };
        is_signed(&checkpoint, counts)?;
        let seen = self.chains.entry(checkpoint.organisation).or_default();
        if let Some(known) = seen.hash(checkpoint.seq) {
            fits(&checkpoint, known)?;
        }
        if let Some(other) = seen.checkpoints.get(&checkpoint.seq) {
            fits(other, &checkpoint.hash.0)?;
        }
        seen.checkpoints.insert(checkpoint.seq, checkpoint);
        Ok(())
    }
}

/// Says whether a checkpoint is signed with a key that counts.
pub(crate) fn is_signed<'a>(
    checkpoint: &Checkpoint,
    counts: impl Fn(&str) -> Option<&'a PublicKey>,
) -> Result<(), Flaw> {
    let Checkpoint { seq, key, .. } = checkpoint;
    match counts(key) {
        None => Err(Flaw::UnknownKey { seq: *seq, key: key.clone() }),
        Some(known) if checkpoint.is_by(known) => Ok(()),
        Some(_) => Err(Flaw::Signature { seq: *seq, key: key.clone() }),
    }
}

/// Says whether a checkpoint is of the event with this hash.
pub(crate) fn fits(checkpoint: &Checkpoint, hash: &Hash) -> Result<(), Flaw> {
    if checkpoint.hash.0 == *hash {
        return Ok(());
    }
    Err(Flaw::Rewritten { seq: checkpoint.seq, at: checkpoint.at_ms.to_string() })
}

fn next_line(file: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>, VerifyError> {
    let mut text = Vec::new();
    let read = file.take(LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
    if read == 0 {
        return Ok(None);
    }
    if text.last() != Some(&b'\n') {
        return Err(if text.len() as u64 == LINE_BYTES_MAX {
            VerifyError::Line { line: number, why: format!("it is longer than {LINE_BYTES_MAX} bytes") }
        } else {
            VerifyError::BrokenOff
        });
    }
    Ok(Some(text))
}
