//! Calls that are an analysis: charged as one in place of a call, and kept. Whoever keeps analyses carries them out.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{
    fault::Fault,
    mcp::Revision,
    model::{SourceId, SourceName},
    policy::CallPermit,
    proxy::{Guest, Proxy, running::Calling, words},
    quota::QuotaSubject,
    sources::SourceError,
    upstream::{Answer, Reply, ReplyBody, UpstreamError},
};

/// Begins analyses for callers of presets.
pub trait Analyst: Send + Sync {
    /// Begins the analysis that a call asks for, if whoever is charged has room for one.
    fn begin<'a>(&'a self, wanted: WantedAnalysis<'a>) -> BoxFuture<'a, Result<RunningAnalysis, NotBegun>>;
}

/// What a call wants to have analysed.
#[derive(Debug)]
pub struct WantedAnalysis<'a> {
    /// That it may be called.
    pub permit: &'a CallPermit,
    /// Who is charged.
    pub charged: &'a QuotaSubject,
    /// The source that is asked.
    pub source: SourceId,
    /// The `params` of the call, as the source would get them.
    pub params: &'a [u8],
}

/// Ends with the `result` of the call. Dropping it cancels the analysis.
pub type RunningAnalysis = BoxFuture<'static, Result<Bytes, UpstreamError>>;

/// Says why a call began no analysis, and charged none.
#[derive(Debug)]
pub enum NotBegun {
    /// The source cannot be used.
    Source(SourceError),
    /// Something else.
    Other {
        /// Whose fault it is.
        fault: Fault,
        /// Why, for the caller.
        text: String,
    },
}

impl NotBegun {
    /// Returns whose fault it is, why for the log, and why for the caller.
    pub(super) fn words(&self, source: &SourceName) -> (Fault, String, String) {
        match self {
            Self::Source(error) => (error.fault(), error.to_string(), words::source(source, error)),
            Self::Other { fault, text } => (*fault, text.clone(), text.clone()),
        }
    }
}

impl Proxy {
    /// Begins the analysis that a call asks for.
    pub(super) async fn analyse(
        &self,
        guest: &Guest<'_>,
        source: SourceId,
        params: &[u8],
    ) -> Result<Calling, NotBegun> {
        let charged = self
            .charged(guest)
            .await
            .map_err(|error| NotBegun::Other { fault: error.fault(), text: words::quota(&error) })?;
        let wanted = WantedAnalysis { permit: &guest.permit, charged: &charged, source, params };
        let running = self.0.analyst.begin(wanted).await?;
        Ok(Box::pin(async move {
            let body = ReplyBody::Result(running.await?);
            Ok(Answer::Complete(Reply { body, revision: Revision::LATEST }))
        }))
    }
}
