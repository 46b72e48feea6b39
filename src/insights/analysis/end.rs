//! Ending analyses otherwise than by a report: cancelled, removed, lost with their process, stopped with it.

use crate::{
    clock::Ms,
    insights::{Analyses, AnalysisError, analysis::Result},
    model::{Analysis, AnalysisId, AnalysisState, Member, OrgRole, TenantId},
    policy::{self, Denied, ManagePermit},
    sources::Subject,
    store::AnalysisEnd,
};

/// How many lost analyses are ended in one transaction.
const LOST_MAX: i64 = 100;

impl AnalysisEnd {
    /// Describes the end of one whose process is gone.
    pub(super) fn lost(tenant: TenantId, id: AnalysisId, at: Ms) -> Self {
        let failure = "the process that ran it ended, or could not reach the database; run it again";
        Self { tenant, id, state: AnalysisState::Failed, failure: Some(failure.to_owned()), at }
    }
}

/// May this person cancel an analysis of their organisation? Operators their own, administrators any.
pub fn may_cancel(member: &Member, analysis: &Analysis) -> Result<ManagePermit, Denied> {
    let is_own = analysis.begun_by == Some(member.user);
    policy::may_manage(member, member.tenant, if is_own { OrgRole::Operator } else { OrgRole::Admin })
}

impl Analyses {
    /// Cancels a running analysis.
    pub async fn cancel(&self, member: &Member, id: AnalysisId) -> Result<()> {
        let analysis = self.find(member, id).await?.ok_or(AnalysisError::NotFound)?;
        self.audited(member, "cancel", &analysis, async {
            let permit = may_cancel(member, &analysis)?;
            if self.cancel_now(&permit, id).await? { Ok(()) } else { Err(AnalysisError::Ended) }
        })
        .await
    }

    /// Removes an analysis with what it found; one that runs is cancelled before. For administrators.
    pub async fn remove(&self, member: &Member, id: AnalysisId) -> Result<()> {
        let analysis = self.find(member, id).await?.ok_or(AnalysisError::NotFound)?;
        self.audited(member, "remove", &analysis, async {
            let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
            if analysis.state == AnalysisState::Running {
                self.cancel_now(&permit, id).await?;
            }
            let mut tx = self.0.store.tenant(permit.tenant()).await?;
            if !tx.remove_analysis(id).await? {
                return Err(AnalysisError::NotFound);
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Ends analyses whose process is gone. To be called every now and then.
    pub async fn end_all_lost(&self) -> Result<()> {
        while self.end_lost().await? == LOST_MAX {}
        Ok(())
    }

    /// Ends the oldest of those whose process is gone, and returns how many there were.
    pub(super) async fn end_lost(&self) -> Result<i64> {
        let now = self.0.clock.now();
        let lost = self.0.store.system_read().await?.list_lost_analyses(None, now, LOST_MAX).await?;
        let mut ended = 0;
        for (tenant, id) in lost {
            ended += 1;
            self.end_row(AnalysisEnd::lost(tenant, id, now)).await?;
        }
        Ok(ended)
    }

    /// Ends everything that runs in this process, and waits for it. Nothing begins any more.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Ends the row of a running analysis without a report; `false` if it does not run any more.
    pub(super) async fn end_row(&self, end: AnalysisEnd) -> Result<bool> {
        let mut tx = self.0.store.system().await?;
        let ended = tx.end_analysis(&end).await?;
        tx.commit().await?;
        if ended {
            self.0.metrics.count_analysis(end.state);
        }
        Ok(ended)
    }

    async fn cancel_now(&self, permit: &ManagePermit, id: AnalysisId) -> Result<bool> {
        self.cancel_in(permit.tenant(), id).await
    }

    /// Cancels a running analysis of an organisation; `false` if it does not run any more.
    pub(super) async fn cancel_in(&self, tenant: TenantId, id: AnalysisId) -> Result<bool> {
        let at = self.0.clock.now();
        let end = AnalysisEnd { tenant, id, state: AnalysisState::Cancelled, failure: None, at };
        let ended = self.end_row(end).await?;
        if let Some(running) = self.running(id) {
            running.cancel.cancel();
        }
        Ok(ended)
    }

    async fn audited(
        &self,
        member: &Member,
        done: &str,
        analysis: &Analysis,
        doing: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let entry = self.0.sources.trail().begin(member, done, Subject::from(analysis));
        let result = doing.await;
        entry.end(result.as_ref().err().map(|error| (error.fault(), error.to_string())));
        result
    }
}
