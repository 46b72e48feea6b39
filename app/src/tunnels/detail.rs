//! Everything about one tunnel: what it leads to, its servers with their keys, and its live sessions.

use doorward::{
    model::{Fingerprint, Hop, HopAuthKind, OrgRole, Tunnel},
    sources::TunnelDetail,
    tunnel::{KnownHost, TunnelStatus},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api::{CONFIRM, GENERATE, REMOVE, REMOVE_FORM, SIGN_IN, TEST, sign_in_form, tunnel_id};
use crate::{
    context::console,
    form::Report,
    page::{Page, Place, Visit, page as framed},
    sources::TestReport,
    trouble::{Trouble, sentence},
    ui::{
        Ago, Badge, ConfirmByName, Copyable, Fact, Facts, Field, FormMistake, Icon, Notice, Panel,
        PostButton, TextArea, Tone, duration_us, prose,
    },
};

/// Draws the overview.
pub(crate) fn overview_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Sources, move |visit| async move {
        let detail = find(&visit, &id).await?;
        let tunnel = &detail.tunnel;
        let path = format!("/tunnels/{}", tunnel.id);
        let actions = view! {
            {visit.manages().then(|| view! {
                <a class="button" href=format!("{path}/edit")>"Edit"</a>
                <a class="button button-quiet" href=format!("{path}/delete")>"Delete"</a>
            })}
            {visit.operates().then(|| view! {
                <PostButton action=TEST fields=vec![("id", tunnel.id.to_string())] class="button button-primary">
                    {Icon::Play.draw()} "Test now"
                </PostButton>
            })}
        };
        let title = tunnel.name.to_string();
        let page = Page::new(title, overview(&visit, detail)).above("/tunnels", "Tunnels").actions(actions);
        Ok(page)
    })
}

/// Draws what deleting it would mean.
pub(crate) fn delete_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Sources, move |visit| async move {
        visit.needs(OrgRole::Admin)?;
        let TunnelDetail { tunnel, sources, .. } = find(&visit, &id).await?;
        let (name, path) = (tunnel.name.to_string(), format!("/tunnels/{}", tunnel.id));
        let body = if sources.is_empty() {
            let fields = vec![("id", tunnel.id.to_string())];
            view! {
                <ConfirmByName action=REMOVE fields form=visit.form(REMOVE_FORM) name=name.clone() verb="Delete the tunnel">
                    <p>"No data source goes through it. Its keys are deleted with it."</p>
                </ConfirmByName>
            }
            .into_any()
        } else {
            view! {
                <Notice tone=Tone::Warn>
                    <p>"It cannot be deleted while data sources go through it. Give these another way first:"</p>
                </Notice>
                {links(sources)}
            }
            .into_any()
        };
        Ok(Page::new(format!("Delete {name}"), view! { <div class="grid gap-4">{body}</div> })
            .above(path, name))
    })
}

async fn find(visit: &Visit, id: &str) -> Result<TunnelDetail, Trouble> {
    console().sources.tunnel_detail(&visit.member, tunnel_id(id)?).await?.ok_or(Trouble::NotFound)
}

fn overview(visit: &Visit, detail: TunnelDetail) -> AnyView {
    let TunnelDetail { tunnel, known, sources, sessions, passwords } = detail;
    let asked = visit.report.as_ref().and_then(|report| confirm(report, &tunnel, visit.manages()));
    let destinations =
        tunnel.destinations.iter().map(|place| view! { <li><code>{place.to_string()}</code></li> });
    let destinations = destinations.collect_view();
    let servers = tunnel.hops.iter().zip(&known).enumerate();
    let servers = servers
        .map(|(index, (hop, known))| server(visit, &tunnel, index, hop, known.as_ref(), passwords))
        .collect_view();
    let named: Vec<_> = sessions
        .into_iter()
        .map(|status| {
            let name = sources.iter().find(|(id, _)| *id == status.source).map(|(_, name)| name.to_string());
            session(name.unwrap_or_else(|| "a deleted data source".to_owned()), status)
        })
        .collect();
    let used = if sources.is_empty() {
        view! { <p class="text-muted">"None yet. Choose it when you add or edit a data source."</p> }
            .into_any()
    } else {
        links(sources)
    };
    view! {
        <div class="grid gap-6">
            {visit.report.clone().map(|report| view! { <TestReport report=report/> })}
            {asked}
            {servers}
            <Panel title="What it leads to" lead="As the last server knows them; nothing else is reached through it.">
                <ul class="grid gap-1">{destinations}</ul>
            </Panel>
            <Panel title="Data sources">{used}</Panel>
            {(!named.is_empty()).then(|| view! { <Panel title="Sessions" lead="Each data source in use has one of its own."><div class="divide-y divide-line">{named}</div></Panel> })}
        </div>
    }
    .into_any()
}

/// Asks to confirm the host key that the test has shown.
fn confirm(report: &Report, tunnel: &Tunnel, manages: bool) -> Option<AnyView> {
    let (index, shown) = report.host_key.clone()?;
    let hop = tunnel.hops.get(index)?;
    let (tone, words) = match &hop.host_key {
        None => (
            Tone::Warn,
            format!(
                "{} shows this host key. Compare it with what its operator says, then confirm it:",
                hop.address()
            ),
        ),
        Some(before) => (
            Tone::Bad,
            format!(
                "{} shows another host key than {before}, which was confirmed. Either its keys were replaced, or somebody \
                 else answers in its place. Ask its operator before you confirm the new one:",
                hop.address()
            ),
        ),
    };
    let fields = vec![("id", tunnel.id.to_string()), ("hop", index.to_string()), ("host_key", shown.clone())];
    let view = view! {
        <Notice tone=tone>
            <div class="grid gap-3">
                <p>{words}</p>
                <p><Copyable text=shown/></p>
                {if manages {
                    view! {
                        <div><PostButton action=CONFIRM fields class="button button-primary">"Confirm this host key"</PostButton></div>
                    }
                    .into_any()
                } else {
                    view! { <p>"An administrator of the organisation confirms it."</p> }.into_any()
                }}
            </div>
        </Notice>
    };
    Some(view.into_any())
}

fn server(
    visit: &Visit,
    tunnel: &Tunnel,
    index: usize,
    hop: &Hop,
    known: Option<&KnownHost>,
    passwords: bool,
) -> AnyView {
    let title = match tunnel.hops.len() {
        1 => format!("The server {}", hop.address()),
        _ => format!("Server {}: {}", index + 1, hop.address()),
    };
    let fields = vec![("id", tunnel.id.to_string()), ("hop", index.to_string())];
    let generate = view! { <PostButton action=GENERATE fields>"Make a new key in its place"</PostButton> };
    let with = match hop.auth {
        HopAuthKind::Key => "A key",
        HopAuthKind::Password => "A password, sealed",
    };
    let badge = match hop.host_key {
        _ if known.is_some() => view! { <Badge tone=Tone::Good word="Known here"/> },
        Some(_) => view! { <Badge tone=Tone::Good word="Confirmed"/> },
        None => view! { <Badge tone=Tone::Warn word="To be confirmed"/> },
    };
    let host_key = host_key(hop, known);
    let (user, public_key) = (hop.user.clone(), hop.public_key.clone());
    let was_sent = visit.sent(&sign_in_form(index)).is_some();
    let other_ways = visit.manages().then(|| {
        let own_key = own_key(visit, tunnel, index, passwords);
        view! {
            <details open=was_sent>
                <summary class="link inline-block">"Sign in with something else"</summary>
                <div class="grid max-w-3xl gap-5 pt-4">
                    <div>{generate}</div>
                    {own_key}
                </div>
            </details>
        }
    });
    view! {
        <Panel title=title actions=badge.into_any()>
            <div class="grid gap-5">
                <Facts>
                    <Fact term="Signs in as">{user}</Fact>
                    <Fact term="With">{with}</Fact>
                    {public_key.map(|line| view! { <Fact term="Public key, for authorized_keys"><Copyable text=line/></Fact> })}
                    <Fact term="Host key">{host_key}</Fact>
                </Facts>
                {other_ways}
            </div>
        </Panel>
    }
    .into_any()
}

/// Says which host key a server has to show, and who said so.
fn host_key(hop: &Hop, known: Option<&KnownHost>) -> AnyView {
    let Some(KnownHost { keys, authorities }) = known else {
        return match &hop.host_key {
            Some(key) => view! { <Copyable text=key.to_string()/> }.into_any(),
            None => "Shown by the first test".into_any(),
        };
    };
    let draw = |key: &Fingerprint| view! { <Copyable text=key.to_string()/> };
    let keys = keys.iter().map(draw).collect_view();
    let (vouched, authorities) = (!authorities.is_empty(), authorities.iter().map(draw).collect_view());
    view! {
        <div class="grid gap-1">
            <p>"The operator of this gateway knows it. Nobody has to confirm it, and another one is refused."</p>
            {keys}
            {vouched.then(|| view! { <p>"A certificate of this authority does as well:"</p> {authorities} })}
        </div>
    }
    .into_any()
}

/// The form that takes a key its owner has, or a password.
fn own_key(visit: &Visit, tunnel: &Tunnel, index: usize, passwords: bool) -> impl IntoView + use<> {
    let form = visit.form(&sign_in_form(index));
    view! {
        <form class="grid gap-5" method="post" action=SIGN_IN>
            <input type="hidden" name="id" value=tunnel.id.to_string()/>
            <input type="hidden" name="version" value=tunnel.version/>
            <input type="hidden" name="hop" value=index.to_string()/>
            <FormMistake form=form.clone()/>
            <TextArea
                form=form.clone()
                name="private_key"
                label="A private key you have"
                placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
                hint="ed25519, ECDSA or RSA in the form of OpenSSH, PEM or PKCS#8. Sealed before it is stored, never shown again."
                optional=true
                mono=true
            />
            <Field form=form.clone() name="passphrase" kind="password" label="Its passphrase" optional=true/>
            <TextArea
                form=form.clone()
                name="certificate"
                label="A certificate for it"
                hint="The line in `…-cert.pub`, where the server wants one."
                rows=2
                optional=true
                mono=true
            />
            {passwords.then(|| view! {
                <Field
                    form=form
                    name="password"
                    kind="password"
                    label="Or a password in place of a key"
                    optional=true
                />
            })}
            <div><button class="button" type="submit">"Sign in with this"</button></div>
        </form>
    }
}

fn links(sources: Vec<(doorward::model::SourceId, doorward::model::SourceName)>) -> AnyView {
    let rows = sources.into_iter().map(|(id, name)| {
        view! { <li><a class="link" href=format!("/sources/{id}")>{name.to_string()}</a></li> }
    });
    view! { <ul class="grid gap-1">{rows.collect_view()}</ul> }.into_any()
}

fn session(name: String, status: TunnelStatus) -> impl IntoView {
    let TunnelStatus { up_since, reconnects, channels, bytes_in, bytes_out, round_trip, last_error, .. } =
        status;
    let trip = round_trip.map(|trip| duration_us(i64::try_from(trip.as_micros()).unwrap_or(i64::MAX)));
    view! {
        <section class="grid gap-2 py-3">
            <h3 class="font-medium">{name}</h3>
            <Facts>
                <Fact term="Connected">
                    {match up_since {
                        Some(at) => view! { "since " <Ago at=at/> }.into_any(),
                        None => "Not now; the next call connects".into_any(),
                    }}
                </Fact>
                {trip.map(|trip| view! { <Fact term="Round trip">{trip}</Fact> })}
                <Fact term="Connected again">{format!("{reconnects} times")}</Fact>
                <Fact term="Open channels">{channels}</Fact>
                <Fact term="Bytes">{format!("{bytes_in} in, {bytes_out} out")}</Fact>
                {last_error.map(|error| view! { <Fact term="Last failure">{prose(&sentence(&error))}</Fact> })}
            </Facts>
        </section>
    }
}
