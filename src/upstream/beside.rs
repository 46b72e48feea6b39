//! Everything a source offers beside its tools, in one go.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Link, Offer};
use crate::mcp::ListKind;

/// What a source offers beside its tools.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What it says of itself; `None` if it could not be asked.
    pub offer: Option<Arc<Offer>>,
    /// Its resources, byte for byte; `None` if the list could not be read.
    pub resources: Option<Vec<Box<RawValue>>>,
    /// Its resource templates, byte for byte; `None` if the list could not be read.
    pub templates: Option<Vec<Box<RawValue>>>,
    /// Its prompts, byte for byte; `None` if the list could not be read.
    pub prompts: Option<Vec<Box<RawValue>>>,
}

impl Link {
    /// Lists what the source offers beside its tools. What it does not say it has is not asked for,
    /// and a list that cannot be read costs nothing but itself.
    pub async fn beside(&self) -> Beside {
        let offer = match self.offer().await {
            Ok(offer) => offer,
            Err(error) => {
                tracing::debug!(%error, "a source was not asked what it offers beside tools");
                return Beside::default();
            }
        };
        let able = offer.abilities();
        let list = async |is_offered: bool, kind: ListKind| {
            if !is_offered {
                return Some(Vec::new());
            }
            match self.list(kind).await {
                Ok(listing) => Some(listing.items),
                Err(error) => {
                    tracing::debug!(%error, "`{}` of a source cannot be read", kind.method().as_str());
                    None
                }
            }
        };
        Beside {
            resources: list(able.resources, ListKind::Resources).await,
            templates: list(able.resources, ListKind::Templates).await,
            prompts: list(able.prompts, ListKind::Prompts).await,
            offer: Some(offer),
        }
    }
}
