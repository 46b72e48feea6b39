//! The choice of the tunnel through which a source is reached.

use doorward::model::Tunnel;
use leptos::prelude::*;

use crate::{
    context::console,
    form::Form,
    page::Visit,
    trouble::Trouble,
    ui::{Pick, Select},
};

/// The tunnels that a person can choose from.
pub(super) struct TunnelPicks(pub(super) Vec<Tunnel>);

impl TunnelPicks {
    /// Reads the tunnels of the person's organisation.
    pub(super) async fn load(visit: &Visit) -> Result<Self, Trouble> {
        Ok(Self(console().sources.tunnels(&visit.member).await?))
    }

    /// Draws the choice; `None` where there is nothing to choose.
    pub(super) fn field(&self, form: Form, first: &str) -> Option<AnyView> {
        if self.0.is_empty() {
            return None;
        }
        let direct = Pick::new("", "Directly, over this machine's network");
        let through = self
            .0
            .iter()
            .map(|tunnel| Pick::new(tunnel.id.to_string(), format!("Through the tunnel {}", tunnel.name)));
        let picks: Vec<Pick> = std::iter::once(direct).chain(through).collect();
        let first = first.to_owned();
        Some(view! { <Select form=form name="tunnel" label="Reached" first=first picks=picks/> }.into_any())
    }
}
