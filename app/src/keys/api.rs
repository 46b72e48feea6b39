//! What the page of API keys posts.

use std::time::Duration;

use doorward::{
    identity::{IdentityError, NewKey},
    model::{ApiKeyId, KeyScope, PresetId},
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    limits, session,
    trouble::Trouble,
};

/// Where making a key is posted to.
pub(crate) const CREATE: &str = <CreateKey as ServerFn>::PATH;
/// Where revoking a key is posted to.
pub(crate) const REVOKE: &str = <RevokeKey as ServerFn>::PATH;

/// The name of the form.
pub(crate) const FORM: &str = "key";

/// The page both come from.
const PAGE: &str = "/keys";

/// Makes a key. Its text is shown once, on the page that follows.
#[server(prefix = "/do", endpoint = "key-create")]
pub async fn create_key(
    name: String,
    reach: String,
    expires: String,
    #[server(default)] rate: String,
    #[server(default)] presets: Vec<String>,
) -> Result<(), ServerFnError> {
    let name = name.trim().to_owned();
    let form = Form::new(FORM)
        .keep("name", &name)
        .keep("reach", &reach)
        .keep("expires", &expires)
        .keep("rate", rate.trim());
    form.answer(PAGE, create(name, &reach, &expires, &rate, &presets).await)
}

async fn create(
    name: String,
    reach: &str,
    expires: &str,
    rate: &str,
    presets: &[String],
) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let console = console();
    let scope = match reach {
        "everything" => KeyScope::Everything,
        "presets" => {
            let presets: Result<Vec<PresetId>, _> = presets.iter().map(|id| id.parse()).collect();
            let presets =
                presets.map_err(|_| Mistake::field("reach", "one of the presets does not exist"))?;
            if presets.is_empty() {
                return Err(Mistake::field(
                    "reach",
                    "tick at least one preset, or let the key reach everything",
                ));
            }
            for id in &presets {
                if console.presets.find(&member, *id).await?.is_none() {
                    return Err(Mistake::field("reach", "one of the presets does not exist"));
                }
            }
            KeyScope::Presets(presets)
        }
        _ => return Err(Mistake::field("reach", "choose what the key may reach")),
    };
    let expires_at = match expires {
        "never" => None,
        days => {
            let days = days.parse::<u64>().ok().filter(|days| (1..=3660).contains(days));
            let days = days.ok_or_else(|| Mistake::field("expires", "choose from the list"))?;
            Some(console.now().plus(Duration::from_secs(days * 86_400)))
        }
    };
    let new = NewKey { name, scope, expires_at, rate: limits::read_rate(rate)? };
    let (key, secret) = console.identity.create_key(&member, new).await.map_err(mistake)?;
    Ok(Onward::to(PAGE).saying(format!("The key {} is made.", key.name)).showing_once(&secret))
}

/// Revokes a key. It stops working with the next call.
#[server(prefix = "/do", endpoint = "key-revoke")]
pub async fn revoke_key(id: String) -> Result<(), ServerFnError> {
    Form::new("key-revoke").answer(PAGE, revoke(&id).await)
}

async fn revoke(id: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: ApiKeyId = id.parse().map_err(|_| Trouble::NotFound)?;
    if !console().identity.revoke_key(&member, id).await? {
        return Err(Trouble::NotFound.into());
    }
    Ok(Onward::to(PAGE).saying("The key is revoked: the next call with it is refused."))
}

fn mistake(error: IdentityError) -> Mistake {
    match error {
        IdentityError::BadKey { .. } => Mistake::field("name", error),
        IdentityError::TooManyKeys { .. } => Mistake::form(error),
        other => other.into(),
    }
}
