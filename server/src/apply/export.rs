//! Writing what an installation holds in the same form, without secrets.

use std::{collections::BTreeMap, sync::Arc};

use doorward::{
    model::{
        AccessEntry, Grantee, Hop, HopAuthKind, KeyScope, Member, OauthClient, PresetStatus, PresetTool,
        Reach, Selection, Source, SourceId, Take, Tunnel, Visibility,
    },
    orgs::Team,
    policy,
    sources::HopSignIn,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{ApplyError, Authority, Rooms};
use crate::take::Taken;

/// A document to be written. Members are named as in `document.rs`.
#[derive(Default, Serialize)]
struct Written {
    version: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plans: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    organisations: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tunnels: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    presets: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Value>,
}

/// Returns what the installation holds, as far as whoever asks may see it, as YAML.
pub async fn export(rooms: &Rooms, authority: &Authority) -> Result<String, ApplyError> {
    let mut written = Written { version: 1, ..Written::default() };
    let mut owners = Vec::new();
    match authority {
        Authority::Operator => {
            let permit = policy::operator_at_the_shell();
            let failed = |source| ApplyError::Identity { at: None, source };
            for plan in rooms.identity.plans(&permit).await.map_err(failed)? {
                written.plans.push(value(&plan));
            }
            for user in rooms.identity.users(&permit).await.map_err(failed)? {
                owners.extend(rooms.identity.at_the_shell(&user.handle).await.map_err(failed)?);
                written.users.push(json!({
                    "handle": user.handle, "email": user.email, "role": user.role, "plan": user.plan,
                    "enabled": user.enabled,
                }));
            }
            let failed = |source| ApplyError::Organisation { at: None, source };
            for team in rooms.orgs.teams(&permit).await.map_err(failed)? {
                owners
                    .extend(rooms.orgs.at_the_shell(&team.organisation.handle, None).await.map_err(failed)?);
                written.organisations.push(organisation(&team));
            }
        }
        Authority::Member(member) => owners.push(Arc::clone(member)),
    }
    for owner in owners {
        owned(rooms, &owner, &mut written).await?;
    }
    Ok(serde_saphyr::to_string(&written).unwrap_or_default())
}

fn organisation(Team { organisation, members }: &Team) -> Value {
    let said: Vec<Value> =
        members.iter().map(|member| json!({ "user": member.handle, "role": member.role })).collect();
    let mut item = self::members(json!({ "handle": organisation.handle, "members": said }));
    if !organisation.title.is_empty() {
        item.insert("title".to_owned(), value(&organisation.title));
    }
    if let Some(plan) = &organisation.plan {
        item.insert("plan".to_owned(), value(plan));
    }
    if !organisation.enabled {
        item.insert("enabled".to_owned(), Value::Bool(false));
    }
    Value::Object(item)
}

async fn owned(rooms: &Rooms, owner: &Member, written: &mut Written) -> Result<(), ApplyError> {
    let source_failed = |source| ApplyError::Source { at: None, source };
    let preset_failed = |source| ApplyError::Preset { at: None, source };
    let mut tunnels = BTreeMap::new();
    for tunnel in rooms.sources.tunnels(owner).await.map_err(source_failed)? {
        let sign_in = rooms.sources.tunnel_sign_in(owner, tunnel.id).await.map_err(source_failed)?;
        let hops = tunnel.hops.iter().zip(sign_in).enumerate();
        let hops: Vec<Value> =
            hops.map(|(index, (hop, sign_in))| self::hop(&tunnel, index, hop, sign_in)).collect();
        written.tunnels.push(json!({
            "owner": owner.tenant_handle, "name": tunnel.name, "hops": hops,
            "destinations": tunnel.destinations,
        }));
        tunnels.insert(tunnel.id, tunnel.name);
    }
    let mut names = BTreeMap::new();
    for summary in rooms.sources.list(owner).await.map_err(source_failed)? {
        let source = summary.source;
        names.insert(source.id, source.name.to_string());
        let mut item = members(json!({
            "owner": owner.tenant_handle, "name": source.name, "kind": source.reach.kind(),
        }));
        match &source.reach {
            Reach::McpHttp { url } | Reach::SparkHistory { url } => {
                item.insert("url".to_owned(), value(url));
                let called = rooms.sources.credential_name(owner, source.id).await.map_err(source_failed)?;
                let called = called.unwrap_or_default();
                add_auth(&mut item, &source.auth_kind, &source.name.to_string(), &called);
                if let Some(client) =
                    rooms.sources.issuer_client(owner, source.id).await.map_err(source_failed)?
                {
                    add_client(&mut item, &source, client);
                }
            }
            Reach::McpStdio { command, working_dir } => {
                item.insert("command".to_owned(), value(command));
                if let Some(folder) = working_dir {
                    item.insert("working_dir".to_owned(), value(folder));
                }
                if !source.env_names.is_empty() {
                    let files = source.env_names.iter().map(|env| (env, format!("{}.{env}", source.name)));
                    item.insert("env_files".to_owned(), value(&files.collect::<BTreeMap<_, _>>()));
                }
            }
        }
        if let Some(tunnel) = source.tunnel.and_then(|tunnel| tunnels.get(&tunnel)) {
            item.insert("tunnel".to_owned(), value(tunnel));
        }
        if let Some(certificates) = &source.ca_certificates {
            item.insert("ca_certificates".to_owned(), value(certificates));
        }
        item.insert("era".to_owned(), value(&source.era));
        if !source.rules.is_empty() {
            item.insert("rules".to_owned(), value(&source.rules));
        }
        if !source.enabled {
            item.insert("enabled".to_owned(), Value::Bool(false));
        }
        written.sources.push(Value::Object(item));
    }
    let mut slugs = BTreeMap::new();
    for summary in rooms.presets.list(owner).await.map_err(preset_failed)? {
        let preset = summary.preset;
        slugs.insert(preset.id, preset.slug.to_string());
        let selections = rooms.presets.selections(owner, preset.id).await.map_err(preset_failed)?;
        let mut item = members(json!({
            "owner": owner.tenant_handle, "slug": preset.slug, "title": preset.title,
            "description": preset.description, "visibility": preset.visibility, "anonymous": preset.anonymous,
        }));
        if preset.status != PresetStatus::Active {
            item.insert("status".to_owned(), value(&preset.status));
        }
        if let Some(end) = preset.expires_at {
            item.insert("expires_at".to_owned(), Value::String(end.to_string()));
        }
        if !preset.rules.is_empty() {
            item.insert("rules".to_owned(), value(&preset.rules));
        }
        let tools: Vec<Value> = selections.iter().filter_map(|taken| tools(taken, &names)).collect();
        item.insert("tools".to_owned(), Value::Array(tools));
        let (_, entries) = rooms.presets.access(owner, preset.id).await.map_err(preset_failed)?;
        // The list of a private preset opens nothing, and is not part of what is declared.
        if !entries.is_empty() && preset.visibility != Visibility::Private {
            item.insert("access".to_owned(), Value::Array(entries.iter().map(access).collect()));
        }
        written.presets.push(Value::Object(item));
    }
    let members = match owner.is_at_home() {
        true => Vec::new(),
        false => {
            let failed = |source| ApplyError::Organisation { at: None, source };
            rooms.orgs.members(owner).await.map_err(failed)?
        }
    };
    let keys =
        rooms.identity.keys(owner).await.map_err(|source| ApplyError::Identity { at: None, source })?;
    for key in keys.into_iter().filter(|key| key.revoked_at.is_none()) {
        let mut item = self::members(json!({ "owner": owner.tenant_handle, "name": key.name }));
        if let Some(holder) = members.iter().find(|member| member.user == key.user) {
            item.insert("user".to_owned(), value(&holder.handle));
        }
        if let KeyScope::Presets(presets) = &key.scope {
            let named: Vec<&String> = presets.iter().filter_map(|preset| slugs.get(preset)).collect();
            item.insert("presets".to_owned(), value(&named));
        }
        if let Some(rate) = &key.rate {
            item.insert("rate".to_owned(), value(rate));
        }
        written.keys.push(Value::Object(item));
    }
    Ok(())
}

/// Writes a server of a tunnel, naming the files that what signs in there would be read from.
fn hop(tunnel: &Tunnel, index: usize, hop: &Hop, sign_in: HopSignIn) -> Value {
    let Hop { host, port, user, auth, public_key: _, made_here, host_key } = hop;
    let mut item = members(json!({ "host": host, "port": port, "user": user }));
    let name = match index {
        0 => tunnel.name.to_string(),
        _ => format!("{}-{}", tunnel.name, index + 1),
    };
    let mut add = |member: &str, value: Value| item.insert(member.to_owned(), value);
    match auth {
        HopAuthKind::Password => add("password_file", format!("{name}.password").into()),
        HopAuthKind::Key if *made_here => add("generated", true.into()),
        HopAuthKind::Key => add("key_file", format!("{name}.key").into()),
    };
    if sign_in.has_passphrase {
        add("passphrase_file", format!("{name}.passphrase").into());
    }
    if let Some(line) = sign_in.certificate {
        add("certificate", line.trim().into());
    }
    if let Some(key) = host_key {
        add("host_key", value(key));
    }
    Value::Object(item)
}

fn access(entry: &AccessEntry) -> Value {
    let level = entry.level;
    match &entry.who {
        Grantee::User(_, handle) => json!({ "user": handle, "level": level }),
        Grantee::Email(email) => json!({ "email": email, "level": level }),
        Grantee::Members(_, handle, role) => json!({ "organisation": handle, "role": role, "level": level }),
    }
}

/// Names the files that the credential would be read from, and the user or header it is called by.
fn add_auth(item: &mut Map<String, Value>, kind: &str, name: &str, called: &str) {
    let auth = match kind {
        "bearer" => json!({ "bearer_file": format!("{name}.token") }),
        "basic" => json!({ "basic": { "user": called, "password_file": format!("{name}.password") } }),
        "jws" => json!({ "jws_file": format!("{name}.key") }),
        "header" => json!({ "header": { "name": called, "value_file": format!("{name}.token") } }),
        _ => return,
    };
    item.insert("auth".to_owned(), auth);
}

/// Names how Doorward is known at the issuer, with the file that its secret would be read from.
fn add_client(item: &mut Map<String, Value>, source: &Source, client: OauthClient) {
    let mut said = members(json!({}));
    if let Some(id) = client.id {
        said.insert("client_id".to_owned(), Value::String(id));
    }
    if client.secret.is_some() {
        said.insert("client_secret_file".to_owned(), Value::String(format!("{}.secret", source.name)));
    }
    if let Some(scope) = client.scope {
        said.insert("scope".to_owned(), Value::String(scope));
    }
    item.insert("auth".to_owned(), json!({ "oauth": said }));
    item.insert("runs_as".to_owned(), value(&source.runs_as));
}

fn tools(taken: &Selection, names: &BTreeMap<SourceId, String>) -> Option<Value> {
    let mut item = members(json!({ "source": names.get(&taken.source)? }));
    let named = |keep: fn(&PresetTool) -> bool| -> Vec<&str> {
        taken.tools.iter().filter(|tool| keep(tool)).map(|tool| tool.name.as_str()).collect()
    };
    if taken.all {
        item.insert("allow".to_owned(), "all".into());
        let deny = named(|tool| !tool.enabled);
        if !deny.is_empty() {
            item.insert("deny".to_owned(), value(&deny));
        }
    } else {
        item.insert("allow".to_owned(), value(&named(|tool| tool.enabled)));
    }
    let texts = |text: fn(&PresetTool) -> Option<&String>| -> BTreeMap<&str, &String> {
        taken.tools.iter().filter_map(|tool| Some((tool.name.as_str(), text(tool)?))).collect()
    };
    for (name, texts) in [
        ("rename", texts(|tool| tool.exposed_name.as_ref())),
        ("describe", texts(|tool| tool.exposed_description.as_ref())),
    ] {
        if !texts.is_empty() {
            item.insert(name.to_owned(), value(&texts));
        }
    }
    let checked = named(|tool| tool.check_arguments);
    if !checked.is_empty() {
        item.insert("check_arguments".to_owned(), value(&checked));
    }
    for (name, take) in [("resources", &taken.resources), ("prompts", &taken.prompts)] {
        if *take != Take::None {
            item.insert(name.to_owned(), value(&Taken::from(take)));
        }
    }
    Some(Value::Object(item))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn value(thing: &impl Serialize) -> Value {
    serde_json::to_value(thing).unwrap_or_default()
}
