//! Tunnels: the list, making one, and everything about one.

mod api;
mod detail;
mod edit;
mod list;

pub(crate) use detail::{delete_page, overview_page};
pub(crate) use edit::{edit_page, new_page};
pub(crate) use list::page as list_page;
