//! The page of API keys.

use std::collections::HashMap;

use doorward::{
    clock::Ms,
    model::{ApiKey, KeyScope, PresetId},
};
use leptos::prelude::*;

use super::api::{CREATE, FORM, REVOKE};
use crate::{
    context::console,
    form::Form,
    limits::{self, KeyLimits},
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{
        Ago, Badge, Choice, Column, ConfirmInPlace, Copyable, Empty, Field, FormMistake, Icon, Notice, Panel,
        Pick, Select, Table, Tone, now,
    },
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Keys, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let console = console();
    let mut keys = console.identity.keys(&visit.member).await?;
    let presets = console.presets.list(&visit.member).await?;
    let mut presets: Vec<_> =
        presets.into_iter().map(|item| (item.preset.id, item.preset.slug.to_string())).collect();
    let shared = console.presets.shared_with(&visit.member).await?;
    presets
        .extend(shared.iter().map(|open| (open.preset.id, format!("{}/{}", open.owner, open.preset.slug))));
    // Those that work come first, the newest first.
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    let limits = limits::of_keys(&keys, visit.form(limits::FORM)).await;
    let form = visit.form(FORM);
    Ok(Page::new("API keys", draw(keys, presets, form, &limits, visit.once))
        .lead("What agents and programs sign in with. Each acts in your name, within what you let it reach."))
}

fn draw(
    keys: Vec<ApiKey>,
    presets: Vec<(PresetId, String)>,
    form: Form,
    limits: &KeyLimits,
    once: Option<String>,
) -> impl IntoView + use<> {
    view! {
        <div class="grid grid-cols-1 gap-6">
            {once.map(|text| view! {
                <Notice tone=Tone::Warn>
                    <div class="grid grid-cols-1 gap-2">
                        <p class="font-medium">"Copy the key now: it is shown this once and kept only as a hash."</p>
                        <Copyable text/>
                    </div>
                </Notice>
            })}
            {list(&keys, &presets, limits)}
            {create(presets, form)}
        </div>
    }
}

fn list(keys: &[ApiKey], presets: &[(PresetId, String)], limits: &KeyLimits) -> AnyView {
    if keys.is_empty() {
        return view! {
            <Empty
                icon=Icon::Key
                title="No keys yet"
                text="An agent that cannot open a browser to sign in sends a key with every call. Make the first one below."
            />
        }
        .into_any();
    }
    let names: HashMap<PresetId, &str> = presets.iter().map(|(id, slug)| (*id, slug.as_str())).collect();
    let now = now();
    let rows = keys.iter().map(|key| row(key, &names, now, limits)).collect_view();
    let columns = vec![
        Column::text("Name"),
        Column::text("Reaches").wide(),
        Column::text("State"),
        Column::text("Last used").wide(),
        Column::actions("Revoke"),
    ];
    view! { <Table caption="API keys" columns>{rows}</Table> }.into_any()
}

fn row(key: &ApiKey, names: &HashMap<PresetId, &str>, now: Ms, limits: &KeyLimits) -> impl IntoView + use<> {
    let reach = match &key.scope {
        KeyScope::Everything => "everything, and the REST API".to_owned(),
        KeyScope::Presets(ids) => {
            let names: Vec<_> = ids.iter().map(|id| names.get(id).copied().unwrap_or("deleted")).collect();
            names.join(", ")
        }
    };
    let works = key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now);
    let (tone, word) = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => (Tone::Off, "revoked"),
        (None, Some(end)) if end <= now => (Tone::Off, "expired"),
        (None, _) => (Tone::Good, "works"),
    };
    let ends = key.expires_at.filter(|_| works);
    let used = key.last_used_at;
    let created = key.created_at;
    let label = format!("Revoke {}", key.name);
    let limit = works.then(|| limits.of(key));
    let fields = vec![("id", key.id.to_string())];
    view! {
        <tr>
            <td>
                <span class="font-medium">{key.name.clone()}</span>
                <code class="block max-w-32 truncate text-xs text-muted lg:max-w-48 xl:max-w-none">"dw_" {key.id.0.simple().to_string()} "_…"</code>
            </td>
            <td class="hidden sm:table-cell">{reach}</td>
            <td>
                <Badge tone word/>
                {limit}
                {ends.map(|at| view! { <p class="text-xs text-muted">"ends " <Ago at/></p> })}
            </td>
            <td class="hidden sm:table-cell">
                {used.map_or_else(|| "never".into_any(), |at| view! { <Ago at/> }.into_any())}
                <p class="text-xs text-muted">"made " <Ago at=created/></p>
            </td>
            <td class="number">
                {works.then(|| view! {
                    <ConfirmInPlace action=REVOKE fields verb="Revoke" label>
                        "Whatever signs in with it is refused from the next call on. There is no way back."
                    </ConfirmInPlace>
                })}
            </td>
        </tr>
    }
}

fn create(presets: Vec<(PresetId, String)>, form: Form) -> impl IntoView {
    let reach = vec![
        Pick::new("presets", "Chosen presets")
            .meaning("Calls tools of the presets ticked below, and nothing else."),
        Pick::new("everything", "Everything of yours")
            .meaning("Every preset you may use, and the REST API in your name. Keep it like a password."),
    ];
    let lives = vec![
        Pick::new("30", "30 days"),
        Pick::new("90", "90 days"),
        Pick::new("365", "a year"),
        Pick::new("never", "until it is revoked"),
    ];
    let none = presets.is_empty();
    let first_reach = if none { "everything" } else { "presets" };
    let boxes = presets
        .into_iter()
        .map(|(id, slug)| {
            view! {
                <label class="flex items-center gap-2">
                    <input type="checkbox" name="presets[]" value=id.to_string()/>
                    <span>{slug}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <Panel title="Make a key">
            <form class="grid max-w-xl gap-4" method="post" action=CREATE>
                <FormMistake form=form.clone()/>
                <Field
                    form=form.clone()
                    name="name"
                    label="Name"
                    placeholder="laptop"
                    hint="Where it will be used, so that you know later which one to revoke."
                />
                <Choice form=form.clone() name="reach" label="It reaches" first=first_reach picks=reach/>
                {(!none).then(|| view! {
                    <fieldset class="grid grid-cols-1 gap-2">
                        <legend class="mb-1 font-medium">"Presets"</legend>
                        {boxes}
                    </fieldset>
                })}
                <Select form=form.clone() name="expires" label="It works for" first="90" picks=lives/>
                {limits::rate_field(form, "Calls with it", None)}
                <div>
                    <button class="button button-primary" type="submit">{Icon::Key.draw()} "Make the key"</button>
                </div>
            </form>
        </Panel>
    }
}
