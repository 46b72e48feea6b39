//! The tab of a preset with what it was: its versions, in what two of them differ, and going back.

use doorward::{
    model::{AccessLevel, ChangeKind, PresetId, PresetVersion, VersionChange},
    presets::Compared,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    history_api::{FORM_ROLL_BACK, ROLL_BACK},
    history_path, open, tabs,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Column, ConfirmInPlace, Empty, FormMistake, Icon, Panel, Pick, Select, Table, Tabs, Tone,
    },
};

/// Draws the page. The address may name two versions to compare (`?from=2&to=5`), or one (`?to=5`), which is compared
/// with the one before it.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    let number = |name| use_query_map().with_untracked(|map| map.get(name)?.parse::<i64>().ok());
    let (from, to) = (number("from"), number("to"));
    framed(Place::Presets, move |visit| load(visit, id, from, to))
}

async fn load(visit: Visit, id: String, from: Option<i64>, to: Option<i64>) -> Result<Page, Trouble> {
    let id: PresetId = open(&visit, &id, AccessLevel::Editor).await?.preset.id;
    let presets = &console().presets;
    let (open, versions) = presets.versions(&visit.member, id).await?;
    let compared = match (from, to) {
        (_, None) => None,
        // Whichever way round they are named.
        (Some(from), Some(to)) => {
            Some(presets.compare_versions(&visit.member, id, Some(from.min(to)), from.max(to)).await?)
        }
        (None, Some(to)) => Some(presets.compare_versions(&visit.member, id, None, to).await?),
    };
    let preset = &open.preset;
    let form = visit.form(FORM_ROLL_BACK);
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=history_path(id)/>
            <FormMistake form=form/>
            {compared.as_ref().map(difference)}
            {list(id, preset.version, &versions)}
            {(versions.len() > 1).then(|| compare(id, &versions, from, to))}
        </div>
    };
    Ok(Page::new(preset.title.clone(), body).above("/presets", "Presets").lead(
        "Every change is kept, with who made it. Going back brings tools, names and texts back as a new version; the \
         address, who may use it and whether it answers stay as they are.",
    ))
}

fn list(id: PresetId, current: i64, versions: &[PresetVersion]) -> AnyView {
    if versions.is_empty() {
        return view! {
            <Empty icon=Icon::Audit title="Nothing is kept yet" text="Each change from here on stands here, with who made it, and can be taken back."/>
        }
        .into_any();
    }
    let rows = versions.iter().map(|version| row(id, current, version)).collect_view();
    let columns = vec![
        Column::number("Version"),
        Column::text("What changed"),
        Column::text("Who").wide(),
        Column::text("When").wide(),
        Column::actions("Compare or go back"),
    ];
    view! { <Table caption="Versions" columns>{rows}</Table> }.into_any()
}

fn row(id: PresetId, current: i64, version: &PresetVersion) -> impl IntoView + use<> {
    let PresetVersion { version: number, saved_at, saved_by, summary } = version.clone();
    let who = if saved_by.is_empty() { "unknown".to_owned() } else { saved_by };
    let is_current = number == current;
    let fields = vec![("id", id.to_string()), ("to", number.to_string()), ("version", current.to_string())];
    let back = (!is_current).then(|| {
        view! {
            <ConfirmInPlace action=ROLL_BACK fields verb="Go back" label=format!("Go back to version {number}")>
                {format!("Clients get the tools of version {number} with their next list.")}
            </ConfirmInPlace>
        }
    });
    view! {
        <tr>
            <td class="number">{number}</td>
            <td>
                {summary} " " {is_current.then(|| view! { <Badge tone=Tone::Good word="now"/> })}
                <p class="text-xs text-muted sm:hidden">{who.clone()} ", " <Ago at=saved_at/></p>
            </td>
            <td class="hidden sm:table-cell">{who}</td>
            <td class="hidden sm:table-cell"><Ago at=saved_at/></td>
            <td class="number">
                <div class="flex flex-wrap items-start justify-end gap-2">
                    <a class="button button-small" href=format!("{}?to={number}", history_path(id)) aria-label=format!("Show what changed with version {number}")>"Show"</a>
                    {back}
                </div>
            </td>
        </tr>
    }
}

fn compare(
    id: PresetId,
    versions: &[PresetVersion],
    from: Option<i64>,
    to: Option<i64>,
) -> impl IntoView + use<> {
    let pick = |version: &PresetVersion| {
        Pick::new(version.version.to_string(), format!("{}: {}", version.version, version.summary))
    };
    let picks: Vec<Pick> = versions.iter().map(pick).collect();
    let newest = versions[0].version;
    let to = to.unwrap_or(newest);
    let from = from.unwrap_or_else(|| {
        versions.iter().map(|version| version.version).find(|version| *version < to).unwrap_or(newest)
    });
    let form = Form::new("preset-compare");
    view! {
        <Panel title="Compare two versions">
            <form class="grid max-w-xl gap-4" method="get" action=history_path(id)>
                <Select form=form.clone() name="from" label="From" first=from.to_string() picks=picks.clone()/>
                <Select form=form name="to" label="To" first=to.to_string() picks=picks/>
                <div><button class="button" type="submit">"Compare"</button></div>
            </form>
        </Panel>
    }
}

fn difference(compared: &Compared) -> impl IntoView + use<> {
    let newer = compared.after.version;
    let Some(older) = compared.before.as_ref().map(|before| before.version) else {
        return view! {
            <Panel title=format!("Version {newer}")>
                <p class="text-muted">"Nothing older is kept to compare it with."</p>
            </Panel>
        }
        .into_any();
    };
    if compared.changes.is_empty() {
        return view! {
            <Panel title=format!("From version {older} to {newer}")>
                <p class="text-muted">"They are the same."</p>
            </Panel>
        }
        .into_any();
    }
    let rows = compared.changes.iter().map(changed).collect_view();
    let columns = vec![Column::text("What"), Column::text("Before"), Column::text("After")];
    view! {
        <section class="grid grid-cols-1 gap-2" aria-label="Difference">
            <h2>{format!("From version {older} to {newer}")}</h2>
            <Table caption="Difference" columns>{rows}</Table>
        </section>
    }
    .into_any()
}

fn changed(change: &VersionChange) -> impl IntoView + use<> {
    let VersionChange { what, source, name, before, after } = change.clone();
    let label = match what {
        ChangeKind::Setting => setting(&name).to_owned(),
        ChangeKind::SourceAdded => "Data source added".to_owned(),
        ChangeKind::SourceRemoved => "Data source removed".to_owned(),
        ChangeKind::AllTools => "Every tool, also later ones".to_owned(),
        ChangeKind::ToolAdded => "Tool added".to_owned(),
        ChangeKind::ToolRemoved => "Tool removed".to_owned(),
        ChangeKind::ToolRenamed => "Name callers see".to_owned(),
        ChangeKind::ToolDescribed => "Description callers see".to_owned(),
        ChangeKind::ArgumentsChecked => "Arguments are checked".to_owned(),
        ChangeKind::Resources => "Resources".to_owned(),
        ChangeKind::Prompts => "Prompts".to_owned(),
    };
    // What is about the source or the tool itself says which below its label.
    let of = match what {
        ChangeKind::Setting | ChangeKind::SourceAdded | ChangeKind::SourceRemoved => String::new(),
        _ => match (source, name.is_empty()) {
            (Some(source), true) => source.to_string(),
            (Some(source), false) => format!("{name} of {source}"),
            (None, _) => name,
        },
    };
    let unsaid = match what {
        ChangeKind::ToolRenamed | ChangeKind::ToolDescribed => "as the source says",
        _ => "–",
    };
    let said = |text: String| {
        if text.is_empty() {
            view! { <span class="text-muted">{unsaid}</span> }.into_any()
        } else {
            view! { <span class="break-words">{text}</span> }.into_any()
        }
    };
    view! {
        <tr>
            <td>
                {label}
                {(!of.is_empty()).then(|| view! { <p class="break-all text-xs text-muted">{of}</p> })}
            </td>
            <td>{said(before)}</td>
            <td>{said(after)}</td>
        </tr>
    }
}

/// Returns what a setting is called on the other pages.
fn setting(name: &str) -> &str {
    match name {
        "title" => "Title",
        "description" => "Description",
        "slug" => "Slug",
        "visibility" => "Who may use it",
        "anonymous" => "Without a key",
        "status" => "State",
        "expires_at" => "Expiry",
        other => other,
    }
}
