//! The instance: its people and the plans that say what they may use.

mod api;
mod plans;
mod teams;
mod teams_api;
mod users;

pub(crate) use plans::{new_plan_page, plan_page, plans_page};
pub(crate) use teams::{new_team_page, team_page, teams_page};
pub(crate) use users::{new_user_page, user_page, users_page};

use leptos::prelude::*;

use crate::ui::{Tab, Tabs};

/// Draws the tabs above both lists.
fn tabs(open: &'static str) -> impl IntoView {
    let tabs = vec![
        Tab::new("/admin", "People"),
        Tab::new("/admin/organisations", "Organisations"),
        Tab::new("/admin/plans", "Plans"),
    ];
    view! { <Tabs label="Parts of the administration" tabs=tabs open=open/> }
}
