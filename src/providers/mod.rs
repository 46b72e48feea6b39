//! Things that are not MCP, shown as tools.
//!
//! Each folder speaks to one kind of thing, by `egress` alone, and answers the requests of the
//! protocol in its place: it lists tools and prompts, takes their arguments and gives results in
//! the shape of revision 2026-07-28. Never decides who may call, knows no caller and keeps nothing
//! but answers that cannot change.
//!
//! One more kind of thing is a folder here, a variant of `model::Reach` and an arm in
//! `sources/providers.rs`.

pub mod spark;
