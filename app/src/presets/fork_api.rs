//! What the pages post on which a preset is forked, offered, and taken over.

use std::{collections::BTreeMap, sync::Arc};

use doorward::{
    model::{Handle, Member, PresetId, Slug, SourceId},
    presets::{Forked, NewFork, PresetError},
};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::{Deserialize, Serialize};

use super::{api::mistake, named::named, tools_path};
use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

/// Where forking is posted to.
pub(crate) const FORK: &str = <ForkPreset as ServerFn>::PATH;
/// Where offering a preset to somebody is posted to.
pub(crate) const OFFER: &str = <OfferPreset as ServerFn>::PATH;
/// Where taking an offer back is posted to.
pub(crate) const TAKE_BACK: &str = <TakeBackOffer as ServerFn>::PATH;
/// Where taking a preset over is posted to.
pub(crate) const TAKE_OVER: &str = <TakeOverPreset as ServerFn>::PATH;
/// Where turning an offer down is posted to.
pub(crate) const TURN_DOWN: &str = <TurnDownOffer as ServerFn>::PATH;

/// The name of the form that forks.
pub(crate) const FORM_FORK: &str = "preset-fork";
/// The name of the form that offers.
pub(crate) const FORM_OFFER: &str = "preset-offer";
/// The name of the form that takes over.
pub(crate) const FORM_TAKE_OVER: &str = "preset-take-over";

/// What the form says of one part of a preset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// The part.
    pub of: String,
    /// The data source of one's own that stands in; empty if nothing does.
    pub own: String,
}

/// Forks a preset.
#[server(prefix = "/do", endpoint = "preset-fork")]
pub async fn fork_preset(
    id: String,
    slug: String,
    title: String,
    #[server(default)] sources: Vec<StandIn>,
) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/fork");
    kept(FORM_FORK, &slug, &title, &sources).answer(&back, fork(&id, &slug, title, &sources).await)
}

async fn fork(id: &str, slug: &str, title: String, sources: &[StandIn]) -> Result<Onward, Mistake> {
    let (member, id, new) = read(id, slug, title, sources).await?;
    let forked = console().presets.fork(&member, id, new).await.map_err(refused)?;
    Ok(onward(&forked, "The fork is made, for you alone."))
}

/// Takes a preset over that is offered.
#[server(prefix = "/do", endpoint = "preset-take-over")]
pub async fn take_over_preset(
    id: String,
    slug: String,
    title: String,
    #[server(default)] sources: Vec<StandIn>,
) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/offered");
    kept(FORM_TAKE_OVER, &slug, &title, &sources).answer(&back, take_over(&id, &slug, title, &sources).await)
}

async fn take_over(id: &str, slug: &str, title: String, sources: &[StandIn]) -> Result<Onward, Mistake> {
    let (member, id, new) = read(id, slug, title, sources).await?;
    let taken = console().presets.take_over(&member, id, new).await.map_err(refused)?;
    Ok(onward(&taken, "The preset is yours."))
}

/// Offers a preset to somebody.
#[server(prefix = "/do", endpoint = "preset-offer")]
pub async fn offer_preset(id: String, to: String) -> Result<(), ServerFnError> {
    let to = to.trim().to_lowercase();
    let back = format!("/presets/{id}/settings");
    Form::new(FORM_OFFER).keep("to", &to).answer(&back, offer(&id, &to, &back).await)
}

async fn offer(id: &str, to: &str, back: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let handle = Handle::parse(to).map_err(|error| Mistake::field("to", error))?;
    console().presets.offer_transfer(&member, id, &handle).await.map_err(|error| match error {
        PresetError::Invalid { part: "to", reason } => Mistake::field("to", reason),
        other => mistake(other),
    })?;
    Ok(Onward::to(back).saying(format!("Offered to {to}, who finds the offer among their presets.")))
}

/// Takes the offer of a preset back.
#[server(prefix = "/do", endpoint = "preset-take-back")]
pub async fn take_back_offer(id: String) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/settings");
    let onward = Onward::to(&back).saying("The offer is taken back.");
    Form::new("preset-take-back").answer(&back, end(&id, onward).await)
}

/// Turns the offer of a preset down.
#[server(prefix = "/do", endpoint = "preset-turn-down")]
pub async fn turn_down_offer(id: String) -> Result<(), ServerFnError> {
    let onward = Onward::to("/presets").saying("The offer is turned down.");
    Form::new("preset-turn-down").answer("/presets", end(&id, onward).await)
}

async fn end(id: &str, onward: Onward) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    if !console().presets.end_transfer(&member, id).await.map_err(mistake)? {
        return Err(Trouble::NotFound.into());
    }
    Ok(onward)
}

fn kept(form: &str, slug: &str, title: &str, sources: &[StandIn]) -> Form {
    let form = Form::new(form).keep("slug", slug).keep("title", title);
    sources.iter().fold(form, |form, one| form.keep(&one.of, &one.own))
}

async fn read(
    id: &str,
    slug: &str,
    title: String,
    sources: &[StandIn],
) -> Result<(Arc<Member>, PresetId, NewFork), Mistake> {
    let member = session::member().await?;
    let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let slug = Slug::parse(slug.trim()).map_err(|error| Mistake::field("slug", error))?;
    let mut chosen = BTreeMap::new();
    for StandIn { of, own } in sources.iter().filter(|one| !one.own.is_empty()) {
        let of: SourceId = of.parse().map_err(|_| Trouble::NotFound)?;
        chosen.insert(of, own.parse().map_err(|_| Trouble::NotFound)?);
    }
    Ok((member, id, NewFork { slug, title, sources: chosen }))
}

fn refused(error: PresetError) -> Mistake {
    match error {
        // Names that were free for the original are taken by what its sources offer since.
        error @ PresetError::Collision { .. } => Mistake::form(error),
        PresetError::Invalid { part: "sources", reason } => Mistake::form(reason),
        other => mistake(other),
    }
}

fn onward(forked: &Forked, said: &str) -> Onward {
    let onward = Onward::to(tools_path(forked.preset.id));
    if forked.left_out.is_empty() {
        return onward.saying(said);
    }
    onward.warning(format!("{said} Without {}.", named(forked.left_out.iter().cloned())))
}
