//! What came back: as it reads, and as it is.

use doorward::model::PresetId;
use leptos::prelude::*;
use serde_json::Value;

use super::{
    runs::Run,
    what::{Subject, What},
};
use crate::{
    trouble::sentence,
    ui::{Badge, Panel, Snippet, Tone, duration_us, prose},
};

/// Draws it.
pub(super) fn answer(preset: PresetId, run: Run) -> impl IntoView {
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
    let part = |one: &Value| part(preset, one);
    let parts: Vec<_> = result["content"].as_array().into_iter().flatten().map(part).collect();
    let contents: Vec<_> =
        result["contents"].as_array().into_iter().flatten().map(|one| resource(preset, one)).collect();
    let messages: Vec<_> =
        result["messages"].as_array().into_iter().flatten().map(|one| turn(preset, one)).collect();
    let is_empty = result.is_object()
        && parts.is_empty()
        && contents.is_empty()
        && messages.is_empty()
        && result["structuredContent"].is_null();
    let description = result["description"].as_str().map(str::to_owned);
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
                {description.map(|text| view! { <p class="text-muted">{text}</p> })}
                {parts}
                {contents}
                {messages}
                {is_empty.then(|| view! { <p class="text-muted">"It came back empty."</p> })}
                {structured}
                <details>
                    <summary class="link inline-block text-[13px]">"Show what was sent"</summary>
                    <div class="mt-2"><Snippet text=run.sent/></div>
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

/// Draws a message of a prompt: who says it, and what.
fn turn(preset: PresetId, message: &Value) -> AnyView {
    let role = message["role"].as_str().unwrap_or("unknown").to_owned();
    let content = &message["content"];
    let parts: Vec<_> = match content {
        Value::Array(several) => several.iter().map(|one| part(preset, one)).collect(),
        one => vec![part(preset, one)],
    };
    view! {
        <div class="grid grid-cols-1 gap-1">
            <h3>{role}</h3>
            {parts}
        </div>
    }
    .into_any()
}

/// Draws a part of a result: text as it is, pictures as pictures, the rest by its kind.
fn part(preset: PresetId, part: &Value) -> AnyView {
    let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
    match part["type"].as_str() {
        Some("text") => written(text("text")),
        Some("image") => picture(&text("mimeType"), &text("data")),
        Some("resource_link") => address(preset, text("uri")).into_any(),
        Some("resource") => resource(preset, &part["resource"]),
        kind => {
            let kind = kind.unwrap_or("unknown").to_owned();
            view! { <p class="text-muted">"A part of the kind " {kind} ": see the raw answer."</p> }
                .into_any()
        }
    }
}

/// Draws what is in a resource, below its address.
fn resource(preset: PresetId, resource: &Value) -> AnyView {
    let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    let kind = text("mimeType");
    let content = match (resource.get("text"), resource.get("blob")) {
        (Some(_), _) => written(text("text")),
        (None, Some(_)) if kind.starts_with("image/") => picture(&kind, &text("blob")),
        (None, _) => {
            view! { <p class="text-muted">"It is of the kind " {kind} ": see the raw answer."</p> }.into_any()
        }
    };
    view! {
        <div class="grid grid-cols-1 gap-1">
            {address(preset, text("uri"))}
            {content}
        </div>
    }
    .into_any()
}

fn written(text: String) -> AnyView {
    view! { <pre class="snippet whitespace-pre-wrap" tabindex="0">{text}</pre> }.into_any()
}

/// The kinds of pictures that every browser draws and that run no scripts.
const DRAWABLE: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

fn picture(kind: &str, data: &str) -> AnyView {
    if DRAWABLE.contains(&kind) {
        let source = format!("data:{kind};base64,{data}");
        view! { <img class="max-w-full rounded border border-line" src=source alt="The picture that was sent"/> }.into_any()
    } else {
        let kind = kind.to_owned();
        view! { <p class="text-muted">"A picture of the kind " {kind} ", which is not drawn here."</p> }
            .into_any()
    }
}

/// A resource's address, with a way to read it.
fn address(preset: PresetId, uri: String) -> impl IntoView {
    let path = Subject { what: What::Resource, name: uri.clone() }.path(&preset.to_string());
    view! { <p>"Resource " <a class="link" href=path><code class="break-all">{uri}</code></a></p> }
}
