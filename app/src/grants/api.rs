//! What the page of clients posts.

use doorward::model::GrantId;
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

/// Where taking access back is posted to.
pub(super) const REVOKE: &str = <RevokeGrant as ServerFn>::PATH;

const PAGE: &str = "/grants";

/// Takes back what a client may do. It is refused from the next call on.
#[server(prefix = "/do", endpoint = "grant-revoke")]
pub async fn revoke_grant(id: String) -> Result<(), ServerFnError> {
    Form::new("grant-revoke").answer(PAGE, revoke(&id).await)
}

async fn revoke(id: &str) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let id: GrantId = id.parse().map_err(|_| Trouble::NotFound)?;
    if !console().issuer.revoke_grant(&member, id).await? {
        return Err(Trouble::NotFound.into());
    }
    Ok(Onward::to(PAGE).saying("The access is taken back: the client's next call is refused."))
}
