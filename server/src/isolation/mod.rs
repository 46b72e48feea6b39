//! The proof that no organisation sees or changes anything of another.
//!
//! Two of them live in a database of their own, and every route, page, form and MCP method is tried by nobody, by a
//! stranger, by an administrator of the instance, and, so that it is known to do something, by the owner. Nothing of the
//! owner's may stand in what the others are told, nothing of it may be changed, and what is asked for must look to them
//! as if it were not there. On PostgreSQL the database is asked for every table as well, past the code.
//!
//! Never touches an installation: whoever asks for the proof gives a database for it. What everybody may is written down
//! in [`table`]; a new route, page or form has a row there.

mod methods;
mod names;
mod proof;
mod report;
mod scene;
mod scratch;
mod table;

pub use proof::{Proof, Tried, prove};
pub use report::report;
pub use scene::{Scene, Stage};
pub use scratch::{BASE, PASSWORD, Person, Scratch, browse, call, origin, request};
pub use table::{FORMS, PAGES, ROUTES, WHO};

/// Says why a proof could not be tried, or its organisations not be made.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;
