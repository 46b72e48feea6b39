//! What sources promise, against a real database and a source on the loopback address.

mod access;
mod edits;
mod looks;
mod offers;
mod tunnels;
pub(crate) mod world;
