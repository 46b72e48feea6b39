//! The playground's page: pick what the preset publishes, fill in its form, see what comes back.

use doorward::{
    model::{AccessLevel, Era, EventId, PresetId},
    policy,
    presets::RouteTable,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde_json::Value;

use super::{
    answer::answer,
    api::{CALL, FORM, argument},
    fields::{Input, Kind, inputs, prompt_inputs, template_inputs},
    runs::{self, Run},
    what::{Subject, What},
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    presets::{open, tabs, tools_path},
    trouble::Trouble,
    ui::{Empty, FormMistake, Frame, Icon, Panel, Tabs, TextArea, now},
};

/// How many of a kind are listed; more are found by their address in the page's own.
const LISTED_MAX: usize = 500;

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    let (asked, run) =
        use_query_map().with_untracked(|map| (Subject::asked(|word| map.get(word)), map.get("run")));
    framed(Place::Presets, move |visit| load(visit, id, asked, run))
}

async fn load(
    visit: Visit,
    id: String,
    asked: Option<Subject>,
    run: Option<String>,
) -> Result<Page, Trouble> {
    let open = open(&visit, &id, AccessLevel::Viewer).await?;
    policy::may_try(&visit.member, &open.permit)?;
    let preset = open.preset.clone();
    let table = console()
        .presets
        .route_table(open.owner.as_str(), preset.slug.as_str())
        .await?
        .ok_or(Trouble::NotFound)?;
    let run =
        run.and_then(|id| id.parse::<EventId>().ok()).and_then(|id| runs::find(visit.member.user, id, now()));
    // After a request what was filled in stands in the form again, to be changed and sent once more.
    let form = visit.form(FORM).filled(run.as_ref().map(Run::typed).unwrap_or_default());
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=format!("/presets/{}/try", preset.id)/>
            {draw(&table, asked, form, run)}
        </div>
    };
    Ok(Page::new(preset.title, body).above("/presets", "Presets").lead(
        "Call a tool, get a prompt or read a resource as an agent would: permitted, audited and measured alike. Calls of tools are charged.",
    ))
}

fn draw(table: &RouteTable, asked: Option<Subject>, form: Form, run: Option<Run>) -> AnyView {
    let id = table.preset.id;
    let shelves: Vec<Shelf> = What::ALL
        .into_iter()
        .map(|what| Shelf::of(table, what))
        .filter(|shelf| !shelf.items.is_empty())
        .collect();
    let first = || {
        let shelf = shelves.first()?;
        Some(Subject { what: shelf.what, name: shelf.items.first()?.name.clone() })
    };
    let Some(subject) = asked.filter(|subject| may_be_there(table, subject)).or_else(first) else {
        return view! {
            <Empty icon=Icon::Layers title="This preset publishes nothing" text="Pick tools on its first tab, or switch on a source's resources and prompts there; then they can be tried here.">
                <a class="button" href=tools_path(id)>"Pick tools"</a>
            </Empty>
        }
        .into_any();
    };
    let definition = definition(table, &shelves, &subject);
    let question = question(id, &subject, &definition, form);
    let pickers = shelves.into_iter().map(|shelf| picker(id, shelf, &subject)).collect_view();
    view! {
        <div class="grid grid-cols-1 gap-5 lg:grid-cols-[16rem_1fr]">
            <div class="grid min-w-0 content-start gap-4">{pickers}</div>
            <div class="grid min-w-0 content-start gap-5">
                {question}
                {run.filter(|run| run.subject == subject).map(|run| answer(id, run))}
            </div>
        </div>
    }
    .into_any()
}

/// Says whether it makes sense to ask for it. A resource need not be listed to be there.
fn may_be_there(table: &RouteTable, subject: &Subject) -> bool {
    match subject.what {
        What::Tool => table.route(&subject.name).is_some(),
        What::Prompt => table.prompt(&subject.name).is_some(),
        What::Resource | What::Template => true,
    }
}

/// Returns what callers are told of it; null if it is not listed.
fn definition(table: &RouteTable, shelves: &[Shelf], subject: &Subject) -> Value {
    let read = |definition: &[u8]| -> Value { serde_json::from_slice(definition).unwrap_or_default() };
    match subject.what {
        What::Tool => table.route(&subject.name).map(|tool| read(tool.definition(Era::Modern).as_ref())),
        What::Prompt => table.prompt(&subject.name).map(|prompt| read(prompt.definition.as_ref())),
        What::Resource | What::Template => {
            let mut shelf = shelves.iter().filter(|shelf| shelf.what == subject.what);
            let mut items = shelf.next().into_iter().flat_map(|shelf| &shelf.items);
            items.find(|item| item.name == subject.name).map(|item| item.definition.clone())
        }
    }
    .unwrap_or_default()
}

/// What the preset publishes of one kind.
struct Shelf {
    what: What,
    items: Vec<Item>,
    /// Whether there are more.
    more: bool,
}

struct Item {
    /// What it is asked for by.
    name: String,
    definition: Value,
}

impl Shelf {
    fn of(table: &RouteTable, what: What) -> Self {
        let list = what.list();
        let mut items = Vec::new();
        let mut cursor = None;
        while let Some(page) = table.page(list, Era::Modern, cursor.as_deref()) {
            let mut result: Value = serde_json::from_slice(&page.result).unwrap_or_default();
            for definition in result[list.member()].as_array_mut().into_iter().flatten() {
                let definition = definition.take();
                let name = definition[list.key()].as_str().unwrap_or_default().to_owned();
                items.push(Item { name, definition });
            }
            cursor = page.next_cursor;
            if cursor.is_none() || items.len() >= LISTED_MAX {
                break;
            }
        }
        Self { what, items, more: cursor.is_some() }
    }
}

fn picker(id: PresetId, shelf: Shelf, chosen: &Subject) -> impl IntoView + use<> {
    let Shelf { what, items, more } = shelf;
    let count = items.len();
    let links = items
        .into_iter()
        .map(|Item { name, definition }| {
            let subject = Subject { what, name };
            let current = (subject == *chosen).then_some("page");
            let path = subject.path(&id.to_string());
            let (name, hover) = (subject.name.clone(), subject.name);
            let title = match what {
                What::Tool | What::Prompt => None,
                What::Resource | What::Template => {
                    words(&definition, "title").or_else(|| words(&definition, "name"))
                }
            };
            view! {
                <li>
                    <a class="nav-link" href=path aria-current=current title=hover>
                        <span class="grid min-w-0">
                            {title.map(|title| view! { <span class="truncate">{title}</span> })}
                            <code class="truncate">{name}</code>
                        </span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav class="panel max-h-96 overflow-y-auto p-2" aria-label=what.title()>
            <p class="px-2 pb-1 text-[13px] font-medium text-muted">{what.title()}</p>
            <ul class="grid grid-cols-1 gap-0.5">{links}</ul>
            {more.then(|| view! { <p class="px-2 pt-1 text-[13px] text-muted">{format!("The first {count}; there are more.")}</p> })}
        </nav>
    }
}

/// Returns a member of a definition that says something.
fn words(definition: &Value, member: &str) -> Option<String> {
    definition[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn question(id: PresetId, subject: &Subject, definition: &Value, form: Form) -> impl IntoView + use<> {
    let Subject { what, name } = subject.clone();
    let description = words(definition, "description").unwrap_or_default();
    let fields = match what {
        What::Tool => inputs(definition),
        What::Prompt => prompt_inputs(definition),
        What::Resource => Vec::new(),
        What::Template => template_inputs(&name),
    };
    let none = fields.is_empty();
    let rows = fields.into_iter().enumerate().map(|(place, input)| field(place, input, &form)).collect_view();
    let title = words(definition, "title").or_else(|| words(definition, "name"));
    let (title, address) = match what {
        What::Tool | What::Prompt => (name.clone(), None),
        What::Resource | What::Template => (title.unwrap_or_else(|| name.clone()), Some(name.clone())),
    };
    let kind = words(definition, "mimeType");
    let (show, shown) = match what {
        What::Tool => ("Show the input schema", &definition["inputSchema"]),
        What::Prompt | What::Resource | What::Template => ("Show the definition", definition),
    };
    let shown = serde_json::to_string_pretty(shown).ok().filter(|_| !shown.is_null());
    view! {
        <Panel title=title lead=description>
            <form class="grid grid-cols-1 gap-4" method="post" action=CALL>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="id" value=id.to_string()/>
                <input type="hidden" name="what" value=what.word()/>
                <input type="hidden" name="name" value=name/>
                {address.map(|address| view! {
                    <p class="min-w-0">
                        <code class="break-all">{address}</code>
                        {kind.map(|kind| view! { <span class="text-muted">" (" {kind} ")"</span> })}
                    </p>
                })}
                {none.then(|| view! { <p class="text-muted">{what.takes_nothing()}</p> })}
                {rows}
                {(what == What::Tool).then(|| as_json(&form))}
                {shown.map(|shown| view! {
                    <details>
                        <summary class="link inline-block text-[13px]">{show}</summary>
                        <pre class="snippet mt-2" tabindex="0">{shown}</pre>
                    </details>
                })}
                <div><button class="button button-primary" type="submit">{what.action()}</button></div>
            </form>
        </Panel>
    }
}

/// A field for all arguments at once.
fn as_json(form: &Form) -> impl IntoView + use<> {
    let open = form.value("json").is_some_and(|json| !json.is_empty());
    view! {
        <details open=open>
            <summary class="link inline-block text-[13px]">"Write the arguments as JSON"</summary>
            <div class="mt-2">
                <TextArea
                    form=form.clone()
                    name="json"
                    label="Arguments as JSON, in place of the fields"
                    rows=5
                    optional=true
                    mono=true
                />
            </div>
        </details>
    }
}

fn field(place: usize, input: Input, form: &Form) -> impl IntoView + use<> {
    let Input { name, kind, description, required, choices, default } = input;
    let key = argument(&name);
    let frame = Frame::new(form, &key).hint(description).optional(!required);
    let value = form.value_or(&key, &default);
    let sent = format!("fields[{place}][value]");
    let word = match kind {
        Kind::Text => "text",
        Kind::Number => "number",
        Kind::Bool => "bool",
        Kind::Choice => "choice",
        Kind::Json => "json",
    };
    let control = match kind {
        Kind::Choice | Kind::Bool => {
            let choices = if kind == Kind::Bool { vec!["true".into(), "false".into()] } else { choices };
            let options = choices
                .into_iter()
                .map(|choice| {
                    let selected = choice == value;
                    view! { <option value=choice.clone() selected=selected>{choice.clone()}</option> }
                })
                .collect_view();
            view! {
                <select
                    id=frame.id()
                    name=sent
                    required=required
                    aria-invalid=frame.invalid()
                    aria-describedby=frame.described_by()
                >
                    <option value="">"(left out)"</option>
                    {options}
                </select>
            }
            .into_any()
        }
        Kind::Json => view! {
            <textarea
                class="font-mono text-[13px]"
                id=frame.id()
                name=sent
                rows="3"
                spellcheck="false"
                placeholder="JSON"
                aria-invalid=frame.invalid()
                aria-describedby=frame.described_by()
            >
                {value}
            </textarea>
        }
        .into_any(),
        Kind::Text | Kind::Number => view! {
            <input
                id=frame.id()
                name=sent
                type="text"
                inputmode=(kind == Kind::Number).then_some("decimal")
                value=value
                autocomplete="off"
                spellcheck="false"
                aria-invalid=frame.invalid()
                aria-describedby=frame.described_by()
            />
        }
        .into_any(),
    };
    view! {
        <input type="hidden" name=format!("fields[{place}][name]") value=name.clone()/>
        <input type="hidden" name=format!("fields[{place}][kind]") value=word/>
        {frame.around(view! { <code>{name}</code> }, control)}
    }
}
