//! How fast calls of a key, a preset or a data source may come: what is set, how much is free, and the
//! form that sets it, on the page of each.

mod api;
mod panel;

pub(crate) use api::{FORM, read_rate};
pub(crate) use panel::{KeyLimits, of_keys, of_preset, of_source, rate_field};
