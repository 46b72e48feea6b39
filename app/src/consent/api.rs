//! What the consent page posts.

use std::collections::HashSet;

use doorward::issuer::Asked;
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::{console, issuer_base, send_to_client},
    form::{Form, Mistake},
    session,
    trouble::Trouble,
};

/// Where the answer is posted to.
pub(super) const DECIDE: &str = <Decide as ServerFn>::PATH;

/// The name of the form.
pub(super) const FORM: &str = "consent";

/// The page it comes from, with its query.
pub(super) fn path(query: &str) -> String {
    format!("/oauth/authorize?{query}")
}

/// Takes what the person decided, and sends the browser to the client. What the client asked for is
/// read again from its own words: nothing of it is believed because a form says so.
#[server(prefix = "/do", endpoint = "consent")]
pub async fn decide(
    request: String,
    decision: String,
    #[server(default)] tools: Vec<String>,
) -> Result<(), ServerFnError> {
    match outcome(&request, &decision, tools).await {
        Ok(to) => {
            send_to_client(&to);
            Ok(())
        }
        Err(mistake) => Form::new(FORM).answer(&path(&request), Err(mistake)),
    }
}

async fn outcome(query: &str, decision: &str, tools: Vec<String>) -> Result<String, Mistake> {
    let member = session::member().await?;
    let issuer = &console().issuer;
    let Asked::Request(request) = issuer.asked(&issuer_base(), query).await? else {
        return Err(Trouble::NotFound.into());
    };
    match decision {
        "allow" => {
            let ticked: HashSet<String> = tools.into_iter().collect();
            Ok(issuer.allow(&member, &request, &ticked).await?.ok_or(Trouble::NotFound)?)
        }
        "refuse" => Ok(request.denied()),
        _ => Err(Mistake::form("choose one of the buttons")),
    }
}
