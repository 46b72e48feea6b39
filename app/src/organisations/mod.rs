//! The organisations of whoever looks: making one, acting in one, who belongs to it and who is invited.

mod api;
mod detail;
mod invites;
mod list;
mod words;

pub(crate) use api::SWITCH;
pub(crate) use detail::{page as detail_page, remove_page};
pub(crate) use list::page as list_page;
pub(crate) use words::{role_picks, role_words};
