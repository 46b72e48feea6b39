//! Everything about one source, in tabs.

use doorward::{
    clock::Ms,
    model::{EraSetting, OrgRole, Reach, RunsAs, Source, SourceKind, ToolState},
    providers::spark::Manner,
    sources::{Impact, SourceDetail, ToolView},
    upstream::{LinkState, LinkStatus},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    api::{EDIT_FORM, ENABLE, REMOVE, REMOVE_FORM, TEST, source_id},
    authorities, command, edit,
    report::TestReport,
    resources, tools,
    tunnel::TunnelPicks,
    view::{auth_words, era_words, health_badge, held_badge, kind_words},
};
use crate::{
    connections::OWN,
    context::console,
    form::{Form, Report},
    limits,
    page::{Page, Place, Visit, page as framed},
    trouble::{Trouble, sentence},
    ui::{
        Ago, ConfirmByName, Copyable, Fact, Facts, Icon, Notice, Panel, PostButton, Tab, Tabs, Tone, prose,
    },
};

/// Draws the overview.
pub(crate) fn overview_page() -> AnyView {
    tab("", |visit, detail| {
        let manages = visit.manages();
        overview(visit.report, detail, manages).into_any()
    })
}

/// Draws the tools with what is held.
pub(crate) fn tools_page() -> AnyView {
    let wanted = use_query_map().get_untracked().get("q").unwrap_or_default();
    tab("/tools", move |visit, detail| tools::draw(detail, &wanted, visit.manages()).into_any())
}

/// Draws the prompts with what is held.
pub(crate) fn prompts_page() -> AnyView {
    let wanted = use_query_map().get_untracked().get("q").unwrap_or_default();
    tab("/prompts", move |visit, detail| tools::draw_prompts(detail, &wanted, visit.manages()).into_any())
}

/// Draws the resources and resource templates.
pub(crate) fn resources_page() -> AnyView {
    let wanted = use_query_map().get_untracked().get("q").unwrap_or_default();
    tab("/resources", move |_, detail| resources::draw(detail, &wanted).into_any())
}

/// Draws the form to edit it.
pub(crate) fn edit_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Sources, move |visit| async move {
        visit.needs(OrgRole::Admin)?;
        let found = console().sources.detail(&visit.member, source_id(&id)?).await?;
        let detail = found.ok_or(Trouble::NotFound)?;
        let limits = limits::of_source(&detail.source, visit.form(limits::FORM)).await;
        Ok(page_of("/edit", visit, detail, |visit, detail| {
            let form = edit::draw(visit.form(EDIT_FORM), detail.source, &TunnelPicks(detail.tunnels));
            view! { <div class="grid gap-6">{form} {limits}</div> }.into_any()
        }))
    })
}

/// Draws what its process says.
pub(crate) fn process_page() -> AnyView {
    tab("/process", |_, detail| process(detail.link))
}

/// Draws what deleting it would mean.
pub(crate) fn delete_page() -> AnyView {
    tab("/delete", |visit, detail| delete(visit.form(REMOVE_FORM), detail).into_any())
}

fn tab(part: &'static str, draw: impl FnOnce(Visit, SourceDetail) -> AnyView + Send + 'static) -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Sources, move |visit| async move {
        if matches!(part, "/process" | "/delete") {
            visit.needs(OrgRole::Admin)?;
        }
        let found = console().sources.detail(&visit.member, source_id(&id)?).await?;
        let detail = found.ok_or(Trouble::NotFound)?;
        Ok(page_of(part, visit, detail, draw))
    })
}

fn page_of(
    part: &'static str,
    visit: Visit,
    detail: SourceDetail,
    draw: impl FnOnce(Visit, SourceDetail) -> AnyView,
) -> Page {
    let Source { id, name, reach, enabled, .. } = detail.source.clone();
    let path = |part: &str| format!("/sources/{id}{part}");
    let held = detail.counts.held();
    let is_held = |prompt: &&ToolView| matches!(prompt.state, ToolState::New | ToolState::Changed);
    let held_prompts = detail.prompts.iter().filter(is_held).count();
    let mut tabs = vec![
        Tab::new(path(""), "Overview"),
        Tab::new(path("/tools"), "Tools").counting(detail.tools.len()),
        Tab::new(path("/resources"), "Resources").counting(detail.resources.len() + detail.templates.len()),
        Tab::new(path("/prompts"), "Prompts").counting(detail.prompts.len()),
    ];
    let (manages, operates) = (visit.manages(), visit.operates());
    if manages {
        tabs.push(Tab::new(path("/edit"), "Edit"));
        if reach.kind() == SourceKind::McpStdio {
            tabs.push(Tab::new(path("/process"), "Process"));
        }
        tabs.push(Tab::new(path("/delete"), "Delete"));
    }
    let lead = view! {
        <span class="flex flex-wrap items-center gap-1.5">{health_badge(&detail.source)} {held_badge(held + held_prompts)}</span>
    };
    let other = (!enabled).to_string();
    let analyze = (operates && is_analysable(&detail)).then(|| {
        view! { <a class="button" href=format!("/analyses/new?source={id}")>{Icon::Analysis.draw()} "Analyze"</a> }
    });
    let actions = view! {
        {analyze}
        {manages.then(|| view! {
            <PostButton action=ENABLE fields=vec![("id", id.to_string()), ("enabled", other)] class="button">
                {if enabled { "Switch off" } else { "Switch on" }}
            </PostButton>
        })}
        {operates.then(|| view! {
            <PostButton action=TEST fields=vec![("id", id.to_string())] class="button button-primary">
                {Icon::Play.draw()} "Test now"
            </PostButton>
        })}
    };
    let held_path = path("/tools");
    let waiting = (held > 0 && part != "/tools").then(|| {
        view! {
            <Notice tone=Tone::Held>
                <p>
                    {match held {
                        1 => "One tool is new or has changed and is held until you look. ".to_owned(),
                        _ => format!("{held} tools are new or have changed and are held until you look. "),
                    }}
                    <a href=held_path>"Look at them"</a>
                </p>
            </Notice>
        }
    });
    let prompts_path = path("/prompts");
    let waiting_prompts = (held_prompts > 0 && part != "/prompts").then(|| {
        view! {
            <Notice tone=Tone::Held>
                <p>
                    {match held_prompts {
                        1 => "One prompt is new or has changed and is held until you look. ".to_owned(),
                        _ => format!("{held_prompts} prompts are new or have changed and are held until you look. "),
                    }}
                    <a href=prompts_path>"Look at them"</a>
                </p>
            </Notice>
        }
    });
    let body = view! {
        <Tabs label="Parts of this data source" tabs=tabs open=path(part)/>
        {waiting}
        {waiting_prompts}
        {draw(visit, detail)}
    };
    Page::new(name.to_string(), body).lead(lead).above("/sources", "Data sources").actions(actions)
}

/// Says whether analyses can be made of what the source knows.
fn is_analysable(detail: &SourceDetail) -> bool {
    let accepted = detail.tools.iter().filter(|tool| tool.state == ToolState::Accepted);
    let names = accepted.map(|tool| tool.name.as_str());
    detail.source.enabled && Manner::of(detail.source.reach.kind(), names).is_some()
}

fn overview(report: Option<Report>, detail: SourceDetail, manages: bool) -> impl IntoView {
    let SourceDetail { source, counts, presets, instructions, tunnels, .. } = detail;
    let tunnel = tunnels.into_iter().find(|tunnel| source.tunnel == Some(tunnel.id));
    let trusted = source.ca_certificates.as_ref().map(authorities::fact);
    let fresh = manages && report.is_some() && presets.is_empty() && counts.accepted > 0;
    let failing = source.health.detail.clone();
    let place = match &source.reach {
        Reach::McpHttp { url } | Reach::SparkHistory { url } => url.to_string(),
        Reach::McpStdio { command, .. } => command::join(command),
    };
    let folder = match &source.reach {
        Reach::McpStdio { working_dir, .. } => Some(
            working_dir
                .as_ref()
                .map_or_else(|| "An empty one of its own".to_owned(), |dir| dir.display().to_string()),
        ),
        Reach::McpHttp { .. } | Reach::SparkHistory { .. } => None,
    };
    let env = match source.reach.kind() {
        SourceKind::McpStdio => Some(match source.env_names.as_slice() {
            [] => "Empty".to_owned(),
            names => format!("{}, sealed", names.join(", ")),
        }),
        SourceKind::McpHttp | SourceKind::SparkHistory => None,
    };
    let server = source.verdict.as_ref().map(|verdict| verdict.server.clone()).unwrap_or_default();
    let kind = source.reach.kind();
    let protocol = era_words(source.verdict.as_ref());
    let credential = (kind != SourceKind::McpStdio).then(|| auth_words(&source.auth_kind));
    let next = format!("/presets/new?source={}", source.name);
    view! {
        <div class="grid gap-6">
            {fresh.then(|| view! {
                <div class="panel flex flex-wrap items-center justify-between gap-3 border-accent p-4">
                    <div>
                        <h2>"Next: choose its tools into a preset"</h2>
                        <p class="text-muted">"A preset is the address you give to an agent."</p>
                    </div>
                    <a class="button button-primary" href=next>
                        "Choose tools" {Icon::ArrowRight.draw()}
                    </a>
                </div>
            })}
            {report.map(|report| view! { <TestReport report=report/> })}
            {(!failing.is_empty()).then(|| view! {
                <Notice tone=Tone::Bad>
                    <p class="font-medium">"It could not be used when it was last tried."</p>
                    <p class="break-words">{prose(&sentence(&failing))}</p>
                </Notice>
            })}
            <Panel title="What it is">
                <Facts>
                    <Fact term="Kind">{kind_words(kind)}</Fact>
                    <Fact term=if folder.is_some() { "Command" } else { "Address" }><Copyable text=place/></Fact>
                    {tunnel.map(|tunnel| view! {
                        <Fact term="Through the tunnel">
                            <a class="link" href=format!("/tunnels/{}", tunnel.id)>{tunnel.name.to_string()}</a>
                        </Fact>
                    })}
                    {trusted}
                    {folder.map(|folder| view! { <Fact term="Working folder">{folder}</Fact> })}
                    {env.map(|env| view! { <Fact term="Environment">{env}</Fact> })}
                    {(!server.is_empty()).then(|| view! { <Fact term="It calls itself">{server}</Fact> })}
                    <Fact term="Protocol">{protocol} {era_note(source.era)}</Fact>
                    {credential.map(|words| view! { <Fact term="Credential">{words}</Fact> })}
                    <Fact term="Last seen">{maybe_ago(source.health.at)}</Fact>
                    <Fact term="Added"><Ago at=source.created_at/></Fact>
                </Facts>
            </Panel>
            {source.is_signed_in_to().then(|| sign_ins(&source))}
            {(!instructions.is_empty()).then(|| view! {
                <Panel title="What it says to models" lead="Its own instructions, as it sent them. Callers of your presets are not told them.">
                    <blockquote class="m-0 max-w-3xl whitespace-pre-wrap break-words">{instructions}</blockquote>
                </Panel>
            })}
            <Panel title="Used by" lead="The presets that publish tools of this source.">
                {used_by(presets, manages)}
            </Panel>
        </div>
    }
}

/// What is said of a source that people sign in to.
fn sign_ins(source: &Source) -> impl IntoView + use<> {
    let words = match source.runs_as {
        RunsAs::Owner => "Every call runs with the organisation's sign-in.",
        RunsAs::Caller => {
            "Every call runs with the caller's own sign-in; the organisation's is for looking at its tools."
        }
        RunsAs::CallerOrOwner => {
            "Calls run with the caller's own sign-in, and with the organisation's where there is none."
        }
    };
    let own = source.runs_as != RunsAs::Owner;
    let fields = vec![("source", source.id.to_string())];
    view! {
        <Panel title="Sign-ins" lead=words>
            <div class="flex flex-wrap gap-2">
                <a class="button" href="/connections">"See the connections"</a>
                {own.then(|| view! { <PostButton action=OWN fields class="button">"Sign in for yourself"</PostButton> })}
            </div>
        </Panel>
    }
}

fn era_note(setting: EraSetting) -> Option<&'static str> {
    match setting {
        EraSetting::Auto => None,
        EraSetting::Modern | EraSetting::Legacy | EraSetting::Sse => Some(" (set by hand)"),
    }
}

fn maybe_ago(at: Option<Ms>) -> AnyView {
    match at {
        Some(at) => view! { <Ago at=at/> }.into_any(),
        None => "never".into_any(),
    }
}

fn used_by(presets: Vec<Impact>, manages: bool) -> AnyView {
    if presets.is_empty() {
        let make = manages.then(|| view! { <a href="/presets/new">"Make one"</a> });
        return view! { <p class="text-muted">"No preset yet. " {make}</p> }.into_any();
    }
    let rows = presets
        .into_iter()
        .map(|impact| {
            let Impact { preset, tools } = impact;
            view! {
                <li class="flex items-baseline justify-between gap-3 py-1.5">
                    <a class="link" href=format!("/presets/{}", preset.id)>{preset.title.clone()}</a>
                    <span class="text-muted">{tools_words(tools)}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="divide-y divide-line">{rows}</ul> }.into_any()
}

fn tools_words(tools: usize) -> String {
    if tools == 1 { "1 tool".to_owned() } else { format!("{tools} tools") }
}

/// What somebody may wonder who tested the source a moment ago.
const NOT_RUNNING: &str = "It starts with the next call of one of its tools, and ends again when nobody has \
                           called it for a while. A test runs a process of its own, which ends with the test, so \
                           this one not running is no failure.";

fn process(link: Option<LinkStatus>) -> AnyView {
    match link {
        Some(link) => running(link).into_any(),
        None => view! {
            <Panel title="The process"><p>"Not running."</p> <p class="text-muted">{NOT_RUNNING}</p></Panel>
        }
        .into_any(),
    }
}

fn running(link: LinkStatus) -> impl IntoView {
    let LinkStatus { state, since, restarts, pid, stderr, last_error } = link;
    let words = match (state, pid) {
        (LinkState::Idle, _) => "Not running".to_owned(),
        (LinkState::Up, Some(pid)) => format!("Running as process {pid}"),
        (LinkState::Up, None) => "Running".to_owned(),
        (LinkState::Paused, _) => "Failed a moment ago; waiting before the next try".to_owned(),
    };
    let idle = (state == LinkState::Idle).then(|| view! { <p class="mb-4 text-muted">{NOT_RUNNING}</p> });
    view! {
        <div class="grid gap-6">
            <Panel title="The process">
                {idle}
                <Facts>
                    <Fact term="State">{words}</Fact>
                    <Fact term="Since"><Ago at=since/></Fact>
                    <Fact term="Restarts">{restarts}</Fact>
                    {last_error.map(|error| view! { <Fact term="Last failure">{prose(&sentence(&error))}</Fact> })}
                </Facts>
            </Panel>
            <Panel title="What it wrote on standard error" lead="The last 200 lines, oldest first.">
                {if stderr.is_empty() {
                    view! { <p class="text-muted">"Nothing so far."</p> }.into_any()
                } else {
                    view! { <pre class="snippet max-h-96 select-text" tabindex="0">{stderr.join("\n")}</pre> }.into_any()
                }}
            </Panel>
        </div>
    }
}

fn delete(form: Form, detail: SourceDetail) -> impl IntoView {
    let SourceDetail { source, presets, .. } = detail;
    let name = source.name.to_string();
    let losses = if presets.is_empty() {
        view! { <p>"No preset publishes its tools, so no agent will notice."</p> }.into_any()
    } else {
        let rows = presets
            .into_iter()
            .map(|Impact { preset, tools }| {
                view! {
                    <li>
                        <a class="link" href=format!("/presets/{}", preset.id)>{preset.title.clone()}</a>
                        {format!(" loses {}", tools_words(tools))}
                    </li>
                }
            })
            .collect_view();
        view! {
            <p>"These presets lose tools, and every agent that uses them loses them on its next call:"</p>
            <ul class="ml-5 list-disc">{rows}</ul>
        }
        .into_any()
    };
    view! {
        <Panel title="Delete this data source" lead="Its credential and its list of tools go with it. There is no way back.">
            <ConfirmByName
                action=REMOVE
                fields=vec![("id", source.id.to_string())]
                form=form
                name=name
                verb="Delete this data source"
            >
                {losses}
            </ConfirmByName>
        </Panel>
    }
}
