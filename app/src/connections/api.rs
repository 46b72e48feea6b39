//! What the pages of connections post.

use doorward::model::{ConnectionId, SignInId};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Onward},
    session,
    sources::{mistake, source_id},
    trouble::Trouble,
};

/// Where beginning to sign in is posted to.
pub(super) const BEGIN: &str = <BeginSignIn as ServerFn>::PATH;
/// Where renewing is posted to.
pub(super) const RENEW: &str = <RenewConnection as ServerFn>::PATH;
/// Where ending a connection is posted to.
pub(super) const DISCONNECT: &str = <Disconnect as ServerFn>::PATH;
/// Where asking for a connection of one's own is posted to.
pub(crate) const OWN: &str = <OwnConnection as ServerFn>::PATH;

/// Begins to sign in. The page that follows names the issuer, and leads there.
#[server(prefix = "/do", endpoint = "connections/begin")]
pub async fn begin_sign_in(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let begun = console().sources.begin_sign_in(&member, connection_id(&id)?).await.map_err(mistake)?;
        Ok(Onward::to(format!("/connections/going/{begun}")))
    };
    Form::new(FORM).answer(&path(&id), outcome.await)
}

/// Renews a connection now.
#[server(prefix = "/do", endpoint = "connections/renew")]
pub async fn renew_connection(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        console().sources.renew_connection(&member, connection_id(&id)?).await.map_err(mistake)?;
        Ok(Onward::to(path(&id)).saying("It is renewed."))
    };
    Form::new(FORM).answer(&path(&id), outcome.await)
}

/// Ends a connection.
#[server(prefix = "/do", endpoint = "connections/disconnect")]
pub async fn disconnect(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        console().sources.disconnect(&member, connection_id(&id)?).await.map_err(mistake)?;
        Ok(Onward::to("/connections").saying("The connection is ended, and its tokens are forgotten."))
    };
    Form::new(FORM).answer(&path(&id), outcome.await)
}

/// Leads to the person's own connection to a source.
#[server(prefix = "/do", endpoint = "connections/own")]
pub async fn own_connection(source: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let own = console().sources.own_connection(&member, source_id(&source)?).await.map_err(mistake)?;
        Ok(Onward::to(format!("/connections/{}", own.id)))
    };
    Form::new(FORM).answer(&format!("/sources/{source}"), outcome.await)
}

/// The name of the buttons' forms, which have nothing to fill in.
pub(super) const FORM: &str = "connection";

fn path(id: &str) -> String {
    format!("/connections/{id}")
}

/// Reads the id of a connection from a form or a path.
pub(super) fn connection_id(text: &str) -> Result<ConnectionId, Trouble> {
    text.parse().map_err(|_| Trouble::NotFound)
}

/// Reads the id of a sign-in from a path.
pub(super) fn sign_in_id(text: &str) -> Result<SignInId, Trouble> {
    text.parse().map_err(|_| Trouble::NotFound)
}
