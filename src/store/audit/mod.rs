//! Run events: the log of each organisation.
//!
//! Events are kept in [blocks](blocks), those of one commit in a row of `audit_blocks`: a row for each event would be five
//! indexes to write for each. What many events have in common is kept once as their [kind](kinds), and for each block is
//! noted which kinds it holds, so that a search asks the kinds and is led to blocks. Blocks follow each other in the
//! [chain]; only their bodies change, when somebody is [erased](erase).

mod add;
mod blocks;
mod chain;
mod erase;
mod exports;
mod kinds;
mod proof;
mod rows;
mod search;

pub use chain::{ChainReport, ChainSpan};
pub use exports::{ExportFailure, ExportPlan, ExportState};
pub use proof::{AuditKeyRow, ChainEnd};
pub use search::EventFilter;
