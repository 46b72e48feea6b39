//! The playground's page: pick a tool, fill in its form, see what comes back.

use doorward::{
    model::{EventId, PresetId},
    presets::RouteTable,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde_json::Value;

use super::{
    api::{CALL, FORM},
    fields::{Kind, ToolInput, inputs},
    runs::{self, Run},
};
use crate::{
    context::console,
    form::{Form, encode},
    page::{Page, Place, Visit, page as framed},
    presets::{open, tabs, tools_path},
    trouble::Trouble,
    ui::{Badge, Empty, FormMistake, Icon, Panel, Snippet, Tabs, Tone, duration_us},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    let (tool, run) = use_query_map().with_untracked(|map| (map.get("tool"), map.get("run")));
    framed(Place::Presets, move |visit| load(visit, id, tool, run))
}

async fn load(visit: Visit, id: String, tool: Option<String>, run: Option<String>) -> Result<Page, Trouble> {
    let editor = open(&visit, &id).await?;
    let preset = editor.preset.ok_or(Trouble::NotFound)?;
    let table = console()
        .presets
        .route_table(editor.owner.as_str(), preset.slug.as_str())
        .await?
        .ok_or(Trouble::NotFound)?;
    let run = run.and_then(|id| id.parse::<EventId>().ok()).and_then(|id| runs::find(visit.member.user, id));
    let form = visit.form(FORM);
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(preset.id) open=format!("/presets/{}/try", preset.id)/>
            {draw(&table, tool, form, run)}
        </div>
    };
    Ok(Page::new(preset.title, body)
        .above("/presets", "Presets")
        .lead("Call a tool as an agent would: charged, audited and measured like any other call."))
}

fn draw(table: &RouteTable, tool: Option<String>, form: Form, run: Option<Run>) -> AnyView {
    let id = table.preset.id;
    let Some(chosen) = tool.as_deref().and_then(|name| table.route(name)).or_else(|| table.tools.first())
    else {
        return view! {
            <Empty icon=Icon::Layers title="This preset has no tools" text="Tick some on its first tab; then they can be called here.">
                <a class="button" href=tools_path(id)>"Pick tools"</a>
            </Empty>
        }
        .into_any();
    };
    let names: Vec<String> = table.tools.iter().map(|route| route.exposed_name.to_string()).collect();
    let definition: Value =
        serde_json::from_slice(chosen.definition(doorward::model::Era::Modern)).unwrap_or_default();
    let name = chosen.exposed_name.to_string();
    view! {
        <div class="grid grid-cols-1 gap-5 lg:grid-cols-[16rem_1fr]">
            {picker(id, names, &name)}
            <div class="grid min-w-0 content-start gap-5">
                {question(id, &name, &definition, form)}
                {run.filter(|run| run.tool == name).map(answer)}
            </div>
        </div>
    }
    .into_any()
}

fn picker(id: PresetId, names: Vec<String>, chosen: &str) -> impl IntoView + use<> {
    let links = names
        .into_iter()
        .map(|name| {
            let current = (name == chosen).then_some("page");
            let path = format!("/presets/{id}/try?tool={}", encode(&name));
            view! { <li><a class="nav-link" href=path aria-current=current><code class="truncate">{name}</code></a></li> }
        })
        .collect_view();
    view! {
        <nav class="panel max-h-96 overflow-y-auto p-2 lg:max-h-none" aria-label="Tools">
            <ul class="grid grid-cols-1 gap-0.5">{links}</ul>
        </nav>
    }
}

fn question(id: PresetId, name: &str, definition: &Value, form: Form) -> impl IntoView + use<> {
    let description = definition["description"].as_str().unwrap_or_default().to_owned();
    let fields = inputs(definition);
    let none = fields.is_empty();
    let rows = fields.into_iter().enumerate().map(|(place, input)| field(place, input, &form)).collect_view();
    let json = form.value_or("json", "");
    let open = !json.is_empty();
    let name = name.to_owned();
    let schema = serde_json::to_string_pretty(&definition["inputSchema"]).unwrap_or_default();
    view! {
        <Panel title=name.clone() lead=description>
            <form class="grid grid-cols-1 gap-4" method="post" action=CALL>
                <FormMistake form/>
                <input type="hidden" name="id" value=id.to_string()/>
                <input type="hidden" name="tool" value=name/>
                {none.then(|| view! { <p class="text-muted">"This tool takes no arguments."</p> })}
                {rows}
                <details open=open>
                    <summary class="link inline-block text-[13px]">"Write the arguments as JSON"</summary>
                    <textarea class="mt-2 w-full font-mono text-[13px]" name="json" rows="5" spellcheck="false" aria-label="Arguments as JSON, in place of the fields">
                        {json}
                    </textarea>
                </details>
                <details>
                    <summary class="link inline-block text-[13px]">"Show the input schema"</summary>
                    <pre class="snippet mt-2" tabindex="0">{schema}</pre>
                </details>
                <div><button class="button button-primary" type="submit">"Call the tool"</button></div>
            </form>
        </Panel>
    }
}

fn field(place: usize, input: ToolInput, form: &Form) -> impl IntoView + use<> {
    let ToolInput { name, kind, description, required, choices, default } = input;
    let value = form.value_or(&name, &default);
    let id = format!("argument-{place}");
    let sent = format!("fields[{place}][value]");
    let word = match kind {
        Kind::Text => "text",
        Kind::Number => "number",
        Kind::Bool => "bool",
        Kind::Choice => "choice",
        Kind::Json => "json",
    };
    let options = |choices: Vec<String>| {
        choices
            .into_iter()
            .map(|choice| {
                let selected = choice == value;
                view! { <option value=choice.clone() selected=selected>{choice.clone()}</option> }
            })
            .collect_view()
    };
    let control = match kind {
        Kind::Choice | Kind::Bool => {
            let choices = if kind == Kind::Bool { vec!["true".into(), "false".into()] } else { choices };
            let options = options(choices);
            view! {
                <select id=id.clone() name=sent required=required>
                    <option value="">"(left out)"</option>
                    {options}
                </select>
            }
            .into_any()
        }
        Kind::Json => view! {
            <textarea class="font-mono text-[13px]" id=id.clone() name=sent rows="3" spellcheck="false" required=required placeholder="JSON">
                {value}
            </textarea>
        }
        .into_any(),
        Kind::Text | Kind::Number => view! {
            <input
                id=id.clone()
                name=sent
                type="text"
                inputmode=(kind == Kind::Number).then_some("decimal")
                value=value
                autocomplete="off"
                spellcheck="false"
            />
        }
        .into_any(),
    };
    view! {
        <div class="field">
            <input type="hidden" name=format!("fields[{place}][name]") value=name.clone()/>
            <input type="hidden" name=format!("fields[{place}][kind]") value=word/>
            <label for=id>
                <code>{name}</code>
                {(!required).then(|| view! { <span class="font-normal text-muted">" (optional)"</span> })}
            </label>
            {control}
            {(!description.is_empty()).then(|| view! { <p class="field-hint">{description}</p> })}
        </div>
    }
}

/// What came back: as it reads, and as it is.
fn answer(run: Run) -> impl IntoView {
    let value: Value = serde_json::from_str(&run.answer).unwrap_or_default();
    let result = &value["result"];
    let (tone, word) = if run.status != 200 || value.get("error").is_some() {
        (Tone::Bad, "refused")
    } else if result["isError"] == Value::Bool(true) {
        (Tone::Warn, "tool error")
    } else {
        (Tone::Good, "ok")
    };
    let message = value["error"]["message"].as_str().map(str::to_owned);
    let parts: Vec<_> = result["content"].as_array().into_iter().flatten().map(part).collect();
    let raw = serde_json::to_string_pretty(&value).ok().filter(|_| !value.is_null()).unwrap_or(run.answer);
    view! {
        <Panel title="Answer">
            <div class="grid grid-cols-1 gap-4">
                <p class="flex flex-wrap items-center gap-3">
                    <Badge tone word/>
                    <span class="text-muted">{duration_us(run.duration_us)}</span>
                    <span class="text-muted">{format!("HTTP {}", run.status)}</span>
                </p>
                {message.map(|text| view! { <p>{text}</p> })}
                {parts}
                <details>
                    <summary class="link inline-block text-[13px]">"Show what was sent"</summary>
                    <div class="mt-2"><Snippet text=run.arguments/></div>
                </details>
                <details>
                    <summary class="link inline-block text-[13px]">"Show the raw answer"</summary>
                    <div class="mt-2"><Snippet text=raw/></div>
                </details>
            </div>
        </Panel>
    }
}

/// Draws a part of a result: text as it is, pictures as pictures, the rest by its kind.
fn part(part: &Value) -> AnyView {
    let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
    match part["type"].as_str() {
        Some("text") => {
            view! { <pre class="snippet whitespace-pre-wrap" tabindex="0">{text("text")}</pre> }.into_any()
        }
        Some("image") => {
            let kind = text("mimeType");
            let drawable = ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&kind.as_str());
            if drawable {
                let source = format!("data:{kind};base64,{}", text("data"));
                view! { <img class="max-w-full rounded border border-line" src=source alt="The picture the tool sent"/> }.into_any()
            } else {
                view! { <p class="text-muted">"A picture of the kind " {kind} ", which is not drawn here."</p> }.into_any()
            }
        }
        Some("resource_link") => {
            view! { <p>"Resource " <code class="break-all">{text("uri")}</code></p> }.into_any()
        }
        kind => {
            let kind = kind.unwrap_or("unknown").to_owned();
            view! { <p class="text-muted">"A part of the kind " {kind} ": see the raw answer."</p> }
                .into_any()
        }
    }
}
