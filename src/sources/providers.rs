//! What answers in place of sources that speak no MCP.

use std::{fmt, sync::Arc};

use futures::future::{BoxFuture, FutureExt};

use crate::{
    clock::Clock,
    egress::Egress,
    model::{Reach, SourceKind},
    providers::spark::{self, Kept, SparkError, SparkHistory, Thresholds},
    upstream::{Inside, Insides, ReplyBody, Target, UpstreamError},
};

/// Opens the providers; all sources of a kind share one bound of what is kept of their answers.
pub struct Providers {
    clock: Clock,
    spark: Kept,
    thresholds: Thresholds,
}

impl Providers {
    /// Begins with nothing kept. From these thresholds on something is wrong with a Spark application.
    pub fn new(clock: Clock, thresholds: Thresholds) -> Self {
        Self { clock, spark: Kept::default(), thresholds }
    }
}

/// Says whether a call of this tool of a source is an analysis, which `insights` carries out.
pub fn is_analysis(kind: SourceKind, tool: &str) -> bool {
    kind == SourceKind::SparkHistory && tool == spark::ANALYZE
}

impl fmt::Debug for Providers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Providers")
    }
}

impl Insides for Providers {
    fn open(&self, egress: &Egress, target: &Target) -> Option<Arc<dyn Inside>> {
        match &target.reach {
            Reach::SparkHistory { url } => {
                let (auth, clock) = (target.credential.auth.clone(), self.clock.clone());
                let thresholds = self.thresholds.clone();
                let spark = SparkHistory::new(egress.clone(), url, auth, clock, &self.spark, thresholds);
                Some(Arc::new(Spark(spark)))
            }
            Reach::McpHttp { .. } | Reach::McpStdio { .. } => None,
        }
    }
}

#[derive(Debug)]
struct Spark(SparkHistory);

impl Inside for Spark {
    fn checks(&self) -> &'static [&'static str] {
        &spark::CHECKS
    }

    fn check<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, UpstreamError>> {
        async move { self.0.check(name).await.map_err(upstream) }.boxed()
    }

    fn answer<'a>(
        &'a self,
        method: &'a str,
        params: &'a [u8],
    ) -> BoxFuture<'a, Result<ReplyBody, UpstreamError>> {
        async move {
            Ok(match self.0.answer(method, params).await.map_err(upstream)? {
                Ok(result) => ReplyBody::Result(result),
                Err(error) => ReplyBody::Error(error),
            })
        }
        .boxed()
    }
}

/// Returns what a failure means for the source.
fn upstream(error: SparkError) -> UpstreamError {
    match error {
        SparkError::Egress(error) => error.into(),
        SparkError::Credential { status } => UpstreamError::Credential { status, challenge: None },
        SparkError::Down { .. } | SparkError::Key(_) => {
            UpstreamError::Unreachable { detail: error.to_string() }
        }
        SparkError::Foreign { .. } => UpstreamError::Protocol { detail: error.to_string() },
        SparkError::TooLarge { limit_bytes } => UpstreamError::TooLarge { limit_bytes },
        SparkError::Refused { .. } | SparkError::Argument(_) => {
            UpstreamError::Protocol { detail: error.to_string() }
        }
    }
}
