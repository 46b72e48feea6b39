//! Data sources: the list, adding one by its address, and everything about one.

mod api;
mod authorities;
mod command;
mod credential;
mod detail;
mod draft;
mod edit;
mod list;
mod new;
mod report;
mod resources;
mod tools;
mod tunnel;
mod view;
mod well_known;

pub(crate) use api::{mistake, source_id};
pub(crate) use detail::{
    delete_page, edit_page, overview_page, process_page, prompts_page, resources_page, tools_page,
};
pub(crate) use list::page as list_page;
pub(crate) use new::page as new_page;
pub(crate) use report::TestReport;
pub(crate) use view::{health_badge, steps};
