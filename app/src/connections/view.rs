//! Connections in the words and shapes of the pages.

use doorward::{
    clock::Ms,
    model::{Connection, ConnectionState},
};
use leptos::prelude::*;

use crate::ui::{Badge, Icon, Tone};

/// Says in one badge whether a connection can be used.
pub(super) fn badge(connection: &Connection, now: Ms) -> impl IntoView + use<> {
    let is_over = !connection.renews && connection.expires_at.is_some_and(|end| end <= now);
    match connection.state {
        ConnectionState::Wanted => view! { <Badge tone=Tone::Warn word="Not signed in" icon=Icon::Unknown/> },
        ConnectionState::Broken => view! { <Badge tone=Tone::Bad word="Sign in again"/> },
        ConnectionState::Active if is_over => view! { <Badge tone=Tone::Bad word="Sign in again"/> },
        ConnectionState::Active if !connection.wanted_scope.is_empty() => {
            view! { <Badge tone=Tone::Warn word="Wants more"/> }
        }
        ConnectionState::Active if !connection.detail.is_empty() => {
            view! { <Badge tone=Tone::Warn word="Renewal fails"/> }
        }
        ConnectionState::Active => view! { <Badge tone=Tone::Good word="Works"/> },
    }
}

/// Says whose it is.
pub(super) fn whose(connection: &Connection) -> &'static str {
    match connection.user {
        Some(_) => "Yours alone",
        None => "The organisation's",
    }
}

/// Says what signing in does from here.
pub(super) fn verb(connection: &Connection) -> &'static str {
    match connection.state {
        ConnectionState::Wanted => "Sign in",
        ConnectionState::Broken | ConnectionState::Active => "Sign in again",
    }
}
