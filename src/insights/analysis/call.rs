//! Calls of presets that are an analysis: begun for the caller, waited for, and cancelled when the caller goes away.

use std::sync::PoisonError;

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};

use crate::{
    insights::{
        Analyses, AnalysisError, NewAnalysis,
        analysis::{Result, Running, begin::Beginner},
    },
    model::{AnalysisId, AnalysisState, Principal, TenantId},
    providers::spark,
    proxy::{Analyst, NotBegun, RunningAnalysis, WantedAnalysis},
    upstream::UpstreamError,
};

impl Analyst for Analyses {
    fn begin<'a>(&'a self, wanted: WantedAnalysis<'a>) -> BoxFuture<'a, Result<RunningAnalysis, NotBegun>> {
        async move {
            let waited_for = self.begin_for(wanted).await.map_err(|error| match error {
                AnalysisError::Source(error) => NotBegun::Source(error),
                error => NotBegun::Other { fault: error.fault(), text: error.to_string() },
            })?;
            Ok(async move { waited_for.result().await }.boxed())
        }
        .boxed()
    }
}

/// An analysis whose caller waits. Dropped before it has ended, it is cancelled.
struct WaitedFor {
    analyses: Analyses,
    tenant: TenantId,
    id: AnalysisId,
    running: Option<Running>,
}

impl Analyses {
    async fn begin_for(&self, wanted: WantedAnalysis<'_>) -> Result<WaitedFor> {
        let WantedAnalysis { permit, charged, source, params } = wanted;
        let named = spark::wanted(params);
        let (app_id, attempt) =
            named.map_err(|reason| AnalysisError::Invalid { part: "arguments", reason })?;
        let handle = match permit.caller() {
            Principal::Member(member) => member.handle.to_string(),
            Principal::Anonymous => "anonymous".to_owned(),
        };
        let by = Beginner { tenant: permit.tenant(), user: charged.user, handle, plan: charged.plan.clone() };
        let (tenant, id) = (by.tenant, AnalysisId::new());
        self.begin_by(by, id, NewAnalysis { source, app_id, attempt }).await?;
        Ok(WaitedFor { analyses: self.clone(), tenant, id, running: self.running(id) })
    }
}

/// What a caller is told whose analysis has ended while the database is away.
const UNREAD: &str =
    "The analysis has ended, and what it found cannot be read at this moment. It is kept in Doorward.";

impl WaitedFor {
    /// Returns the `result` of the call: the report, or why there is none.
    async fn result(mut self) -> Result<Bytes, UpstreamError> {
        if let Some(running) = &self.running {
            running.ended.cancelled().await;
        }
        let running = self.running.take();
        let read = async {
            let mut tx = self.analyses.0.store.read(self.tenant).await?;
            let row = tx.find_analysis(self.id).await?;
            Ok::<_, AnalysisError>((row.map(|row| row.analysis), tx.analysis_text(self.id).await?))
        };
        let (analysis, found) = match read.await {
            Ok(read) => read,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(analysis.id = %self.id, error, "an analysis that has ended cannot be read");
                return Ok(spark::failed(UNREAD));
            }
        };
        if let Some(found) = found {
            return Ok(spark::analyzed(self.id, &found.report, found.narrative));
        }
        let trouble =
            running.and_then(|running| running.trouble.lock().unwrap_or_else(PoisonError::into_inner).take());
        match (analysis, trouble) {
            // What else is known of it is for the owner of the source.
            (Some(analysis), Some(error)) if analysis.state == AnalysisState::Failed => Err(error),
            (Some(analysis), _) => Ok(spark::failed(&match analysis.failure {
                Some(failure) => failure,
                None => "Somebody cancelled the analysis.".to_owned(),
            })),
            (None, _) => Ok(spark::failed("Somebody removed the analysis.")),
        }
    }
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        if running.ended.is_cancelled() {
            return;
        }
        let (analyses, tenant, id) = (self.analyses.clone(), self.tenant, self.id);
        self.analyses.0.tasks.spawn(async move {
            if let Err(error) = analyses.cancel_in(tenant, id).await {
                tracing::warn!(analysis.id = %id, %error, "an analysis whose caller left could not be cancelled");
                running.cancel.cancel();
            }
        });
    }
}
