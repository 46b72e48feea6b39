//! Beginning an analysis: who may, what of, whether the plan has room, and charging it.

use std::sync::Arc;

use crate::{
    apart,
    clock::{Month, Ms},
    insights::{
        Analyses, AnalysisError, NewAnalysis,
        analysis::{
            RUNNING_MAX, Result,
            run::{ALIVE_FOR, Job},
        },
    },
    model::{
        Analysis, AnalysisId, AnalysisState, Member, OrgRole, Payer, Plan, PlanName, Source, StepState,
        Tally, TenantId, UserId,
    },
    policy,
    providers::spark::Reading,
    sources::{SourceError, Subject},
    store::{AnalysisEnd, SystemTx},
};

/// How many analyses of one person that have lost their process are ended before another begins.
const LOST_MAX: i64 = 100;

/// Who begins an analysis, and is charged for it beside the organisation.
pub(super) struct Beginner {
    /// The organisation whose source is asked, and that keeps it.
    pub(super) tenant: TenantId,
    pub(super) user: UserId,
    /// What the analysis says of who began it.
    pub(super) handle: String,
    pub(super) plan: PlanName,
}

impl Analyses {
    /// Begins an analysis, which runs on when the caller goes away.
    pub async fn begin(&self, member: &Member, wanted: NewAnalysis) -> Result<Analysis> {
        let permit = policy::may_see(member, member.tenant)?;
        let source = self.0.store.read(permit.tenant()).await?.find_source(wanted.source).await?;
        let source = source.ok_or(SourceError::NotFound)?;
        let id = AnalysisId::new();
        let subject = Subject::Analysis(id, Some(source.id), source.name.to_string());
        let entry = self.0.sources.trail().begin(member, "begin", subject);
        let begun = self.begin_now(member, id, wanted).await;
        entry.end(begun.as_ref().err().map(|error| (error.fault(), error.to_string())));
        begun
    }

    /// Begins an analysis of the same run of the same application again.
    pub async fn again(&self, member: &Member, id: AnalysisId) -> Result<Analysis> {
        let before = self.find(member, id).await?.ok_or(AnalysisError::NotFound)?;
        let Some(source) = before.source else {
            return Err(AnalysisError::SourceGone { name: before.source_name });
        };
        self.begin(member, NewAnalysis { source, app_id: before.app_id, attempt: before.attempt }).await
    }

    async fn begin_now(&self, member: &Member, id: AnalysisId, wanted: NewAnalysis) -> Result<Analysis> {
        let permit = policy::may_manage(member, member.tenant, OrgRole::Operator)?;
        let by = Beginner {
            tenant: permit.tenant(),
            user: member.user,
            handle: member.handle.to_string(),
            plan: member.plan.clone(),
        };
        self.begin_by(by, id, wanted).await
    }

    /// Begins an analysis for whoever may have one.
    pub(super) async fn begin_by(
        &self,
        by: Beginner,
        id: AnalysisId,
        wanted: NewAnalysis,
    ) -> Result<Analysis> {
        let (source, manner) = self.analysable(by.tenant, wanted.source).await?;
        let attempt = wanted.attempt.map(|attempt| attempt.trim().to_owned());
        let attempt = attempt.filter(|attempt| !attempt.is_empty());
        let app_id = wanted.app_id.trim().to_owned();
        let reading = Reading::new(manner, &app_id, attempt.as_deref())
            .map_err(|reason| AnalysisError::Invalid { part: "app_id", reason })?;
        // One that is switched off, or that nobody has signed in to, is not worth a charge.
        let way = self.0.sources.way(by.tenant, source.id, Some(by.user)).await?;
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else {
            return Err(AnalysisError::Busy { limit: RUNNING_MAX });
        };
        if self.0.stop.is_cancelled() {
            return Err(AnalysisError::Stopping);
        }
        let analysis = self.new_one(&by, id, &source, app_id, attempt, &reading);
        let job = Job::new(analysis.clone(), source.id, way.link, reading, place);
        let this = self.clone();
        // In a task: whoever goes away now must not leave one that is charged and never runs.
        apart::finish(async move {
            this.charge(&job.analysis, &by.plan).await?;
            this.start(job);
            Ok::<_, AnalysisError>(())
        })
        .await?;
        Ok(analysis)
    }

    fn new_one(
        &self,
        by: &Beginner,
        id: AnalysisId,
        source: &Source,
        app_id: String,
        attempt: Option<String>,
        reading: &Reading,
    ) -> Analysis {
        let mut steps = reading.steps();
        steps.iter_mut().for_each(|step| step.state = StepState::Waiting);
        Analysis {
            id,
            tenant: source.tenant,
            source: Some(source.id),
            source_name: source.name.clone(),
            app_id,
            attempt,
            app_name: String::new(),
            state: AnalysisState::Running,
            begun_by: Some(by.user),
            begun_by_handle: by.handle.clone(),
            begun_at: self.0.clock.now(),
            ended_at: None,
            steps,
            tally: Tally::default(),
            failure: None,
        }
    }

    /// Charges one analysis, if the plans have room for it, and adds its row: all in one turn of the person's and of
    /// the organisation's.
    async fn charge(&self, analysis: &Analysis, plan: &PlanName) -> Result<()> {
        let Some(user) = analysis.begun_by else { return Err(AnalysisError::NotFound) };
        let (tenant, now) = (analysis.tenant, self.0.clock.now());
        let mut tx = self.0.store.system().await?;
        // Always in this order, so that no two wait for each other.
        tx.take_turn_of(user).await?;
        tx.take_turn_in(tenant).await?;
        for (tenant, id) in tx.list_lost_analyses(Some(user), now, LOST_MAX).await? {
            tx.end_analysis(&AnalysisEnd::lost(tenant, id, now)).await?;
        }
        let owner = tx.find_organisation(tenant).await?.ok_or(SourceError::NotFound)?;
        let of_person = find_plan(&mut tx, plan).await?;
        let of_team = match &owner.plan {
            Some(plan) => Some(find_plan(&mut tx, plan).await?),
            None => None,
        };
        let (at_once, running) = match &of_team {
            Some(team) => (team, tx.count_running_analyses_in(tenant, now).await?),
            None => (&of_person, tx.count_running_analyses(user, now).await?),
        };
        if let Some(limit) = at_once.concurrent_analyses.filter(|limit| running >= *limit) {
            return Err(AnalysisError::Concurrent { plan: at_once.name.clone(), limit });
        }
        if let Some(keeping) = tx.find_plan_in(tenant, plan).await?
            && let Some(limit) = keeping.stored_analyses_max
        {
            let used = tx.count_analyses(tenant).await?;
            if used >= limit {
                return Err(AnalysisError::Stored { plan: keeping.name, limit, used });
            }
        }
        let team = (!owner.is_personal()).then_some(Payer::Team(tenant));
        let payers = [(Some(Payer::Person(user)), Some(&of_person)), (team, of_team.as_ref())];
        for (payer, plan) in payers {
            if let Some(payer) = payer {
                charge_one(&mut tx, payer, plan, analysis.begun_at.month(), now).await?;
            }
        }
        tx.add_analysis(analysis, now.plus(ALIVE_FOR)).await?;
        Ok(tx.commit().await?)
    }
}

async fn find_plan(tx: &mut SystemTx, name: &PlanName) -> Result<Plan> {
    let found = tx.find_plan(name).await?;
    found.ok_or_else(|| AnalysisError::NoPlan { plan: name.clone() })
}

/// Charges one analysis to a payer whose month has room for it; `None` = there is no plan that bounds it.
async fn charge_one(
    tx: &mut SystemTx,
    payer: Payer,
    plan: Option<&Plan>,
    month: Month,
    now: Ms,
) -> Result<()> {
    if let Some(limit) = plan.and_then(|plan| plan.analyses_per_month)
        && tx.analyses_used(payer, month).await? >= limit
    {
        let resets_at = month.end();
        return Err(AnalysisError::Exhausted { payer, limit, resets_at, retry_after: resets_at.since(now) });
    }
    Ok(tx.charge_analysis(payer, month, now).await?)
}
