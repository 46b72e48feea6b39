//! Asking a source for what an analysis is made of, over the link that calls go over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::{
    insights::Analyses,
    mcp::{Capabilities, Raw},
    model::{SourceId, TenantId},
    providers::spark::Request,
    sources::visible,
    upstream::{Call, Link, ReplyBody, UpstreamError},
};

/// The longest reason kept that a source gives, in characters.
const WHY_CHARS_MAX: usize = 400;

/// How much longer a link may wait than whoever asks over it.
const GRACE: Duration = Duration::from_secs(1);

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The source cannot be used.
    Upstream(UpstreamError),
    /// It refused, in its own words.
    Refused(String),
}

impl Unanswered {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Upstream(error) => error.to_string(),
            Self::Refused(why) => why.clone(),
        }
    }
}

impl Analyses {
    /// Sends one request and returns the `result`, at the latest at the end given.
    pub(super) async fn ask(
        &self,
        tenant: TenantId,
        source: SourceId,
        link: &Arc<Link>,
        request: Request,
        end: Instant,
    ) -> Result<Bytes, Unanswered> {
        let left = end.saturating_duration_since(Instant::now());
        let call = Call {
            method: request.method,
            name: name_in(&request.params),
            params: request.params,
            param_headers: Vec::new(),
            progress: false,
            log_level: None,
            // A little more, so that the end given is what ends it.
            timeout: left + GRACE,
            capabilities: Capabilities::default(),
            partition: None,
        };
        let calling = async { link.call(call).await?.finish().await };
        let late = UpstreamError::Timeout { after: self.0.settings.deadline };
        let answer = timeout_at(end, calling).await.unwrap_or(Err(late));
        // That there was too little time left says nothing of the source.
        if !matches!(answer, Err(UpstreamError::Timeout { .. })) {
            self.0.sources.note(tenant, source, answer.as_ref().map(drop));
        }
        match answer.map_err(Unanswered::Upstream)?.body {
            ReplyBody::Result(result) => Ok(result),
            ReplyBody::Error(error) => Err(Unanswered::Refused(refusal(&error))),
        }
    }
}

/// Returns the tool that is called; `None` if none is.
fn name_in(params: &[u8]) -> Option<String> {
    Some(Raw::parse_bytes(params).ok()?.member("name")?.as_str()?.into_owned())
}

/// Returns what a source says that refuses, as it may be shown.
fn refusal(error: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let said = serde_json::from_slice::<Refusal>(error).map(|refusal| refusal.message);
    let said = said.unwrap_or_else(|_| "it refused, and does not say why".to_owned());
    visible(&said).chars().take(WHY_CHARS_MAX).collect()
}
