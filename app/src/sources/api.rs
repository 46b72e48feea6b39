//! What the pages of data sources post. Each checks the session; the engine asks the policy.

#![expect(
    clippy::too_many_arguments,
    reason = "a server function has an argument for each field of its form"
)]

use std::path::PathBuf;

use doorward::{
    connections::ConnectionError,
    fault::{Fault, told},
    model::{Credential, EraSetting, Reach, RunsAs, SourceId, SourceKind, SourceName, ToolHash, TunnelId},
    secret::Secret,
    sources::{Accept, Accepted, NewSource, SourceChange, SourceError, TunnelEditError},
};
use leptos::{prelude::*, server_fn::ServerFn};
use url::Url;

use super::{
    authorities, command,
    credential::AuthFields,
    draft::{self, Begun, Draft},
    view::report,
};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::{Trouble, sentence},
};

pub(super) const LOOK: &str = <LookAtSource as ServerFn>::PATH;
pub(super) const KEEP_DRAFT: &str = <KeepSourceDraft as ServerFn>::PATH;
pub(super) const ADD_HTTP: &str = <AddHttpSource as ServerFn>::PATH;
pub(super) const ADD_PROCESS: &str = <AddProcessSource as ServerFn>::PATH;
pub(super) const EDIT_HTTP: &str = <EditHttpSource as ServerFn>::PATH;
pub(super) const EDIT_PROCESS: &str = <EditProcessSource as ServerFn>::PATH;
pub(super) const ENABLE: &str = <EnableSource as ServerFn>::PATH;
pub(super) const TEST: &str = <TestSource as ServerFn>::PATH;
pub(super) const ACCEPT: &str = <AcceptTools as ServerFn>::PATH;
pub(super) const ACCEPT_PROMPTS: &str = <AcceptPrompts as ServerFn>::PATH;
pub(super) const REMOVE: &str = <RemoveSource as ServerFn>::PATH;

pub(super) const LOOK_FORM: &str = "look";
pub(super) const ADD_FORM: &str = "add-source";
pub(super) const PROCESS_FORM: &str = "add-process";
pub(super) const EDIT_FORM: &str = "edit-source";
pub(super) const REMOVE_FORM: &str = "remove-source";

/// Takes an address to look at. The page that follows looks; nothing is kept.
#[server(prefix = "/do", endpoint = "sources/look")]
pub async fn look_at_source(
    url: String,
    #[server(default)] tunnel: String,
    #[server(default)] ca_certificates: String,
) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let now = console().now();
        let typed = [("url", url.as_str()), ("tunnel", &tunnel), ("ca_certificates", ca_certificates.trim())];
        let typed = Draft::of(Begun::Address, typed);
        // The same address once more is no reason to let go of a name that was typed.
        let same = draft::find(member.user, Begun::Address, now).is_some_and(|(_, earlier)| {
            let is_same = |field| earlier.value(field) == typed.value(field);
            ["url", "tunnel", "ca_certificates"].into_iter().all(is_same)
        });
        if !same {
            draft::keep(member.user, Begun::Address, typed, now);
        }
        address(&url)?;
        tunnel_choice(&tunnel)?;
        authorities::read(&ca_certificates)?;
        Ok(Onward::to(Begun::Address.path()).keeping())
    };
    Form::new(LOOK_FORM).answer(Begun::Address.path(), outcome.await)
}

/// Keeps what was typed so far as a draft, or lets go of it.
#[server(prefix = "/do", endpoint = "sources/draft")]
pub async fn keep_source_draft(
    kind: String,
    #[server(default)] url: String,
    #[server(default)] tunnel: String,
    #[server(default)] ca_certificates: String,
    #[server(default)] name: String,
    #[server(default)] auth: String,
    #[server(default)] user: String,
    #[server(default)] header: String,
    #[server(default)] command: String,
    #[server(default)] working_dir: String,
    #[server(default)] forget: bool,
) -> Result<(), ServerFnError> {
    let begun = Begun::from_word(&kind).unwrap_or(Begun::Address);
    if forget {
        let outcome = async {
            draft::forget(session::member().await?.user, begun);
            Ok(Onward::to(begun.path()))
        };
        return Form::new("source-draft").answer(begun.path(), outcome.await);
    }
    // A script sent it while somebody types, and nobody waits for an answer.
    if let Ok(Some(member)) = session::find().await {
        let typed = [
            ("url", url.as_str()),
            ("tunnel", &tunnel),
            ("ca_certificates", ca_certificates.trim()),
            ("name", &name),
            ("auth", &auth),
            ("user", &user),
            ("header", &header),
            ("command", &command),
            ("working_dir", &working_dir),
        ];
        let now = console().now();
        let earlier = draft::find(member.user, begun, now).map(|(_, draft)| draft).unwrap_or_default();
        draft::keep(member.user, begun, Draft::of(begun, typed).after(&earlier), now);
    }
    Ok(())
}

/// Adds a source by its address.
#[server(prefix = "/do", endpoint = "sources/add")]
pub async fn add_http_source(
    url: String,
    name: String,
    #[server(default)] tunnel: String,
    #[server(default)] ca_certificates: String,
    #[server(default)] speaks: String,
    #[server(flatten)] auth: AuthFields,
) -> Result<(), ServerFnError> {
    let outcome = async {
        let user = session::member().await?.user;
        let typed = [
            ("url", url.as_str()),
            ("name", name.trim()),
            ("tunnel", tunnel.as_str()),
            ("ca_certificates", ca_certificates.trim()),
            ("speaks", speaks.as_str()),
        ];
        let typed = typed.into_iter().chain(auth.plain());
        draft::keep(user, Begun::Address, Draft::of(Begun::Address, typed), console().now());
        let name = source_name(&name)?;
        let reach = reach_by(&speaks, address(&url)?)?;
        let runs_as = auth.runs_as()?.unwrap_or_default();
        let credential = Credential { auth: auth.read()?.unwrap_or_default(), ..Credential::default() };
        let tunnel = tunnel_choice(&tunnel)?;
        let ca_certificates = authorities::read(&ca_certificates)?;
        let era = EraSetting::Auto;
        let new = NewSource { name, reach, tunnel, ca_certificates, credential, era, runs_as, enabled: true };
        add(new, Begun::Address).await
    };
    Form::new(ADD_FORM).answer(Begun::Address.path(), outcome.await)
}

/// Adds a source that is a process.
#[server(prefix = "/do", endpoint = "sources/add-process")]
pub async fn add_process_source(
    name: String,
    command: String,
    #[server(default)] env: String,
    #[server(default)] working_dir: String,
) -> Result<(), ServerFnError> {
    let outcome = async {
        let user = session::member().await?.user;
        let typed = [("name", name.trim()), ("command", command.trim()), ("working_dir", working_dir.trim())];
        draft::keep(user, Begun::Process, Draft::of(Begun::Process, typed).naming(&env), console().now());
        let reach = process_reach(&command, &working_dir)?;
        let name = source_name(&name)?;
        let mut credential = Credential::default();
        for (variable, value) in variables(&env)? {
            let value = value.ok_or_else(|| {
                Mistake::field("env", format!("{variable} has no value; write {variable}=…"))
            })?;
            credential.env.insert(variable, value);
        }
        let (era, runs_as) = (EraSetting::Auto, RunsAs::default());
        let (tunnel, ca_certificates) = (None, None);
        let new = NewSource { name, reach, tunnel, ca_certificates, credential, era, runs_as, enabled: true };
        add(new, Begun::Process).await
    };
    Form::new(PROCESS_FORM).answer(Begun::Process.path(), outcome.await)
}

async fn add(new: NewSource, begun: Begun) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let added = console().sources.add(&member, new).await.map_err(mistake)?;
    draft::forget(member.user, begun);
    if added.source.is_signed_in_to() {
        let source = &added.source;
        let wanted = console().connections.want(source.tenant, source.id, None).await;
        let wanted = wanted.map_err(SourceError::from).map_err(mistake)?;
        return Ok(Onward::to(format!("/connections/{}", wanted.id))
            .saying(format!("{} is kept. Now sign in to it.", source.name)));
    }
    let onward = Onward::to(format!("/sources/{}", added.source.id)).reporting(report(&added.report));
    let name = &added.source.name;
    Ok(match added.report.failure() {
        None => onward.saying(format!("{name} is connected: {} tools.", added.catalogue.accepted.len())),
        Some(why) => onward.warning(format!("{name} is kept, but could not be used yet. {}", sentence(why))),
    })
}

/// Edits a source that is reached by address.
#[server(prefix = "/do", endpoint = "sources/edit")]
pub async fn edit_http_source(
    id: String,
    version: i64,
    name: String,
    url: String,
    era: String,
    #[server(default)] tunnel: String,
    #[server(default)] ca_certificates: String,
    #[server(flatten)] auth: AuthFields,
) -> Result<(), ServerFnError> {
    let form = auth.keep(
        Form::new(EDIT_FORM)
            .keep("name", name.trim())
            .keep("url", url.trim())
            .keep("era", &era)
            .keep("tunnel", &tunnel)
            .keep("ca_certificates", authorities::shown_again(&ca_certificates)),
    );
    let outcome = async {
        let member = session::member().await?;
        let present = console().sources.find(&member, source_id(&id)?).await.map_err(mistake)?;
        let kind = present.ok_or(Trouble::NotFound)?.reach.kind();
        let change = SourceChange {
            name: Some(source_name(&name)?),
            reach: Some(reach_by(kind.word(), address(&url)?)?),
            tunnel: Some(tunnel_choice(&tunnel)?),
            ca_certificates: Some(authorities::read(&ca_certificates)?),
            runs_as: auth.runs_as()?,
            auth: auth.read()?,
            env: None,
            era: Some(era_setting(&era)?),
            ..SourceChange::default()
        };
        edit(&id, change, version).await
    };
    form.answer(&edit_path(&id), outcome.await)
}

/// Edits a source that is a process.
#[server(prefix = "/do", endpoint = "sources/edit-process")]
pub async fn edit_process_source(
    id: String,
    version: i64,
    name: String,
    command: String,
    #[server(default)] env: String,
    #[server(default)] working_dir: String,
) -> Result<(), ServerFnError> {
    let form = Form::new(EDIT_FORM)
        .keep("name", name.trim())
        .keep("command", command.trim())
        .keep("working_dir", working_dir.trim());
    let outcome = async {
        let change = SourceChange {
            name: Some(source_name(&name)?),
            reach: Some(process_reach(&command, &working_dir)?),
            env: Some(variables(&env)?.into_iter().collect()),
            ..SourceChange::default()
        };
        edit(&id, change, version).await
    };
    form.answer(&edit_path(&id), outcome.await)
}

async fn edit(id: &str, change: SourceChange, version: i64) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let source = console().sources.update(&member, source_id(id)?, change, version).await.map_err(mistake)?;
    Ok(Onward::to(format!("/sources/{}", source.id))
        .saying(format!("{} is changed. Test it to be sure.", source.name)))
}

/// Switches a source on or off.
#[server(prefix = "/do", endpoint = "sources/enable")]
pub async fn enable_source(id: String, enabled: bool) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let source =
            console().sources.set_enabled(&member, source_id(&id)?, enabled).await.map_err(mistake)?;
        let state = if enabled { "switched on" } else { "switched off; its tools answer with that" };
        Ok(Onward::to(format!("/sources/{}", source.id)).saying(format!("{} is {state}.", source.name)))
    };
    Form::new("enable-source").answer(&format!("/sources/{id}"), outcome.await)
}

/// Tries a source step by step, and reads its tools again.
#[server(prefix = "/do", endpoint = "sources/test")]
pub async fn test_source(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let probe = console().sources.test(&member, source_id(&id)?).await.map_err(mistake)?;
        Ok(Onward::to(format!("/sources/{id}")).reporting(report(&probe)))
    };
    Form::new("test-source").answer(&format!("/sources/{id}"), outcome.await)
}

/// Accepts held tools, each as it was shown: `<hash> <name>`.
#[server(prefix = "/do", endpoint = "sources/accept")]
pub async fn accept_tools(id: String, #[server(default)] tools: Vec<String>) -> Result<(), ServerFnError> {
    let path = format!("/sources/{id}/tools");
    let outcome = async {
        let member = session::member().await?;
        let done = console().sources.accept_tools(&member, source_id(&id)?, shown(&tools)).await;
        Ok(accepted(&path, "tools", &done.map_err(mistake)?))
    };
    Form::new("accept-tools").answer(&path, outcome.await)
}

/// Accepts held prompts, each as it was shown: `<hash> <name>`.
#[server(prefix = "/do", endpoint = "sources/accept-prompts")]
pub async fn accept_prompts(
    id: String,
    #[server(default)] prompts: Vec<String>,
) -> Result<(), ServerFnError> {
    let path = format!("/sources/{id}/prompts");
    let outcome = async {
        let member = session::member().await?;
        let done = console().sources.accept_prompts(&member, source_id(&id)?, shown(&prompts)).await;
        Ok(accepted(&path, "prompts", &done.map_err(mistake)?))
    };
    Form::new("accept-prompts").answer(&path, outcome.await)
}

fn shown(lines: &[String]) -> Accept {
    let one = |line: &String| {
        let (hash, name) = line.split_once(' ')?;
        Some((name.to_owned(), ToolHash(hash.to_owned())))
    };
    Accept::Tools(lines.iter().filter_map(one).collect())
}

fn accepted(path: &str, what: &str, done: &Accepted) -> Onward {
    let onward = Onward::to(path);
    match (done.accepted.as_slice(), done.changed_since.as_slice()) {
        (_, [_, ..]) => onward.warning(format!(
            "{} changed again since this page was drawn and stayed held. Look again.",
            done.changed_since.join(", ")
        )),
        ([], []) => onward.warning("There was nothing to accept."),
        ([one], []) => onward.saying(format!("{one} is accepted.")),
        (many, []) => onward.saying(format!("{} {what} are accepted.", many.len())),
    }
}

/// Deletes a source after its name was typed.
#[server(prefix = "/do", endpoint = "sources/delete")]
pub async fn remove_source(id: String, confirm: String) -> Result<(), ServerFnError> {
    let form = Form::new(REMOVE_FORM).keep("confirm", confirm.trim());
    let outcome = async {
        let member = session::member().await?;
        let sources = &console().sources.clone();
        let id = source_id(&id)?;
        let source = sources.find(&member, id).await.map_err(mistake)?.ok_or(Trouble::NotFound)?;
        if confirm.trim() != source.name.as_str() {
            return Err(Mistake::field("confirm", format!("type “{}” exactly", source.name)));
        }
        let removed = sources.remove(&member, id).await.map_err(mistake)?;
        let lost = removed.presets.len();
        let onward = Onward::to("/sources");
        Ok(match lost {
            0 => onward.saying(format!("{} is deleted.", removed.source.name)),
            1 => onward.saying(format!("{} is deleted; one preset lost its tools.", removed.source.name)),
            _ => onward.saying(format!("{} is deleted; {lost} presets lost its tools.", removed.source.name)),
        })
    };
    form.answer(&format!("/sources/{id}/delete"), outcome.await)
}

pub(crate) fn mistake(error: SourceError) -> Mistake {
    match error {
        SourceError::Invalid { part, reason } => Mistake::field(part, reason),
        SourceError::NameTaken { .. } => Mistake::field("name", error),
        SourceError::Connection(error @ (ConnectionError::NotBegun | ConnectionError::Oauth(_))) => {
            Mistake::form(error)
        }
        SourceError::Limit { .. }
        | SourceError::Stale { .. }
        | SourceError::Disabled { .. }
        | SourceError::SignIn { .. } => Mistake::form(error),
        SourceError::Tunnel(TunnelEditError::NameTaken { .. }) => Mistake::field("name", error),
        SourceError::Tunnel(error) if error.fault() != Fault::Gateway => Mistake::form(error),
        SourceError::Upstream(error) => Mistake::form(told(&error)),
        SourceError::NotFound
        | SourceError::Connection(_)
        | SourceError::Denied(_)
        | SourceError::Vault { .. }
        | SourceError::Credential { .. }
        | SourceError::Tunnel(_)
        | SourceError::Store(_) => error.into(),
    }
}

/// Reads which tunnel was chosen; `None` = this machine's network.
pub(super) fn tunnel_choice(text: &str) -> Result<Option<TunnelId>, Mistake> {
    match text.trim() {
        "" => Ok(None),
        id => id.parse().map(Some).map_err(|_| Mistake::field("tunnel", "there is no such tunnel")),
    }
}

/// Reads the id of a source from a form or a path.
pub(crate) fn source_id(text: &str) -> Result<SourceId, Trouble> {
    text.parse().map_err(|_| Trouble::NotFound)
}

fn source_name(text: &str) -> Result<SourceName, Mistake> {
    SourceName::parse(text.trim()).map_err(|error| Mistake::field("name", error))
}

fn address(text: &str) -> Result<Url, Mistake> {
    let wrong = || Mistake::field("url", "an address looks like https://mcp.example.org/mcp");
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(wrong()) }
}

/// Returns where a source is that is reached by its address; without a word it is an MCP server.
fn reach_by(word: &str, url: Url) -> Result<Reach, Mistake> {
    match SourceKind::from_word(word) {
        Some(SourceKind::McpHttp) => Ok(Reach::McpHttp { url }),
        Some(SourceKind::SparkHistory) => Ok(Reach::SparkHistory { url }),
        None if word.is_empty() => Ok(Reach::McpHttp { url }),
        Some(SourceKind::McpStdio) | None => Err(Mistake::field("speaks", "choose one of the list")),
    }
}

fn process_reach(line: &str, working_dir: &str) -> Result<Reach, Mistake> {
    let command = command::split(line.trim()).map_err(|error| Mistake::field("command", error))?;
    let working_dir = Some(working_dir.trim()).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Ok(Reach::McpStdio { command, working_dir })
}

fn variables(text: &str) -> Result<Vec<(String, Option<Secret>)>, Mistake> {
    let variables = command::variables(text).map_err(|error| Mistake::field("env", error))?;
    Ok(variables.into_iter().map(|(name, value)| (name, value.map(Secret::new))).collect())
}

fn era_setting(word: &str) -> Result<EraSetting, Mistake> {
    EraSetting::from_word(word).ok_or_else(|| Mistake::field("era", "choose one of the list"))
}

fn edit_path(id: &str) -> String {
    format!("/sources/{id}/edit")
}
