//! The first page: is anything wrong, what happened just now, how much, and what next.

mod attention;
mod checklist;
mod page;

pub(crate) use page::page;
