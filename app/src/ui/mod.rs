//! The console's own small kit: everything two features draw alike.
//!
//! Plain elements first: a button is a `<button>`, a tab is a link, a menu is `<details>`. Never
//! loads anything and never knows a feature. One more part is one more file, with its classes
//! written out, because the style sheet is made of what stands in the sources.

mod badge;
mod chart;
mod confirm;
mod empty;
mod field;
mod icon;
mod meter;
mod notice;
mod number;
mod pages;
mod panel;
mod prose;
mod snippet;
mod table;
mod tabs;
mod time;

pub(crate) use badge::{Badge, Tone};
pub(crate) use chart::{Series, Sparkline, TimeSeries};
pub(crate) use confirm::{ConfirmByName, ConfirmInPlace, PostButton};
pub(crate) use empty::Empty;
pub(crate) use field::{Choice, Field, FormMistake, Frame, Pick, Radio, Select, TextArea};
pub(crate) use icon::Icon;
pub(crate) use meter::Meter;
pub(crate) use notice::Notice;
pub(crate) use number::{bytes, count, duration_us, per_cent};
pub(crate) use pages::Pages;
pub(crate) use panel::{Fact, Facts, Figure, Panel};
pub(crate) use prose::prose;
pub(crate) use snippet::{Copyable, Snippet};
pub(crate) use table::{Column, Table};
pub(crate) use tabs::{Tab, Tabs};
pub(crate) use time::{Ago, ago, now};
