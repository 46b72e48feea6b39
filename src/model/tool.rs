//! Tools as a source describes them, pinned by hash.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{
    clock::Ms,
    model::{SourceId, words},
};

/// SHA-256 over a tool's name, description, schemas and annotations, as lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct ToolHash(pub String);

impl ToolHash {
    /// Hashes the parts of a definition that an owner accepts. Each part is led by its length, so
    /// that no two different definitions give the same bytes; an absent part is not an empty one.
    pub fn of(parts: &[(&str, Option<&str>)]) -> Self {
        let mut hasher = Sha256::new();
        for (member, text) in parts {
            hasher.update(member.as_bytes());
            match text {
                Some(text) => {
                    hasher.update((text.len() as u64).to_be_bytes());
                    hasher.update(text.as_bytes());
                }
                None => hasher.update([0xff; 8]),
            }
        }
        Self(hex::encode(hasher.finalize()))
    }
}

/// Whether a tool of a source may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolState {
    /// The owner has seen it as it is.
    Accepted,
    /// It appeared after the source was added; held until the owner looks.
    New,
    /// It differs from what the owner accepted; held until the owner looks.
    Changed,
    /// The source does not list it any more.
    Gone,
}
words!(ToolState { Accepted = "accepted", New = "new", Changed = "changed", Gone = "gone" });

/// A tool of a source.
#[derive(Clone, Debug)]
pub struct SourceTool {
    /// The source.
    pub source: SourceId,
    /// The name the source knows it by.
    pub name: String,
    /// The definition as the source last sent it, byte for byte.
    pub definition: Box<RawValue>,
    /// The hash of that definition.
    pub hash: ToolHash,
    /// The definition the owner accepted, if it is another one than `definition`.
    pub accepted_definition: Option<Box<RawValue>>,
    /// Whether it may be used.
    pub state: ToolState,
    /// When it was last listed by the source.
    pub seen_at: Ms,
}

/// A prompt of a source. It is pinned and held as a tool is, so it has the same parts.
pub type SourcePrompt = SourceTool;
