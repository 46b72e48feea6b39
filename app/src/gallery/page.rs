//! The page of the gallery.

use std::sync::Arc;

use doorward::presets::{GalleryPage, RouteTable};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    context::console,
    form::{Form, encode},
    page::{Page, Place, Visit, bare, page as framed},
    presets::{fork_path, shown},
    session,
    trouble::Trouble,
    ui::{Badge, Copyable, Empty, Field, Icon, Pages, Tone},
};

/// How many tools of a preset are named before they are folded away.
const NAMED_MAX: usize = 6;

/// What is looked for.
#[derive(Clone, Default)]
struct Asked {
    search: String,
    after: Option<String>,
}

/// Draws the page: in the frame for whoever is signed in, bare for everybody else.
pub(crate) fn page() -> AnyView {
    let asked = use_query_map().with_untracked(|map| Asked {
        search: map.get("search").unwrap_or_default(),
        after: map.get("after").filter(|after| !after.is_empty()),
    });
    Suspend::new(async move {
        match session::find().await {
            Ok(None) if console().settings.public_gallery => bare(move |_| load_for_nobody(asked)),
            _ => framed(Place::Gallery, move |visit| load(visit, asked)),
        }
    })
    .into_any()
}

async fn load(visit: Visit, asked: Asked) -> Result<Page, Trouble> {
    let found = console().presets.gallery(Some(&visit.member), &asked.search, asked.after.as_deref()).await?;
    Ok(Page::new("Gallery", draw(found, &asked, true))
        .lead("The presets that everybody here may use. Each stands under whoever shares it."))
}

async fn load_for_nobody(asked: Asked) -> Result<Page, Trouble> {
    let found = console().presets.gallery(None, &asked.search, asked.after.as_deref()).await?;
    let body = view! {
        {draw(found, &asked, false)}
        <p class="border-t border-line pt-4 text-muted">
            <a class="link" href="/sign-in?next=/gallery">"Sign in"</a> " to find those that ask for a key, too."
        </p>
    };
    Ok(Page::new("Gallery", body).lead("Presets that anybody may use, without a key."))
}

fn draw(found: GalleryPage, asked: &Asked, may_fork: bool) -> impl IntoView + use<> {
    let list = if found.presets.is_empty() {
        let (title, text) = match asked.search.trim() {
            "" => (
                "Nothing is public yet",
                "A preset stands here once its owner lets everybody use it: in its settings, under Who may use it.",
            ),
            _ => (
                "Nothing was found",
                "Every word must stand in the owner, the name, the description or the name of a tool. Try fewer words.",
            ),
        };
        view! { <Empty icon=Icon::Globe title text/> }.into_any()
    } else {
        let base = console().settings.base_url.clone();
        let entries = found.presets.into_iter().map(|table| entry(&table, &base, may_fork)).collect_view();
        view! { <ul class="grid grid-cols-1 gap-3">{entries}</ul> }.into_any()
    };
    let search = encode(&asked.search).replace('/', "%2F");
    let newest = asked.after.is_some().then(|| format!("/gallery?search={search}"));
    let older = found.next.map(|after| format!("/gallery?search={search}&after={after}"));
    let form = Form::new("gallery");
    view! {
        <div class="grid grid-cols-1 gap-5">
            <form class="flex flex-wrap items-end gap-3" method="get" action="/gallery" role="search">
                <div class="min-w-0 flex-1 basis-64">
                    <Field form name="search" label="Search" kind="search" optional=true plain=true first=asked.search.clone() placeholder="words in names, descriptions and tools"/>
                </div>
                <button class="button" type="submit">{Icon::Search.draw()} "Search"</button>
            </form>
            {list}
            <Pages newest older/>
        </div>
    }
}

fn entry(table: &Arc<RouteTable>, base: &str, may_fork: bool) -> impl IntoView + use<> {
    let (preset, owner) = (&table.preset, &table.owner);
    let address = format!("{base}/mcp/{owner}/{}", preset.slug);
    let (tone, word) =
        if preset.anonymous { (Tone::Good, "without a key") } else { (Tone::Off, "with a key") };
    let label = format!("Fork {owner}/{}", preset.slug);
    let fork = may_fork.then(|| view! { <a class="button button-small ml-auto" href=fork_path(preset.id) aria-label=label>"Fork"</a> });
    let tools: Vec<_> = table.tools.iter().map(shown).collect();
    let count = match tools.len() {
        0 => "No tools at the moment".to_owned(),
        1 => "1 tool".to_owned(),
        many => format!("{many} tools"),
    };
    let mut named: Vec<_> = tools.iter().take(NAMED_MAX).map(|(name, _)| name.clone()).collect();
    if tools.len() > NAMED_MAX {
        named.push("…".to_owned());
    }
    let rows = tools
        .into_iter()
        .map(|(name, text)| {
            view! { <li><code class="break-all">{name}</code> " " <span class="text-muted">{text}</span></li> }
        })
        .collect_view();
    let summary = if named.is_empty() { count } else { format!("{count}: {}", named.join(", ")) };
    view! {
        <li class="panel grid gap-2 p-4">
            <div class="flex flex-wrap items-center gap-2">
                <h2 class="break-words">{preset.title.clone()}</h2>
                <span class="text-muted">"by " {owner.to_string()}</span>
                <Badge tone word/>
                {fork}
            </div>
            {(!preset.description.is_empty()).then(|| view! { <p class="max-w-3xl line-clamp-2">{preset.description.clone()}</p> })}
            <details>
                <summary class="link break-words text-[13px]">{summary}</summary>
                <ul class="mt-2 grid gap-1 text-[13px]">{rows}</ul>
            </details>
            <Copyable text=address/>
        </li>
    }
}
