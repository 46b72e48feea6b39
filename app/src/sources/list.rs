//! The list of data sources.

use doorward::sources::SourceSummary;
use leptos::prelude::*;

use super::draft::go_on;
use super::view::{era_words, health_badge, held_badge, kind_icon, kind_words, place};
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Column, Empty, Icon, Table, prose},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Sources, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let sources = console().sources.list(&visit.member).await?;
    let manages = visit.manages();
    let go_on = manages.then(|| go_on(&visit.member));
    let body = view! { <div class="grid grid-cols-1 gap-4">{go_on} {draw(sources, manages)}</div> };
    let page = Page::new("Data sources", body)
        .lead("MCP servers that Doorward may reach for you. Their tools become presets.")
        .actions(view! {
            <a class="button" href="/tunnels">"Tunnels"</a>
            {manages.then(|| view! {
                <a class="button button-primary" href="/sources/new">{Icon::Plus.draw()} "Add a data source"</a>
            })}
        });
    Ok(page)
}

fn draw(sources: Vec<SourceSummary>, manages: bool) -> AnyView {
    if sources.is_empty() && !manages {
        return view! {
            <Empty
                icon=Icon::Plug
                title="No data sources yet"
                text="An administrator of the organisation adds them."
            />
        }
        .into_any();
    }
    if sources.is_empty() {
        return view! {
            <Empty
                icon=Icon::Plug
                title="No data sources yet"
                text="Paste the address of an MCP server. Doorward finds out what it speaks and lists its tools."
            >
                <a class="button button-primary" href="/sources/new">{Icon::Plus.draw()} "Add a data source"</a>
            </Empty>
        }
        .into_any();
    }
    let columns = vec![
        Column::text("Name"),
        Column::text("State"),
        Column::number("Tools").wide(),
        Column::text("Protocol").wide(),
        Column::text("Last seen").wide(),
    ];
    let rows = sources.into_iter().map(row).collect_view();
    view! { <Table caption="Data sources" columns=columns>{rows}</Table> }.into_any()
}

fn row(summary: SourceSummary) -> impl IntoView {
    let SourceSummary { source, tools, prompts } = summary;
    let why = source.health.detail.clone();
    let shows_why = source.enabled && !why.is_empty();
    view! {
        <tr>
            <td class="max-w-48 sm:max-w-56 xl:max-w-80">
                <a class="link font-medium" href=format!("/sources/{}", source.id)>{source.name.to_string()}</a>
                <p class="truncate text-[13px] text-muted" title=place(&source.reach)>{place(&source.reach)}</p>
            </td>
            <td class="max-w-72">
                <span class="flex flex-wrap gap-1.5">{health_badge(&source)} {held_badge(tools.held() + prompts.held())}</span>
                {shows_why.then(|| view! { <p class="mt-1 line-clamp-2 text-[13px] text-muted" title=why.clone()>{prose(&why)}</p> })}
            </td>
            <td class="number hidden sm:table-cell">{tools.accepted + tools.held()}</td>
            <td class="hidden sm:table-cell">
                <p class="flex items-center gap-1.5 whitespace-nowrap">
                    {kind_icon(source.reach.kind()).sized(tw!("size-4 text-subtle"))}
                    {kind_words(source.reach.kind())}
                </p>
                <p class="whitespace-nowrap text-[13px] text-muted">{era_words(source.verdict.as_ref())}</p>
            </td>
            <td class="hidden text-muted sm:table-cell">
                {match source.health.at {
                    Some(at) => view! { <Ago at=at/> }.into_any(),
                    None => "never".into_any(),
                }}
            </td>
        </tr>
    }
}
