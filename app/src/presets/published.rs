//! The tools a preset publishes, for those who only use it.

use std::sync::Arc;

use doorward::{
    model::Era,
    presets::{Route, RouteTable},
};
use leptos::prelude::*;
use serde_json::Value;

use crate::ui::{Column, Empty, Icon, Table};

/// The most characters of a description that are shown.
const SHOWN_MAX: usize = 240;

/// Returns the name of a published tool and the beginning of what is said of it.
pub(crate) fn shown(route: &Route) -> (String, String) {
    let definition: Value = serde_json::from_slice(route.definition(Era::Modern)).unwrap_or_default();
    let text = definition["description"].as_str().unwrap_or_default();
    (route.exposed_name.to_string(), text.chars().take(SHOWN_MAX).collect())
}

/// A table of them, by name.
#[component]
pub(crate) fn Published(
    /// The preset as callers have it.
    table: Arc<RouteTable>,
) -> impl IntoView {
    if table.tools.is_empty() {
        return view! {
            <Empty icon=Icon::Plug title="No tools" text="At the moment this preset publishes no tools."/>
        }
        .into_any();
    }
    let rows = table
        .tools
        .iter()
        .map(|route| {
            let (name, text) = shown(route);
            view! {
                <tr>
                    <td><code>{name}</code></td>
                    <td class="text-muted">{text}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![Column::text("Tool"), Column::text("What it does")];
    view! { <Table caption="Tools" columns>{rows}</Table> }.into_any()
}
