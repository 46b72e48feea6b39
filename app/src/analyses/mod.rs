//! Analyses: the list, beginning one, how far it is, what it found, and two of them side by side.
//!
//! The drawings take a report and place what is in it; where things stand is decided apart from how they look, so that
//! it is tried with values. One more drawing is a file with both, and a line in `report.rs`.

mod against;
mod api;
mod axis;
mod detail;
mod finding;
mod list;
mod load;
mod new;
mod numbers;
mod progress;
mod query;
mod report;
mod spread;
mod timeline;
mod usage;
mod words;

pub(crate) use against::{choose_page as choose_other_page, page as against_page};
pub(crate) use detail::page as detail_page;
pub(crate) use list::page as list_page;
pub(crate) use new::page as new_page;
