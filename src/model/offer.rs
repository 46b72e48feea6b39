//! What a source offers beside its tools, and what it says of itself.

use serde_json::value::RawValue;

use crate::{
    clock::Ms,
    model::{SourceId, words},
};

/// The two kinds of entry that lead to resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A resource with an address of its own.
    Resource,
    /// A pattern of addresses (RFC 6570).
    Template,
}
words!(ResourceKind { Resource = "resource", Template = "template" });

/// A resource or resource template of a source. It follows the source: what is not listed any more
/// is forgotten, and what changes is not held.
#[derive(Clone, Debug)]
pub struct SourceResource {
    /// The source.
    pub source: SourceId,
    /// What it is.
    pub kind: ResourceKind,
    /// Its URI, or its URI template, as the source writes it.
    pub uri: String,
    /// The entry of the list as the source last sent it, byte for byte.
    pub definition: Box<RawValue>,
}

/// What a source says of itself when it is first spoken to.
#[derive(Clone, Debug)]
pub struct SourceOffer {
    /// Its ServerCapabilities, as sent.
    pub capabilities: Box<RawValue>,
    /// Its instructions for models; empty if it has none.
    pub instructions: String,
    /// When that was last seen.
    pub seen_at: Ms,
}
