//! Connections: sign-ins at data sources that are kept alive, and the way to the issuer and back.

mod api;
mod arrive;
mod detail;
mod list;
mod stored;
mod view;

pub(crate) use api::OWN;
pub(crate) use arrive::page as arrive_page;
pub(crate) use detail::{going_page, page as detail_page};
pub(crate) use list::page as list_page;
