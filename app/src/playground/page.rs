//! The playground's page: pick a tool, fill in its form, see what comes back.

use doorward::{
    model::{EventId, PresetId},
    presets::RouteTable,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde_json::Value;

use super::{
    api::{CALL, FORM, argument},
    fields::{Kind, ToolInput, inputs},
    runs::{self, Run},
};
use crate::{
    context::console,
    form::{Form, encode},
    page::{Page, Place, Visit, page as framed},
    presets::{open, tabs, tools_path},
    trouble::{Trouble, sentence},
    ui::{
        Badge, Empty, FormMistake, Frame, Icon, Panel, Snippet, Tabs, TextArea, Tone, duration_us, now, prose,
    },
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
    let run =
        run.and_then(|id| id.parse::<EventId>().ok()).and_then(|id| runs::find(visit.member.user, id, now()));
    // After a call its arguments stand in the form again, to be changed and sent once more.
    let form = visit.form(FORM).filled(run.as_ref().map(Run::typed).unwrap_or_default());
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
    let open = form.value("json").is_some_and(|json| !json.is_empty());
    let name = name.to_owned();
    let schema = serde_json::to_string_pretty(&definition["inputSchema"]).unwrap_or_default();
    view! {
        <Panel title=name.clone() lead=description>
            <form class="grid grid-cols-1 gap-4" method="post" action=CALL>
                <FormMistake form=form.clone()/>
                <input type="hidden" name="id" value=id.to_string()/>
                <input type="hidden" name="tool" value=name/>
                {none.then(|| view! { <p class="text-muted">"This tool takes no arguments."</p> })}
                {rows}
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

/// What came back: as it reads, and as it is.
fn answer(run: Run) -> impl IntoView {
    let value: Value = serde_json::from_str(&run.answer).unwrap_or_default();
    let result = &value["result"];
    let (tone, word) = if matches!(run.status, 401 | 403 | 429) {
        (Tone::Bad, "refused")
    } else if run.status != 200 || value.get("error").is_some() {
        (Tone::Bad, "failed")
    } else if result["isError"] == Value::Bool(true) {
        (Tone::Warn, "tool error")
    } else {
        (Tone::Good, "ok")
    };
    let message = value["error"]["message"].as_str().map(str::to_owned);
    let parts: Vec<_> = result["content"].as_array().into_iter().flatten().map(part).collect();
    let structured = structured(&result["structuredContent"]);
    let raw = serde_json::to_string_pretty(&value).ok().filter(|_| !value.is_null()).unwrap_or(run.answer);
    view! {
        <Panel title="Answer">
            <div class="grid grid-cols-1 gap-4">
                <p class="flex flex-wrap items-center gap-3">
                    <Badge tone word/>
                    <span class="text-muted">{duration_us(run.duration_us)}</span>
                    <span class="text-muted">{format!("HTTP {}", run.status)}</span>
                </p>
                {message.map(|text| view! { <p>{prose(&sentence(&text))}</p> })}
                {parts}
                {structured}
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

/// Draws what a tool with an output schema says besides.
fn structured(value: &Value) -> Option<impl IntoView + use<>> {
    let text = serde_json::to_string_pretty(value).ok().filter(|_| !value.is_null())?;
    Some(view! {
        <div class="grid grid-cols-1 gap-1">
            <h3>"Structured output"</h3>
            <Snippet text/>
        </div>
    })
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
        Some("resource") => {
            let resource = &part["resource"];
            let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
            let content = match resource.get("text") {
                Some(_) => {
                    view! { <pre class="snippet whitespace-pre-wrap" tabindex="0">{text("text")}</pre> }
                        .into_any()
                }
                None => {
                    let kind = text("mimeType");
                    view! { <p class="text-muted">"It is of the kind " {kind} ": see the raw answer."</p> }
                        .into_any()
                }
            };
            view! {
                <div class="grid grid-cols-1 gap-1">
                    <p>"Resource " <code class="break-all">{text("uri")}</code></p>
                    {content}
                </div>
            }
            .into_any()
        }
        kind => {
            let kind = kind.unwrap_or("unknown").to_owned();
            view! { <p class="text-muted">"A part of the kind " {kind} ": see the raw answer."</p> }
                .into_any()
        }
    }
}
