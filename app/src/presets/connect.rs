//! The second tab of a preset: the lines that connect a client to it.

use doorward::{
    model::{AccessLevel, KeyScope, Preset, Visibility},
    store::EventFilter,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{open, owned_by, tabs};
use crate::{
    context::console,
    island::FirstCall,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Badge, Copyable, Icon, Notice, Panel, Snippet, Tab, Tabs, Tone},
};

/// The clients there are lines for: the word in the address, the name, and what to do with the lines.
const CLIENTS: &[(&str, &str, &str)] = &[
    ("claude-code", "Claude Code", "Run this in the project's folder."),
    (
        "claude",
        "Claude Desktop and web",
        "Desktop: put this into claude_desktop_config.json (Settings, Developer, Edit Config) and start Claude again. On the web, custom connectors take the address alone and ask you to sign in; they reach an address that is on the internet.",
    ),
    ("cursor", "Cursor", "Put this into .cursor/mcp.json of the project, or ~/.cursor/mcp.json."),
    ("vscode", "VS Code", "Put this into .vscode/mcp.json. VS Code asks for the key once and keeps it."),
    (
        "chatgpt",
        "ChatGPT",
        "Settings, Connectors, Advanced, Developer mode, Create: name it, paste the address, choose OAuth and sign in. ChatGPT reaches an address that is on the internet.",
    ),
    ("gemini", "Gemini CLI", "Put this into ~/.gemini/settings.json."),
    ("codex", "Codex", "Put this into ~/.codex/config.toml, and set DOORWARD_KEY where Codex runs."),
    (
        "stdio",
        "Any stdio client",
        "For programs that start their MCP servers: this one is started and speaks to the preset. DOORWARD_KEY holds the key.",
    ),
];

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().with_untracked(|map| map.get("id").unwrap_or_default());
    let client = use_query_map().with_untracked(|map| map.get("client")).unwrap_or_default();
    framed(Place::Presets, move |visit| load(visit, id, client))
}

async fn load(visit: Visit, id: String, client: String) -> Result<Page, Trouble> {
    let open = open(&visit, &id, AccessLevel::Viewer).await?;
    let preset = open.preset.clone();
    let console = console();
    let filter = EventFilter {
        preset: Some(preset.id),
        action: Some(doorward::model::Action::ToolCall),
        limit: 1,
        ..EventFilter::default()
    };
    let last = console.audit.search(&visit.member, &filter).await?.into_iter().next();
    let keys = console.identity.keys(&visit.member).await?;
    let now = console.now();
    let usable = keys.iter().any(|key| {
        key.revoked_at.is_none()
            && key.expires_at.is_none_or(|end| end > now)
            && match &key.scope {
                KeyScope::Everything => true,
                KeyScope::Presets(presets) => presets.contains(&preset.id),
            }
    });
    let address = format!("{}/mcp/{}/{}", console.settings.base_url, open.owner, preset.slug);
    let waiting = match last {
        Some(event) => {
            let at = event.at;
            let who = format!("{} called {}", event.principal, event.subject);
            view! { <p class="flex flex-wrap items-center gap-2"><Badge tone=Tone::Good word="connected"/> {who} " " <Ago at/></p> }.into_any()
        }
        None if open.permit.owns() => view! { <FirstCall preset=preset.slug.to_string()/> }.into_any(),
        // Calls of a preset stand in the log of its owner.
        None => owned_by(&open).map(|whose| view! { <p class="text-muted">{whose}</p> }).into_any(),
    };
    let needs_key = !(preset.visibility == Visibility::Public && preset.anonymous);
    let lines = lines(&preset, &address, needs_key, &client);
    let explain = format!("/explain?preset={}/{}", open.owner, preset.slug);
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            <Tabs label="Parts of the preset" tabs=tabs(&open) open=format!("/presets/{}/connect", preset.id)/>
            <Panel title="Address">
                <div class="grid grid-cols-1 gap-3">
                    <Copyable text=address/>
                    {waiting}
                </div>
            </Panel>
            {(needs_key && !usable).then(|| view! {
                <Notice tone=Tone::Warn>
                    <p>"You have no API key that reaches this preset. A client that can open a browser needs none: leave the key out below, and it asks you to sign in. For all others " <a class="link" href="/keys">"make one"</a> ", and put it in place of YOUR_KEY."</p>
                </Notice>
            })}
            {lines}
            <p><a class="link" href=explain>"Why does a call not work?"</a></p>
        </div>
    };
    Ok(Page::new(preset.title, body)
        .above("/presets", "Presets")
        .lead("Copy one block into your client, and its tools are there."))
}

fn lines(preset: &Preset, address: &str, needs_key: bool, client: &str) -> impl IntoView + use<> {
    let (word, name, how) = CLIENTS.iter().find(|(word, ..)| *word == client).unwrap_or(&CLIENTS[0]);
    let path = |word: &str| format!("/presets/{}/connect?client={word}", preset.id);
    let clients = CLIENTS.iter().map(|(word, name, _)| Tab::new(path(word), *name)).collect();
    let text = snippet(word, preset.slug.as_str(), address, needs_key);
    let open = path(word);
    view! {
        <Panel title="Connect a client">
            <div class="grid grid-cols-1 gap-4">
                <Tabs label="Clients" tabs=clients open/>
                <p class="max-w-3xl text-muted">{Icon::Info.sized(tw!("inline size-4"))} " " {*name} ": " {*how}</p>
                <Snippet text/>
            </div>
        </Panel>
    }
}

/// Returns the line for a client that signs in by itself.
pub(crate) fn keyless_line(slug: &str, address: &str) -> String {
    snippet("claude-code", slug, address, false)
}

/// Returns the lines for a client. `YOUR_KEY` stands where the key goes.
fn snippet(client: &str, slug: &str, address: &str, needs_key: bool) -> String {
    let json_header =
        if needs_key { ",\n      \"headers\": { \"Authorization\": \"Bearer YOUR_KEY\" }" } else { "" };
    let env = if needs_key { ",\n      \"env\": { \"DOORWARD_KEY\": \"YOUR_KEY\" }" } else { "" };
    match client {
        "claude" => format!(
            "{{\n  \"mcpServers\": {{\n    \"{slug}\": {{\n      \"command\": \"doorward\",\n      \"args\": [\"connect\", \"{address}\"]{env}\n    }}\n  }}\n}}"
        ),
        "cursor" => format!(
            "{{\n  \"mcpServers\": {{\n    \"{slug}\": {{\n      \"url\": \"{address}\"{json_header}\n    }}\n  }}\n}}"
        ),
        "vscode" if needs_key => format!(
            "{{\n  \"inputs\": [\n    {{ \"id\": \"doorward-key\", \"type\": \"promptString\", \"description\": \"API key\", \"password\": true }}\n  ],\n  \"servers\": {{\n    \"{slug}\": {{\n      \"type\": \"http\",\n      \"url\": \"{address}\",\n      \"headers\": {{ \"Authorization\": \"Bearer ${{input:doorward-key}}\" }}\n    }}\n  }}\n}}"
        ),
        "vscode" => format!(
            "{{\n  \"servers\": {{\n    \"{slug}\": {{\n      \"type\": \"http\",\n      \"url\": \"{address}\"\n    }}\n  }}\n}}"
        ),
        "chatgpt" => address.to_owned(),
        "gemini" => format!(
            "{{\n  \"mcpServers\": {{\n    \"{slug}\": {{\n      \"httpUrl\": \"{address}\"{json_header}\n    }}\n  }}\n}}"
        ),
        "codex" if needs_key => {
            format!("[mcp_servers.{slug}]\nurl = \"{address}\"\nbearer_token_env_var = \"DOORWARD_KEY\"")
        }
        "codex" => format!("[mcp_servers.{slug}]\nurl = \"{address}\""),
        "stdio" if needs_key => format!("DOORWARD_KEY=YOUR_KEY doorward connect {address}"),
        "stdio" => format!("doorward connect {address}"),
        _ if needs_key => format!(
            "claude mcp add --transport http {slug} {address} --header \"Authorization: Bearer YOUR_KEY\""
        ),
        _ => format!("claude mcp add --transport http {slug} {address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_every_client_hold_the_address_and_a_key_only_where_one_is_needed() {
        for (client, ..) in CLIENTS {
            let with = snippet(client, "notes", "http://127.0.0.1:8080/mcp/ada/notes", true);
            let without = snippet(client, "notes", "http://127.0.0.1:8080/mcp/ada/notes", false);

            assert!(with.contains("http://127.0.0.1:8080/mcp/ada/notes"), "{client}");
            assert!(!without.contains("KEY") && !without.contains("Authorization"), "{client}");
            for text in [with, without].iter().filter(|text| text.starts_with('{')) {
                assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{client}: {text}");
            }
        }
    }
}
