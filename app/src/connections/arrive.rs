//! Where issuers send people back to. It shows nothing: what the browser came with is used once, and
//! the page of the connection says how it went.

use doorward::{oauth::Arrival, secret::Secret};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::api::FORM;
use crate::{
    context::console,
    form::{Form, Onward},
    page::bare,
    session,
    sources::mistake,
    trouble::Trouble,
};

/// Ends a sign-in and sends the browser on.
pub(crate) fn page() -> AnyView {
    let query = use_query_map().get_untracked();
    let said = move |name: &str| query.get(name).filter(|value| !value.is_empty());
    let arrival = Arrival {
        code: said("code").map(Secret::new),
        state: said("state").map(Secret::new),
        iss: said("iss"),
        error: said("error"),
        error_description: said("error_description"),
    };
    bare(|_| async move {
        let outcome = async {
            let member = session::member().await?;
            let view = console().sources.finish_sign_in(&member, arrival).await.map_err(mistake)?;
            let path = format!("/connections/{}", view.connection.id);
            Ok(Onward::to(path).saying(format!("You are signed in to {}.", view.source_name)))
        };
        let outcome = outcome.await;
        // Sends the browser on whatever the outcome was.
        Form::new(FORM).answer("/connections", outcome).map_err(|_| Trouble::Broken)?;
        Ok(crate::page::Page::new("Signed in", ()))
    })
}
