//! The page of all connections.

use doorward::{clock::Ms, sources::ConnectionView};
use leptos::prelude::*;

use super::{
    api::{BEGIN, FORM},
    stored,
    view::{badge, verb, whose},
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Column, Empty, FormMistake, Icon, PostButton, Table, now},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Connections, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let (console, member) = (console(), &visit.member);
    let views = console.sources.connections(member).await?;
    let (sources, presets) = (console.sources.list(member).await?, console.presets.list(member).await?);
    let stored = stored::draw(sources, &presets);
    let body = draw(visit.form(FORM), views, member.tenant_handle.as_str(), stored);
    Ok(Page::new("Connections", body).lead(
        "Sign-ins at data sources. Doorward keeps each alive by itself, until its issuer refuses it or you end it.",
    ))
}

fn draw(form: Form, views: Vec<ConnectionView>, own: &str, stored: AnyView) -> impl IntoView + use<> {
    view! { <div class="grid grid-cols-1 gap-6"><FormMistake form/> {table(views, own)} {stored}</div> }
}

fn table(views: Vec<ConnectionView>, own: &str) -> AnyView {
    if views.is_empty() {
        return view! {
            <Empty
                icon=Icon::Key
                title="No connections yet"
                text="A data source that wants you to sign in has one here, as soon as you add it."
            />
        }
        .into_any();
    }
    let now = now();
    let rows = views.into_iter().map(|view| row(view, own, now)).collect_view();
    let columns = vec![
        Column::text("Data source"),
        Column::text("State"),
        Column::text("Renewed").wide(),
        Column::text("Used by").wide(),
        Column::actions("Sign in"),
    ];
    view! { <Table caption="Connections" columns>{rows}</Table> }.into_any()
}

fn row(view: ConnectionView, own: &str, now: Ms) -> impl IntoView + use<> {
    let ConnectionView { connection, source_name, owner, presets, may_change } = view;
    let path = format!("/connections/{}", connection.id);
    let of = if owner == own { String::new() } else { format!(", a data source of {owner}") };
    let used = match presets.len() {
        0 => "–".to_owned(),
        _ => presets.iter().map(|preset| preset.slug.to_string()).collect::<Vec<_>>().join(", "),
    };
    let ends = connection.expires_at.filter(|_| !connection.renews);
    let label = format!("{} to {source_name}", verb(&connection));
    let fields = vec![("id", connection.id.to_string())];
    view! {
        <tr>
            <td>
                <a class="link font-medium" href=path>{source_name}</a>
                <p class="text-xs text-muted">{whose(&connection)} {of}</p>
            </td>
            <td>
                {badge(&connection, now)}
                {ends.map(|at| view! { <p class="text-xs text-muted">"ends " <Ago at/></p> })}
            </td>
            <td class="hidden sm:table-cell">
                {connection.renewed_at.map_or_else(|| "never".into_any(), |at| view! { <Ago at/> }.into_any())}
            </td>
            <td class="hidden sm:table-cell">{used}</td>
            <td class="number">
                {may_change.then(|| view! { <PostButton action=BEGIN fields label>{verb(&connection)}</PostButton> })}
            </td>
        </tr>
    }
}
