//! How run events are chained, vouched for, and shown to be as they were; pure.
//!
//! Each event names the hash of the one before ([`Link`]); from time to time the hash at the end is signed
//! ([`Checkpoint`]). [`Walk`] follows a chain from event to event and says what does not fit; [`Verifier`] does so for
//! files that were exported with proof ([`Line`]), with nothing but those files and a public key.
//!
//! What names people is in two [parts](Part) of an event, each hashed with a random salt of its own. Erasing a part takes
//! away its contents and its salt and leaves the hash of both, so that the chain stays whole and nothing can be guessed.
//!
//! Never asks a database, a clock or the network, and never keeps a private key. Another form of hashing is one more
//! variant of [`Form`]; those that are stored never change.

mod block;
mod checkpoint;
mod file;
mod hexed;
mod link;
#[cfg(test)]
mod tests;
mod verifier;
mod walk;

pub use block::{BlockReader, BlockWriter, DamagedBlock, Shared, unpack};
pub use checkpoint::{Checkpoint, KeyError, PublicKey, SEED_BYTES, SigningKey};
pub use file::{Begin, End, Line, proof_line};
pub use hexed::Hex;
pub use link::{FIRST_PREV, Form, Hash, Link, Part, Salt};
pub use verifier::{FileReport, Verifier, VerifyError};
pub(crate) use verifier::{fits, is_signed};
pub use walk::{Flaw, Tally, Walk};
