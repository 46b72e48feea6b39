//! Analyses of Spark applications: begun by somebody, run in a task of their own, kept with what they found.
//!
//! One is charged when it begins, to its person and to the team whose source it is of, in the transaction that finds
//! out whether the plans have room, and given back if it ends before anything was read for it. Its row says how far it
//! is, so every replica shows it, and holds a lease that its process moves on; an analysis whose lease is over has lost
//! its process and has failed. Whoever ends the row ends the analysis: the process that runs it notices.
//!
//! `call.rs` carries out calls of presets that are an analysis, `read.rs` asks the source, `run.rs` carries one from its
//! beginning to its end, `compare.rs` is pure, and `rewrite.rs` is the only one that knows of a model.

mod begin;
mod call;
mod compare;
mod end;
mod error;
mod numbers;
mod read;
mod rewrite;
mod run;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    metrics::{Gauge, Metrics},
    model::{
        Analysis, AnalysisId, AnalysisReport, Member, OrgRole, ReportedApplication, Source, SourceId,
        TenantId, ToolState,
    },
    policy,
    providers::spark::{Manner, Thresholds},
    sources::{SourceError, Sources},
    store::{AnalysisRow, Store, Tx},
    upstream::UpstreamError,
};

pub use crate::store::AnalysisFilter;
pub use compare::{Comparison, FindingChange, SettingChange, StageChange, SumChange, Unit, Verdict, compare};
pub use end::may_cancel;
pub use error::AnalysisError;
pub use rewrite::ModelSettings;

use read::Unanswered;

type Result<T, E = AnalysisError> = std::result::Result<T, E>;

/// How many analyses run at once in one process: each holds the answers of its source, which may be large.
const RUNNING_MAX: usize = 16;
/// How often whoever waits for the end of an analysis of another process looks.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// How many analyses are looked at in one page, at most.
const PAGE_MAX: usize = 1000;

/// What analyses need to know.
#[derive(Clone, Debug)]
pub struct AnalysisSettings {
    /// How long reading everything for one may take.
    pub deadline: Duration,
    /// From where on something is a finding.
    pub thresholds: Thresholds,
    /// The model that rewrites reports; `None` = none does.
    pub model: Option<ModelSettings>,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(60), thresholds: Thresholds::default(), model: None }
    }
}

/// The rooms that analyses stand on.
#[expect(missing_docs, reason = "each part is described by its room")]
pub struct AnalysisParts {
    pub store: Store,
    pub sources: Sources,
    pub metrics: Metrics,
    pub egress: Egress,
    pub clock: Clock,
}

/// The analyses of everybody; cheap to clone.
#[derive(Clone)]
pub struct Analyses(Arc<Inner>);

struct Inner {
    store: Store,
    sources: Sources,
    metrics: Metrics,
    egress: Egress,
    clock: Clock,
    settings: AnalysisSettings,
    /// Those that run in this process.
    running: Mutex<HashMap<AnalysisId, Running>>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One that runs in this process.
#[derive(Clone, Default)]
struct Running {
    /// Why the source could not be asked, if it could not.
    trouble: Arc<Mutex<Option<UpstreamError>>>,
    /// Cancelled once its row says that it has been.
    cancel: CancellationToken,
    /// Cancelled once its row says how it ended.
    ended: CancellationToken,
    /// Cancelled once it is over, its rewriting included.
    over: CancellationToken,
}

/// What is to be analysed.
#[derive(Clone, Debug)]
pub struct NewAnalysis {
    /// Where the numbers come from.
    pub source: SourceId,
    /// The application, as the source names it.
    pub app_id: String,
    /// Which run of it; `None` = the last.
    pub attempt: Option<String>,
}

/// An analysis with what it found.
#[derive(Clone, Debug)]
pub struct KeptReport {
    /// The analysis.
    pub analysis: Analysis,
    /// The numbers.
    pub report: AnalysisReport,
    /// The report as Markdown, made by a template.
    pub text: String,
    /// The same in a model's words; `None` if there is no model, or its words did not hold.
    pub rewritten: Option<Rewritten>,
}

/// A report in a model's words. Every number in it stands in the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Markdown.
    pub text: String,
    /// The model, as its operator names it.
    pub model: String,
}

/// What a person has used of what plans allow them where they act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisUsage {
    /// Analyses begun in this month, without those that ended before anything was read for them.
    pub used: i64,
    /// Analyses allowed in a month; `None` = unlimited.
    pub limit: Option<i64>,
    /// What the team has used that they act in, and what its plan allows in a month; `None` = they act in their own
    /// organisation.
    pub team: Option<(i64, Option<i64>)>,
    /// Analyses that run: the team's where its plan bounds them, the person's otherwise.
    pub running: i64,
    /// Analyses allowed at the same time; `None` = unlimited.
    pub concurrent: Option<i64>,
    /// When the next month begins.
    pub resets_at: Ms,
    /// Analyses that the organisation keeps.
    pub stored: i64,
    /// Analyses that it may keep; `None` = unlimited.
    pub stored_max: Option<i64>,
    /// Days that analyses are kept; `None` = until somebody removes them.
    pub retention_days: Option<i64>,
}

impl KeptReport {
    /// Returns the report as one Markdown document, a model's words labelled as such below it.
    pub fn markdown(&self) -> String {
        let text = self.text.trim_end();
        match &self.rewritten {
            None => format!("{text}\n"),
            Some(Rewritten { text: rewritten, model }) => format!(
                "{text}\n\n---\n\n# In the words of the model `{model}`\n\nEvery number in them stands in the \
                 report above; whether it is said of the right thing was not checked.\n\n{rewritten}\n"
            ),
        }
    }
}

impl Analyses {
    /// Begins with nothing running.
    pub fn new(parts: AnalysisParts, settings: AnalysisSettings) -> Self {
        let AnalysisParts { store, sources, metrics, egress, clock } = parts;
        Self(Arc::new(Inner {
            store,
            sources,
            metrics,
            egress,
            clock,
            settings,
            running: Mutex::default(),
            places: Arc::new(Semaphore::new(RUNNING_MAX)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Returns an analysis of the member's organisation; `None` also if it is somebody else's.
    pub async fn find(&self, member: &Member, id: AnalysisId) -> Result<Option<Analysis>> {
        let permit = policy::may_see(member, member.tenant)?;
        let row = self.0.store.read(permit.tenant()).await?.find_analysis(id).await?;
        match row {
            Some(row) if row.is_lost(self.0.clock.now()) => {
                self.end_lost().await?;
                let row = self.0.store.read(permit.tenant()).await?.find_analysis(id).await?;
                Ok(row.map(|row| row.analysis))
            }
            row => Ok(row.map(|row| row.analysis)),
        }
    }

    /// Returns analyses of the member's organisation, the newest first.
    pub async fn list(&self, member: &Member, filter: &AnalysisFilter) -> Result<Vec<Analysis>> {
        let permit = policy::may_see(member, member.tenant)?;
        let filter = AnalysisFilter { limit: filter.limit.min(PAGE_MAX), ..filter.clone() };
        let read = async || -> Result<Vec<AnalysisRow>> {
            Ok(self.0.store.read(permit.tenant()).await?.list_analyses(&filter).await?)
        };
        let mut rows = read().await?;
        let now = self.0.clock.now();
        if rows.iter().any(|row| row.is_lost(now)) {
            self.end_lost().await?;
            rows = read().await?;
        }
        Ok(rows.into_iter().map(|row| row.analysis).collect())
    }

    /// Returns an analysis with what it found; `None` if there is none, it is somebody else's, or it has no report.
    pub async fn report(&self, member: &Member, id: AnalysisId) -> Result<Option<KeptReport>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let Some(row) = tx.find_analysis(id).await? else { return Ok(None) };
        let Some(found) = tx.analysis_text(id).await? else { return Ok(None) };
        Ok(Some(KeptReport {
            analysis: row.analysis,
            report: found.report,
            text: found.narrative,
            rewritten: found.rewritten.map(|(text, model)| Rewritten { text, model }),
        }))
    }

    /// Waits until an analysis has ended, and returns it. One that runs in this process is rewritten by then, too.
    pub async fn ended(&self, member: &Member, id: AnalysisId) -> Result<Analysis> {
        loop {
            // Whose it is comes first: nobody waits for what is somebody else's.
            let running = self.running(id);
            let analysis = self.find(member, id).await?.ok_or(AnalysisError::NotFound)?;
            match running {
                Some(running) => running.over.cancelled().await,
                None if analysis.ended_at.is_some() => return Ok(analysis),
                None => tokio::time::sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Returns the sources of the member's organisation that can be analysed, by name.
    pub async fn sources(&self, member: &Member) -> Result<Vec<Source>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let mut tools: HashMap<SourceId, Vec<String>> = HashMap::new();
        for (source, name, state) in tx.list_tool_states().await? {
            if state == ToolState::Accepted {
                tools.entry(source).or_default().push(name);
            }
        }
        let mut sources = tx.list_sources().await?;
        sources.retain(|source| {
            let names = tools.get(&source.id).map(Vec::as_slice).unwrap_or_default();
            source.enabled && manner_of(source, names).is_some()
        });
        Ok(sources)
    }

    /// Asks a source which applications it knows, those it names first.
    pub async fn applications(&self, member: &Member, source: SourceId) -> Result<Vec<ReportedApplication>> {
        let permit = policy::may_manage(member, member.tenant, OrgRole::Operator)?;
        let (source, manner) = self.analysable(permit.tenant(), source).await?;
        let way = self.0.sources.way(permit.tenant(), source.id, Some(member.user)).await?;
        let end = Instant::now() + self.0.settings.deadline;
        let result = match self.ask(permit.tenant(), source.id, &way.link, manner.applications(), end).await {
            Ok(result) => result,
            Err(Unanswered::Upstream(error)) => return Err(SourceError::Upstream(error).into()),
            Err(Unanswered::Refused(why)) => return Err(AnalysisError::Unreadable { why }),
        };
        manner.read_applications(&result).map_err(|why| AnalysisError::Unreadable { why })
    }

    /// Returns what the member has used of what plans allow where they act.
    pub async fn usage(&self, member: &Member) -> Result<AnalysisUsage> {
        let permit = policy::may_see(member, member.tenant)?;
        let (tenant, now) = (permit.tenant(), self.0.clock.now());
        let mut tx = self.0.store.system_read().await?;
        let of_person = tx.find_plan(&member.plan).await?;
        let team = tx.find_organisation(tenant).await?.filter(|owner| !owner.is_personal());
        let of_team = match team.as_ref().and_then(|team| team.plan.as_ref()) {
            Some(plan) => tx.find_plan(plan).await?,
            None => None,
        };
        let used_by_team = match team {
            Some(_) => {
                let limit = of_team.as_ref().and_then(|plan| plan.analyses_per_month);
                Some((tx.analyses_used(tenant, now.month()).await?, limit))
            }
            None => None,
        };
        let running = match of_team {
            Some(_) => tx.count_running_analyses_in(tenant, now).await?,
            None => tx.count_running_analyses(member.user, now).await?,
        };
        let owning = of_team.or_else(|| of_person.clone());
        Ok(AnalysisUsage {
            used: tx.analyses_used(member.user, now.month()).await?,
            limit: of_person.and_then(|plan| plan.analyses_per_month),
            team: used_by_team,
            running,
            concurrent: owning.as_ref().and_then(|plan| plan.concurrent_analyses),
            resets_at: now.month().end(),
            stored: tx.count_analyses(tenant).await?,
            stored_max: owning.as_ref().and_then(|plan| plan.stored_analyses_max),
            retention_days: owning.and_then(|plan| plan.retention_days),
        })
    }

    /// Returns what is worth watching beside the counters.
    pub fn gauge(&self) -> Gauge {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner).len();
        Gauge { name: "analyses_running", help: "Analyses that run in this process.", value: running as f64 }
    }

    fn running(&self, id: AnalysisId) -> Option<Running> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Finds a source and how it is asked.
    async fn analysable(&self, tenant: TenantId, id: SourceId) -> Result<(Source, Manner)> {
        let mut tx = self.0.store.read(tenant).await?;
        let source = tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        let names = accepted_tools(&mut tx, id).await?;
        match manner_of(&source, &names) {
            Some(manner) => Ok((source, manner)),
            None => Err(AnalysisError::NotAnalysable { name: source.name }),
        }
    }
}

/// Returns the tools of a source that its owner has accepted: no other is ever called.
async fn accepted_tools(tx: &mut Tx, id: SourceId) -> Result<Vec<String>> {
    let states = tx.list_tool_states().await?.into_iter();
    let accepted = states.filter(|(source, _, state)| *source == id && *state == ToolState::Accepted);
    Ok(accepted.map(|(_, name, _)| name).collect())
}

fn manner_of(source: &Source, tools: &[String]) -> Option<Manner> {
    Manner::of(source.reach.kind(), tools.iter().map(String::as_str))
}
