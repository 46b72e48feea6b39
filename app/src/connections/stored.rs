//! Credentials that somebody typed: nothing renews them and nobody says when they end, so what there is to tell is
//! whether their source takes them.

use doorward::{model::Source, presets::PresetSummary, sources::SourceSummary};
use leptos::prelude::*;

use crate::{
    sources::health_badge,
    trouble::sentence,
    ui::{Ago, Column, Table},
};

/// The most characters of why a source fails that a row shows.
const DETAIL_MAX: usize = 160;

/// Draws the data sources with such a credential; nothing if there is none.
pub(super) fn draw(sources: Vec<SourceSummary>, presets: &[PresetSummary]) -> AnyView {
    let stored: Vec<_> =
        sources.into_iter().filter_map(|summary| Some((words(&summary.source)?, summary.source))).collect();
    if stored.is_empty() {
        return ().into_any();
    }
    let rows = stored.into_iter().map(|(words, source)| row(words, &source, presets)).collect_view();
    let columns = vec![
        Column::text("Data source"),
        Column::text("State"),
        Column::text("Last edited").wide(),
        Column::text("Used by").wide(),
        Column::actions("Replace"),
    ];
    view! {
        <section class="grid grid-cols-1 gap-3">
            <h2>"Stored credentials"</h2>
            <p class="max-w-3xl text-muted">
                "Typed by somebody, so nobody renews them: when one ends, its data source fails until you put in another."
            </p>
            <Table caption="Stored credentials" columns>{rows}</Table>
        </section>
    }
    .into_any()
}

fn row(words: String, source: &Source, presets: &[PresetSummary]) -> impl IntoView + use<> {
    let (name, at) = (source.name.to_string(), source.updated_at);
    let path = format!("/sources/{}", source.id);
    let replace = format!("{path}/edit");
    let label = format!("Replace the credential of {name}");
    let why: String = sentence(&source.health.detail).chars().take(DETAIL_MAX).collect();
    let takes = |summary: &&PresetSummary| summary.sources.iter().any(|taken| taken.id == source.id);
    let used: Vec<_> = presets.iter().filter(takes).map(|summary| summary.preset.slug.to_string()).collect();
    let used = if used.is_empty() { "–".to_owned() } else { used.join(", ") };
    view! {
        <tr>
            <td>
                <a class="link font-medium" href=path>{name}</a>
                <p class="text-xs text-muted">{words}</p>
            </td>
            <td>
                {health_badge(source)}
                {(!why.is_empty()).then(|| view! { <p class="text-xs text-muted break-words">{why}</p> })}
            </td>
            <td class="hidden sm:table-cell"><Ago at/></td>
            <td class="hidden sm:table-cell">{used}</td>
            <td class="number"><a class="button button-small" href=replace aria-label=label>"Replace"</a></td>
        </tr>
    }
}

/// Says what is stored for a source; `None` if nothing is.
fn words(source: &Source) -> Option<String> {
    let kind = match source.auth_kind.as_str() {
        "bearer" => Some("A bearer token"),
        "basic" => Some("A user name and a password"),
        "header" => Some("A header of its own"),
        _ => None,
    };
    match (kind, source.env_names.is_empty()) {
        (Some(kind), _) => Some(kind.to_owned()),
        (None, false) => Some(format!("Environment: {}", source.env_names.join(", "))),
        (None, true) => None,
    }
}
