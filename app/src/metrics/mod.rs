//! Metrics: how many calls, how many failed, how long they took.

mod page;
mod query;

pub(crate) use page::page;
