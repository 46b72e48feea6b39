//! Adding a data source: one page that unfolds. Nothing is kept until its last button.

use doorward::{
    model::{OrgRole, SourceKind},
    policy,
    sources::Detected,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use url::Url;

use super::{
    api::{ADD_FORM, ADD_HTTP, ADD_PROCESS, LOOK, LOOK_FORM, PROCESS_FORM, tunnel_choice},
    authorities,
    credential::CredentialChoice,
    draft::{self, Begun, Draft, begun_earlier, keeper},
    report::Steps,
    tunnel::TunnelPicks,
    view::{era_words, report, suggested_name},
    well_known::{self, WellKnown},
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::{Trouble, sentence},
    ui::{
        Badge, Fact, Facts, Field, FormMistake, Icon, Notice, Panel, Pick, Select, Tab, Tabs, TextArea, Tone,
        now, prose,
    },
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let query = use_query_map().get_untracked();
    let by_process = query.get("kind").as_deref() == Some("process");
    let known = query.get("known").and_then(|name| well_known::find(&name, by_process));
    framed(Place::Sources, move |visit| load(visit, by_process, known))
}

async fn load(visit: Visit, by_process: bool, known: Option<&'static WellKnown>) -> Result<Page, Trouble> {
    visit.needs(OrgRole::Admin)?;
    let may_process = policy::may_use_process(&visit.member);
    let body = if by_process {
        may_process?;
        process(&visit, known).into_any()
    } else {
        address(&visit, known).await?
    };
    let tabs = may_process.is_ok().then(|| {
        let tabs = vec![
            Tab::new(Begun::Address.path(), "By address"),
            Tab::new(Begun::Process.path(), "As a process"),
        ];
        let open = if by_process { Begun::Process } else { Begun::Address }.path();
        view! { <Tabs label="Kinds of data source" tabs=tabs open=open/> }
    });
    let page = Page::new(
        "Add a data source",
        view! { <div class="grid max-w-3xl gap-6">{tabs} {body}</div> },
    )
    .lead(
        "Nothing is added until the last button. What you begin waits here for a week, without credentials.",
    )
    .above("/sources", "Data sources");
    Ok(page)
}

async fn address(visit: &Visit, known: Option<&WellKnown>) -> Result<AnyView, Trouble> {
    // The second form comes back when it was refused; the first one when it was sent.
    let adding = visit.sent(ADD_FORM);
    let looking = visit.sent(LOOK_FORM);
    let (at, draft) = draft::find(visit.member.user, Begun::Address, now()).unzip();
    let asked = adding.is_some() || looking.is_some();
    let known = known.filter(|_| !asked);
    let draft: Draft = draft.filter(|_| known.is_none()).unwrap_or_default();
    let url = known.map_or_else(|| draft.value("url").to_owned(), |known| known.url().to_owned());
    let earlier = at.filter(|_| !asked && known.is_none()).map(|at| begun_earlier(Begun::Address, at));
    let tunnels = TunnelPicks::load(visit).await?;
    let tunnel = draft.value("tunnel").to_owned();
    let ask = look(
        looking.clone().unwrap_or_else(|| Form::new(LOOK_FORM)),
        url.clone(),
        tunnels.field(Form::new(LOOK_FORM), &tunnel),
        draft.value("ca_certificates"),
        asked,
    );
    let others = (!asked).then(|| well_known::choice(false));
    let ask = view! {
        <div class="grid gap-4">{earlier} <div>{keeper(Begun::Address)} {ask}</div> {others}</div>
    };
    if !asked || looking.is_some_and(|form| form.is_refused()) {
        return Ok(ask.into_any());
    }
    let Ok(parsed) = Url::parse(&url) else { return Ok(ask.into_any()) };
    let (Ok(through), Ok(trusted)) =
        (tunnel_choice(&tunnel), authorities::read(draft.value("ca_certificates")))
    else {
        return Ok(ask.into_any());
    };
    let found = console().sources.detect(&visit.member, &parsed, through, trusted).await;
    let rest = match found {
        Ok(detected) => {
            let sources = console().sources.list(&visit.member).await?;
            let taken: Vec<_> = sources.iter().map(|summary| summary.source.name.as_str()).collect();
            let name = suggested_name(&detected, &taken);
            let way = [("tunnel", tunnel), ("ca_certificates", draft.value("ca_certificates").to_owned())];
            found_there(draft.fill(adding.unwrap_or_else(|| Form::new(ADD_FORM))), detected, name, way)
                .into_any()
        }
        Err(
            error @ (doorward::sources::SourceError::Store(_) | doorward::sources::SourceError::Denied(_)),
        ) => {
            return Err(error.into());
        }
        Err(error) => {
            view! { <Notice tone=Tone::Bad><p>{prose(&sentence(&error.to_string()))}</p></Notice> }.into_any()
        }
    };
    Ok(view! { <div class="grid gap-6">{ask} {rest}</div> }.into_any())
}

/// The first step: an address.
fn look(
    form: Form,
    url: String,
    tunnel: Option<AnyView>,
    authorities: &str,
    looked: bool,
) -> impl IntoView + use<> {
    let authorities = authorities::folded(form.clone(), authorities);
    let looked = looked && !form.is_refused();
    view! {
        <form class="grid gap-4" method="post" action=LOOK>
            <FormMistake form=form.clone()/>
            <div class="grid items-start gap-3 sm:grid-cols-[minmax(0,1fr)_auto]">
                <Field
                    form=form
                    name="url"
                    kind="url"
                    label="Address of the MCP server or Spark History Server"
                    placeholder="https://mcp.example.org/mcp"
                    first=url
                    mono=true
                    autofocus=!looked
                />
                <button class=if looked { "button sm:mt-6" } else { "button button-primary sm:mt-6" } type="submit">
                    {Icon::Search.draw()} {if looked { "Look again" } else { "Look what is there" }}
                </button>
            </div>
            {tunnel}
            {authorities}
        </form>
    }
}

/// The second step: what is there, and how to show oneself to it.
fn found_there(
    form: Form,
    detected: Detected,
    name: String,
    way: [(&'static str, String); 2],
) -> impl IntoView {
    let Detected { url, kind, verdict, needs_credential, signs_in, tools, report: probe, .. } = detected;
    let speaks = vec![
        Pick::new(SourceKind::McpHttp.word(), "An MCP server"),
        Pick::new(SourceKind::SparkHistory.word(), "A Spark History Server, shown as tools"),
    ];
    let steps = report(&probe);
    let failure = probe.failure().map(str::to_owned);
    let answered = verdict.is_some() || needs_credential.is_some();
    let (tone, word) = match (&verdict, &needs_credential, &failure) {
        (_, Some(_), _) if signs_in => (Tone::Warn, "Asks you to sign in"),
        (_, Some(_), _) => (Tone::Warn, "Asks for a credential"),
        (Some(_), None, None) => (Tone::Good, "Ready"),
        (_, None, _) => (Tone::Bad, "Not reached"),
    };
    let first_auth = match (&needs_credential, signs_in) {
        (Some(_), true) => "oauth",
        (Some(_), false) => "bearer",
        (None, _) => "none",
    };
    let server = verdict.as_ref().map(|verdict| verdict.server.clone()).unwrap_or_default();
    let count = tools.len();
    let some_tools = tools.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
    let more = count.saturating_sub(12);
    view! {
        <Panel title="What is there" actions=view! { <Badge tone=tone word=word/> }.into_any()>
            <div class="grid gap-4">
                {answered.then(|| view! {
                    <Facts>
                        {(!server.is_empty()).then(|| view! { <Fact term="It calls itself">{server}</Fact> })}
                        {(kind == SourceKind::McpHttp).then(|| view! {
                            <Fact term="Protocol">{era_words(verdict.as_ref())}</Fact>
                        })}
                        <Fact term="Credential">
                            {match needs_credential {
                                Some(challenge) => view! {
                                    "It asks for one: " <code>{challenge}</code>
                                }.into_any(),
                                None => "It asks for none".into_any(),
                            }}
                        </Fact>
                        {(count > 0).then(|| view! {
                            <Fact term="Tools">
                                {format!("{count}: {some_tools}")} {(more > 0).then(|| format!(" and {more} more"))}
                            </Fact>
                        })}
                    </Facts>
                })}
                <details open=!answered>
                    <summary class="link inline-block">"Each step and its time"</summary>
                    <Steps report=steps/>
                </details>
            </div>
        </Panel>
        <form class="grid gap-6" method="post" action=ADD_HTTP>
            <input type="hidden" name="url" value=url.to_string()/>
            {way.map(|(name, value)| view! { <input type="hidden" name=name value=value/> })}
            <Panel
                title="Keep it"
                lead=if answered {
                    "Give it a name, and a credential if it wants one. Doorward then tests it and reads its tools."
                } else {
                    "It can be kept as it is: Doorward goes on trying and says when it answers."
                }
            >
                <div class="grid gap-5">
                    <FormMistake form=form.clone()/>
                    <Select form=form.clone() name="speaks" label="What it is" first=kind.word() picks=speaks/>
                    <Field
                        form=form.clone()
                        name="name"
                        label="Name"
                        first=name
                        hint="Yours alone. Lower-case letters, digits and -."
                        pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                        mono=true
                    />
                    <CredentialChoice form=form first=first_auth kept=None/>
                    <div>
                        <button class=if answered { "button button-primary" } else { "button" } type="submit">
                            {if answered { "Add and test" } else { "Keep it anyway" }}
                        </button>
                    </div>
                </div>
            </Panel>
        </form>
    }
}

/// A process, for those who manage the instance.
fn process(visit: &Visit, known: Option<&'static WellKnown>) -> impl IntoView + use<> {
    let sent = visit.sent(PROCESS_FORM);
    let known = known.filter(|_| sent.is_none());
    let draft = draft::find(visit.member.user, Begun::Process, now()).filter(|_| known.is_none());
    let (at, draft) = draft.unzip();
    let others = sent.is_none().then(|| well_known::choice(true));
    let first = known.map(WellKnown::process).unwrap_or_default();
    let earlier = at.filter(|_| sent.is_none()).map(|at| begun_earlier(Begun::Process, at));
    let form = draft.unwrap_or_default().fill(sent.unwrap_or_else(|| Form::new(PROCESS_FORM)));
    view! {
        {earlier}
        <form class="grid gap-6" method="post" action=ADD_PROCESS>
            <Notice tone=Tone::Warn>
                <p>
                    "The program runs on this machine as the user Doorward runs as, and may do whatever that user may. "
                    "Only administrators can add one."
                </p>
            </Notice>
            <Panel title="The program" lead="Started when a tool is first called, ended when it was idle for a while.">
                <div class="grid gap-5">
                    <div class="hidden">{keeper(Begun::Process)}</div>
                    <FormMistake form=form.clone()/>
                    <ProcessFields form=form first=first/>
                    <div>
                        <button class="button button-primary" type="submit">"Add and test"</button>
                    </div>
                </div>
            </Panel>
        </form>
        {others}
    }
}

/// What the fields of a process show at first.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessFirst {
    pub name: String,
    pub command: String,
    pub working_dir: String,
    pub env: String,
}

/// The fields of a process.
#[component]
pub(super) fn ProcessFields(
    /// The form.
    form: Form,
    /// What is shown at first.
    first: ProcessFirst,
) -> impl IntoView {
    let keeps = first.env.lines().any(|line| !line.contains('='));
    let sent = form.is_refused();
    view! {
        <Field
            form=form.clone()
            name="command"
            label="Command"
            first=first.command
            placeholder="npx -y @modelcontextprotocol/server-everything"
            hint="Program and arguments. Quotes group words; there is no shell, so nothing else has a meaning."
            mono=true
        />
        <Field
            form=form.clone()
            name="name"
            label="Name"
            first=first.name
            placeholder="everything"
            hint="Lower-case letters, digits and -."
            pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
            mono=true
        />
        <TextArea
            form=form.clone()
            name="env"
            label="Environment"
            first=first.env
            placeholder="GITHUB_TOKEN=…\nHOME=/srv/tools"
            hint=if sent {
                "One `NAME=value` a line. Values are never sent back: write those that you typed before once more."
            } else if keeps {
                "One `NAME=value` a line; a `NAME` alone keeps its value. Sealed, never shown again. Nothing else is in it."
            } else {
                "One `NAME=value` a line. Sealed before it is stored, never shown again. Nothing else is in it, not even `PATH`."
            }
            optional=true
            mono=true
        />
        <Field
            form=form
            name="working_dir"
            label="Working folder"
            first=first.working_dir
            placeholder="/srv/docs"
            hint="Without one it runs in an empty folder of its own."
            optional=true
            mono=true
        />
    }
}
