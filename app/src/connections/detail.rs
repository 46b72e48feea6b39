//! One connection, and the page before one leaves for its issuer.

use doorward::{
    connections::Going,
    model::{Connection, ConnectionState, Preset},
    sources::ConnectionView,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{BEGIN, DISCONNECT, FORM, RENEW, connection_id, sign_in_id},
    view::{badge, verb, whose},
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    sources::mistake,
    trouble::{Trouble, sentence},
    ui::{Ago, ConfirmInPlace, Fact, Facts, FormMistake, Icon, Notice, Panel, PostButton, Tone, now, prose},
};

/// Draws one connection.
pub(crate) fn page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Connections, move |visit: Visit| async move {
        let found = console().sources.connection(&visit.member, connection_id(&id)?).await?;
        let view = found.ok_or(Trouble::NotFound)?;
        let title = view.source_name.clone();
        let now = now();
        let lead = view! {
            <span class="flex flex-wrap items-center gap-1.5">
                {badge(&view.connection, now)} {whose(&view.connection)} {format!(" sign-in at a data source of {}.", view.owner)}
            </span>
        };
        Ok(Page::new(title, draw(visit.form(FORM), view)).lead(lead).above("/connections", "Connections"))
    })
}

fn draw(form: Form, view: ConnectionView) -> impl IntoView {
    let ConnectionView { connection, presets, may_change, .. } = view;
    let trouble = (!connection.detail.is_empty()).then(|| sentence(&connection.detail));
    let wish = (!connection.wanted_scope.is_empty() && connection.state == ConnectionState::Active)
        .then(|| connection.wanted_scope.clone());
    let actions = may_change.then(|| actions(&connection));
    view! {
        <div class="grid gap-6">
            <FormMistake form=form/>
            {trouble.map(|why| view! { <Notice tone=Tone::Bad><p class="break-words">{prose(&why)}</p></Notice> })}
            {wish.map(|scope| view! {
                <Notice tone=Tone::Warn>
                    <p>"The source refused a call because it wants more than was granted: " <code>{scope}</code> ". Sign in again to grant it."</p>
                </Notice>
            })}
            {match may_change {
                true => actions.into_any(),
                false => view! {
                    <p class="text-muted">"Only an administrator of the organisation can sign in with it or end it."</p>
                }
                .into_any(),
            }}
            <Panel title="What it is">
                <Facts>
                    <Fact term="Issuer">{or_none(&connection.issuer)}</Fact>
                    <Fact term="Granted">{or_none(&connection.scope)}</Fact>
                    <Fact term="Last renewed">
                        {connection.renewed_at.map_or_else(|| "never".into_any(), |at| view! { <Ago at/> }.into_any())}
                    </Fact>
                    <Fact term="The present token">
                        {connection.expires_at.map_or_else(
                            || "has no end that the issuer names".into_any(),
                            |at| view! { "ends " <Ago at/> }.into_any(),
                        )}
                    </Fact>
                    <Fact term="Renewal">
                        {if connection.renews { "By itself, before the token ends" } else { "Not without you: sign in again when it ends" }}
                    </Fact>
                </Facts>
            </Panel>
            <Panel title="Used by" lead="The presets that publish tools of this data source.">{used_by(presets)}</Panel>
        </div>
    }
}

fn actions(connection: &Connection) -> impl IntoView + use<> {
    let fields = || vec![("id", connection.id.to_string())];
    let (begin, renew, end) = (fields(), fields(), fields());
    let first = if connection.state == ConnectionState::Active { "button" } else { "button button-primary" };
    let renews = connection.renews && connection.state == ConnectionState::Active;
    let is_there = connection.state != ConnectionState::Wanted;
    let sign_in = verb(connection);
    view! {
        <div class="flex flex-wrap items-start gap-2">
            <PostButton action=BEGIN fields=begin class=first>{Icon::Key.draw()} {sign_in}</PostButton>
            {renews.then(|| view! {
                <PostButton action=RENEW fields=renew class="button">{Icon::Refresh.draw()} "Renew now"</PostButton>
            })}
            {is_there.then(|| view! {
                <ConfirmInPlace action=DISCONNECT fields=end verb="Disconnect" label="Disconnect">
                    "Tools that run with it answer with where to sign in from the next call on. The tokens are given back and forgotten."
                </ConfirmInPlace>
            })}
        </div>
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { text.to_owned() }
}

fn used_by(presets: Vec<Preset>) -> AnyView {
    if presets.is_empty() {
        return view! { <p class="text-muted">"No preset of yours."</p> }.into_any();
    }
    let rows = presets
        .into_iter()
        .map(|preset| {
            view! {
                <li class="py-1.5"><a class="link" href=format!("/presets/{}", preset.id)>{preset.title.clone()}</a></li>
            }
        })
        .collect_view();
    view! { <ul class="divide-y divide-line">{rows}</ul> }.into_any()
}

/// Draws where somebody is about to be sent. Nobody is sent to an issuer without having read which.
pub(crate) fn going_page() -> AnyView {
    let id = use_params_map().get_untracked().get("id").unwrap_or_default();
    framed(Place::Connections, move |visit: Visit| async move {
        let found = console().sources.going(&visit.member, sign_in_id(&id)?).await;
        let (view, going) = match found {
            Ok(found) => found,
            Err(error) => {
                return Err(match mistake(error) {
                    crate::form::Mistake::Field(..) => Trouble::NotFound,
                    crate::form::Mistake::Trouble(trouble) => trouble,
                });
            }
        };
        let title = format!("Sign in to {}", view.source_name);
        let back = format!("/connections/{}", view.connection.id);
        Ok(Page::new(title, leave(view, going)).above(back, "The connection"))
    })
}

fn leave(view: ConnectionView, going: Going) -> impl IntoView {
    let host = going.url.host_str().unwrap_or_default().to_owned();
    let go_on = format!("Continue to {host}");
    let back = format!("/connections/{}", view.connection.id);
    let whose = match view.connection.user {
        Some(_) => "Only your own calls run with it.",
        None => "Everybody's calls to this data source run with it, as far as its owner lets them.",
    };
    view! {
        <Panel
            title="You leave for the issuer"
            lead="It asks you to sign in there, and sends you back here. Doorward never sees your password."
        >
            <div class="grid gap-5">
                <Facts>
                    <Fact term="Data source">{view.source_name} " of " {view.owner}</Fact>
                    <Fact term="You are sent to"><code>{host}</code></Fact>
                    <Fact term="Issuer"><code>{going.issuer}</code></Fact>
                    <Fact term="Asked for">{or_none(&going.scope)}</Fact>
                    <Fact term="Then">{whose}</Fact>
                </Facts>
                <p class="text-muted">
                    "Go on only if you know this host, and expect to sign in there for this data source."
                </p>
                <div class="flex flex-wrap gap-2">
                    <a class="button button-primary" href=going.url.to_string() rel="noreferrer">
                        {go_on} {Icon::ArrowRight.draw()}
                    </a>
                    <a class="button button-quiet" href=back>"Cancel"</a>
                </div>
            </div>
        </Panel>
    }
}
