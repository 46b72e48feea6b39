//! The page of an invitation.

use std::sync::Arc;

use doorward::{
    model::{AccessLevel, Email, Member},
    orgs::OrgOffer,
    presets::{Offer, RouteTable},
    secret::Secret,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    api::{ACCEPT, FORM_ACCEPT, FORM_SIGN_UP, PATH, SIGN_UP},
    offered::{Offered, find},
};
use crate::{
    context::console,
    form::{Flash, Form, encode, sign_in_path},
    organisations::role_words,
    page::{Page, bare},
    presets::{Published, keyless_line},
    session::{self, UnderWay},
    trouble::Trouble,
    ui::{Ago, Copyable, Field, FormMistake, Notice, Snippet, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let token = use_query_map().with_untracked(|map| map.get("token"));
    bare(move |flash| load(flash, token))
}

async fn load(flash: Flash, token: Option<String>) -> Result<Page, Trouble> {
    let token = token.or_else(|| UnderWay::Invited.sent()).unwrap_or_default();
    let Some(offered) = find(&Secret::new(token.clone())).await? else {
        let body = view! {
            <Notice tone=Tone::Plain>
                <p>"It was accepted or withdrawn, or its time is over. Ask whoever sent it for a new one."</p>
            </Notice>
            <p><a class="link" href="/">"To Doorward"</a></p>
        };
        return Ok(Page::new("This invitation does not hold", body));
    };
    UnderWay::Invited.begin(&Secret::new(token.clone()));
    let member = session::find().await?;
    let form = |name: &str| flash.clone().form(name);
    let step = match &member {
        Some(member) => accept(&offered, member, form(FORM_ACCEPT), token).into_any(),
        None => arrive(&offered, form(FORM_SIGN_UP), token).into_any(),
    };
    let offer = match offered {
        Offered::Preset(offer) => offer,
        Offered::Organisation(offer) => return Ok(organisation(&offer, step)),
    };
    let (owner, slug) = (offer.owner.as_str(), offer.preset.slug.as_str());
    let table = console().presets.route_table(owner, slug).await?.ok_or(Trouble::NotFound)?;
    let title = format!("{} shares “{}” with you", offer.invite.by_handle, offer.preset.title);
    Ok(Page::new(title, draw(&offer, table, step)).lead(offer.preset.description.clone()))
}

fn organisation(offer: &OrgOffer, step: AnyView) -> Page {
    let OrgOffer { invite, organisation, .. } = offer;
    let (role, at) = (role_words(invite.role), invite.expires_at);
    let handle = organisation.handle.to_string();
    let body = view! {
        <p>
            "An organisation shares data sources and presets, at addresses that begin with /mcp/" {handle} "/. You join as "
            <span class="font-medium">{role}</span> ". The invitation works once and ends " <Ago at/> "."
        </p>
        {step}
    };
    Page::new(format!("{} invites you to “{}”", invite.by_handle, organisation.name()), body)
}

fn draw(offer: &Offer, table: Arc<RouteTable>, step: AnyView) -> impl IntoView + use<> {
    let may = match offer.invite.level {
        AccessLevel::Viewer => "use it",
        AccessLevel::Editor => "use and change it",
        AccessLevel::Admin => "use it, change it, and share it on",
    };
    let of = (offer.owner != offer.invite.by_handle).then(|| format!(" It belongs to {}.", offer.owner));
    let at = offer.invite.expires_at;
    let address = format!("{}/mcp/{}/{}", console().settings.base_url, offer.owner, offer.preset.slug);
    let line = keyless_line(offer.preset.slug.as_str(), &address);
    view! {
        <p>
            "Tools for your AI agent, at one address. You may " {may} "." {of} " The invitation works once and ends "
            <Ago at/> "."
        </p>
        {step}
        <Published table/>
        <div class="grid grid-cols-1 gap-3 border-t border-line pt-5">
            <h2 class="font-medium">"Once you have accepted"</h2>
            <p class="text-muted">"Give your client this address. It opens a browser and asks you to sign in."</p>
            <Copyable text=address/>
            <p class="text-muted">"In Claude Code:"</p>
            <Snippet text=line/>
        </div>
    }
}

fn accept(offer: &Offered, member: &Member, form: Form, token: String) -> impl IntoView + use<> {
    let whose = match (offer.email(), offer.account()) {
        (Some(email), _) => Some(format!("It is for {email} alone. ")),
        (None, Some(handle)) => Some(format!("It is for {handle} alone. ")),
        (None, None) => None,
    };
    let who = format!("{}You are signed in as {}.", whose.unwrap_or_default(), member.handle);
    view! {
        <form class="grid gap-3" method="post" action=ACCEPT>
            <FormMistake form/>
            <input type="hidden" name="token" value=token/>
            <p class="text-muted">{who}</p>
            <button class="button button-primary" type="submit">"Accept"</button>
        </form>
    }
}

/// What somebody sees who is not signed in.
fn arrive(offer: &Offered, form: Form, token: String) -> impl IntoView + use<> {
    let identity = console().identity.clone();
    let step = match identity.invited_address(offer.invitee()) {
        Some(email) => sign_up(email, form, token).into_any(),
        None => {
            let whose = match (offer.email(), offer.account()) {
                (Some(email), _) => format!("You need an account here with the address {email}. "),
                (None, Some(handle)) => format!("It is for the account {handle}. "),
                (None, None) => "You need an account here. ".to_owned(),
            };
            let has_providers = identity.login_providers().next().is_some();
            let without = match (identity.invited_may_sign_up(), has_providers) {
                (true, true) => "Without one, sign in with a provider below, and you are asked to make it.",
                (true, false) | (false, _) => "Without one, ask whoever invites you, or an administrator.",
            };
            view! { <p class="text-muted">{whose} {without}</p> }.into_any()
        }
    };
    let providers: Vec<_> = identity
        .login_providers()
        .map(|provider| {
            let path = format!("/login/{}?next={}", provider.name, encode(PATH));
            let label = provider.label.clone();
            view! { <a class="button" href=path rel="nofollow">"Sign in with " {label}</a> }
        })
        .collect();
    view! {
        {step}
        <div class="grid gap-2">
            <a class="button" href=sign_in_path(PATH)>"Sign in to accept"</a>
            {providers}
        </div>
    }
}

fn sign_up(email: &Email, form: Form, token: String) -> impl IntoView + use<> {
    let email = email.to_string();
    view! {
        <form class="grid gap-4" method="post" action=SIGN_UP>
            <h2 class="font-medium">"Make an account and accept"</h2>
            <FormMistake form=form.clone()/>
            <input type="hidden" name="token" value=token/>
            <p class="text-muted">"For " {email} "."</p>
            <Field
                form=form.clone()
                name="handle"
                label="Handle"
                hint="Part of every address you share, as in /mcp/ada/release-notes. It cannot be changed later."
                pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                autocomplete="username"
            />
            <Field
                form=form
                name="password"
                kind="password"
                label="Password"
                hint="Ten characters or more. A few words in a row do well."
                autocomplete="new-password"
            />
            <button class="button button-primary" type="submit">"Make the account"</button>
        </form>
    }
}
