//! `doorward apply` and `export`: an installation's users, plans, organisations, tunnels, sources, presets and keys
//! as one YAML document.
//!
//! Applying compares the document with what is there and does only what is missing, so a second run
//! does nothing. What the document does not name is left alone; what it leaves out of a thing keeps
//! its value. Passwords are used when an account is made and never again. Nothing is ever removed.
//!
//! Nothing is done before everything was looked at, so a mistake anywhere leaves nothing behind. Each
//! thing holds by itself: when the database or the process dies in the middle, what was told as done
//! is done, the rest is not, and a second run goes on from there.
//!
//! Never writes to the store itself: everything goes through the same rooms as the pages do, with
//! the permits of whoever applies.

mod compare;
mod document;
mod error;
mod expected;
mod export;
mod files;
mod plan;
mod run;

use std::sync::Arc;

use doorward::{
    clock::Clock, identity::Identity, model::Member, orgs::Orgs, presets::Presets, sources::Sources,
};

pub use document::{Document, read};
pub use error::{ApplyError, Mistake};
pub use export::export;
pub use files::{for_a_running_installation, make_secrets, refuse_files, resolve, write_new_secrets};
pub use plan::{Action, Plan, Step};
pub use run::{Tell, apply, check, perform};

/// In whose name a document is applied.
#[derive(Clone, Debug)]
pub enum Authority {
    /// The operator at the shell of a stopped installation: everything, for everybody.
    Operator,
    /// A person, by key or browser session: what they may do themselves.
    Member(Arc<Member>),
}

/// The rooms that a document is applied to.
#[derive(Clone)]
pub struct Rooms {
    /// Users, plans and keys.
    pub identity: Identity,
    /// Organisations.
    pub orgs: Orgs,
    /// Sources and tunnels.
    pub sources: Sources,
    /// Presets.
    pub presets: Presets,
    /// Time.
    pub clock: Clock,
}
