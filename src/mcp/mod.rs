//! The Model Context Protocol, pure: JSON-RPC envelopes over raw bytes, revisions, headers,
//! server-sent events, classification of requests, translation between eras.
//!
//! Never waits, never reads or writes anything but memory, and never re-serialises what it only
//! passes on: values are [`Raw`], the bytes they came in, and edits splice.
//!
//! One more method: a variant of [`Method`], its answer in `proxy`, and, where the eras differ,
//! a function in [`translate`]. One more revision: a variant of [`Revision`]; the compiler then
//! asks at every place where it matters.

pub mod capabilities;
mod classify;
pub mod edit;
pub mod error;
pub mod headers;
mod level;
pub mod listen;
mod lists;
mod message;
mod method;
mod object;
mod offer;
mod pieces;
mod raw;
mod revision;
mod scan;
pub mod sealed;
pub mod sse;
pub mod tasks;
#[cfg(test)]
mod tests;
mod tool;
pub mod trace;
pub mod translate;
pub mod uris;
pub mod write;

pub use capabilities::Capabilities;
pub use classify::{Inbound, Rejection, classify};
pub use error::{ErrorObject, codes};
pub use level::LogLevel;
pub use lists::{
    CacheScope, LIST_TTL_MS, ListKind, ServerCard, SourcePage, discover_result, initialize_result, list_page,
    source_page, supported_versions,
};
pub use message::{META_PREFIX, Message, Meta, Params, ParseError, Reference};
pub use method::{Method, notifications};
pub use offer::ServerCapabilities;
pub use pieces::Pieces;
pub use raw::{Elements, Member, Members, Raw};
pub use revision::Revision;
pub use scan::{DEPTH_MAX, MEMBERS_MAX, ScanError};
pub use tool::{ExposedTool, ToolError, exposed, tool_description, tool_hash, tool_name};
pub use write::{notification, request, response};

pub use crate::model::Era;
