//! One analysis from its beginning to its end, in a task of its own.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use crate::{
    apart,
    clock::Ms,
    insights::{
        Analyses, AnalysisError,
        analysis::{Result, Running, read::Unanswered, rewrite},
    },
    model::{
        Analysis, AnalysisId, AnalysisReport, AnalysisState, AnalysisStep, SourceId, StepState, Tally,
        TenantId,
    },
    providers::spark::{Ask, Reading},
    store::{AnalysisEnd, StoreError},
    upstream::Link,
};

/// How long an analysis is taken to be alive after its process was last heard of.
pub(super) const ALIVE_FOR: Duration = Duration::from_secs(30);
/// How often its process says that it is alive, and looks whether somebody has ended it elsewhere.
const ALIVE_PAUSE: Duration = Duration::from_secs(2);
/// How many requests of one analysis wait for the source at the same time.
const ASKED_MAX: usize = 8;
/// The largest report kept, with its text, in bytes. Its lists are bounded, so this is for names without measure.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often it is tried to write an end while the database is busy or away, and the pause between.
const END_TRIES: u32 = 5;
const END_PAUSE: Duration = Duration::from_secs(1);

/// An analysis that is about to run.
pub(super) struct Job {
    pub(super) analysis: Analysis,
    source: SourceId,
    link: Arc<Link>,
    /// Taken out while it runs.
    reading: Option<Reading>,
    _place: OwnedSemaphorePermit,
}

/// What one found out.
struct Found {
    report: AnalysisReport,
    narrative: String,
}

/// How one ended.
enum End {
    Found(Box<Found>),
    Failed(String),
    /// Somebody else has ended its row.
    Elsewhere,
}

impl Job {
    pub(super) fn new(
        analysis: Analysis,
        source: SourceId,
        link: Arc<Link>,
        reading: Reading,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { analysis, source, link, reading: Some(reading), _place: place }
    }
}

/// Takes an analysis off the list of those that run, and tells who waits for it, however its task ends.
struct Entry {
    analyses: Analyses,
    id: AnalysisId,
    running: Running,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.analyses.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.running.ended.cancel();
        self.running.over.cancel();
    }
}

impl Analyses {
    /// Lets an analysis run whose row is there.
    pub(super) fn start(&self, job: Job) {
        let id = job.analysis.id;
        let running = Running::default();
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, running.clone());
        let entry = Entry { analyses: self.clone(), id, running };
        let this = self.clone();
        self.0.tasks.spawn(async move {
            this.run(job, &entry.running).await;
            drop(entry);
        });
    }

    async fn run(&self, mut job: Job, running: &Running) {
        let (tenant, id) = (job.analysis.tenant, job.analysis.id);
        let begun = Instant::now();
        let end = tokio::select! {
            biased;
            () = self.0.stop.cancelled() => {
                End::Failed("Doorward was stopped while it ran; run it again".to_owned())
            }
            () = running.cancel.cancelled() => End::Elsewhere,
            () = self.keep_alive(tenant, id) => End::Elsewhere,
            end = self.read(&mut job, running) => end,
        };
        let elapsed_ms = begun.elapsed().as_millis();
        let written = match &end {
            End::Elsewhere => {
                tracing::info!(analysis.id = %id, elapsed_ms, "an analysis was ended");
                return;
            }
            End::Found(found) => self.finish(&mut job, found).await,
            End::Failed(why) => {
                let failure = Some(why.clone());
                let (state, at) = (AnalysisState::Failed, self.0.clock.now());
                persist(|| self.end_row(AnalysisEnd { tenant, id, state, failure: failure.clone(), at }))
                    .await
            }
        };
        running.ended.cancel();
        match (&end, written) {
            (_, Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(analysis.id = %id, error, "the end of an analysis could not be written");
            }
            (End::Found(found), Ok(true)) => {
                tracing::info!(analysis.id = %id, elapsed_ms, "an analysis is done");
                tokio::select! {
                    biased;
                    () = self.0.stop.cancelled() => {}
                    () = self.rewrite(&job.analysis, found) => {}
                }
            }
            (End::Failed(why), Ok(true)) => {
                tracing::info!(analysis.id = %id, elapsed_ms, "an analysis failed: {why}");
            }
            (_, Ok(false)) | (End::Elsewhere, Ok(_)) => {
                tracing::info!(analysis.id = %id, elapsed_ms, "an analysis had been ended before it was done");
            }
        }
    }

    /// Says that an analysis is alive; returns once somebody else has ended it.
    async fn keep_alive(&self, tenant: TenantId, id: AnalysisId) {
        loop {
            tokio::time::sleep(ALIVE_PAUSE).await;
            let kept = async {
                let mut tx = self.0.store.tenant(tenant).await?;
                let runs = tx.keep_analysis_alive(id, self.alive_until()).await?;
                tx.commit().await?;
                Ok::<_, StoreError>(runs)
            };
            if !self.goes_on(id, kept.await) {
                return;
            }
        }
    }

    /// Reads everything within the deadline, and thinks about it.
    async fn read(&self, job: &mut Job, running: &Running) -> End {
        let end = Instant::now() + self.0.settings.deadline;
        let Some(mut reading) = job.reading.take() else { return End::Elsewhere };
        let mut asking = FuturesUnordered::new();
        let mut waiting = VecDeque::new();
        loop {
            waiting.extend(reading.questions());
            while asking.len() < ASKED_MAX
                && let Some(ask) = waiting.pop_front()
            {
                asking.push(self.answer(job.analysis.tenant, job.source, &job.link, ask, end, running));
            }
            let Ok(Some((ask, answer, elapsed_ms))) = timeout_at(end, asking.next()).await else { break };
            // Answers may have many megabytes, and reading those stops nobody else.
            reading = apart::compute(move || {
                let mut reading = reading;
                let answer = match &answer {
                    Ok(result) => Ok(result.as_ref()),
                    Err(why) => Err(why.clone()),
                };
                reading.take(ask, answer, elapsed_ms);
                reading
            })
            .await;
            if !self.show(&mut job.analysis, reading.steps()).await {
                return End::Elsewhere;
            }
        }
        drop(asking);
        if reading.application().is_none() {
            let step = job.analysis.steps.iter().find(|step| step.state == StepState::Failed);
            let why = step.map_or_else(|| self.late(), |step| step.detail.clone());
            return End::Failed(format!("the application could not be read: {why}"));
        }
        job.analysis.steps = reading.steps();
        for step in &mut job.analysis.steps {
            if step.state == StepState::Waiting {
                (step.state, step.detail) = (StepState::Failed, self.late());
            }
        }
        let thresholds = self.0.settings.thresholds.clone();
        match apart::compute(move || reading.finish(&thresholds)).await {
            Some((report, narrative)) => End::Found(Box::new(Found { report, narrative })),
            None => End::Failed("what the source says of the application makes no report".to_owned()),
        }
    }

    async fn answer(
        &self,
        tenant: TenantId,
        source: SourceId,
        link: &Arc<Link>,
        ask: Ask,
        end: Instant,
        running: &Running,
    ) -> (Ask, Result<Bytes, String>, i64) {
        let begun = Instant::now();
        let answer = self.ask(tenant, source, link, ask.request.clone(), end).await;
        if let Err(Unanswered::Upstream(error)) = &answer {
            *running.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        let elapsed_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        (ask, answer.map_err(|error| error.words()), elapsed_ms)
    }

    /// Writes how far an analysis is; `false` if somebody else has ended it.
    async fn show(&self, analysis: &mut Analysis, steps: Vec<AnalysisStep>) -> bool {
        if analysis.steps == steps {
            return true;
        }
        analysis.steps = steps;
        let shown = async {
            let mut tx = self.0.store.tenant(analysis.tenant).await?;
            let runs = tx.set_analysis_steps(analysis.id, &analysis.steps, self.alive_until()).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(runs)
        };
        self.goes_on(analysis.id, shown.await)
    }

    /// Says whether an analysis goes on after its row was written to. A database that is away for a moment ends none:
    /// its lease does, if that lasts.
    fn goes_on(&self, id: AnalysisId, runs: Result<bool, StoreError>) -> bool {
        runs.unwrap_or_else(|error| {
            tracing::warn!(analysis.id = %id, %error, "could not write how far an analysis is");
            true
        })
    }

    /// Keeps what was found; `false` if somebody else has ended the analysis.
    async fn finish(&self, job: &mut Job, found: &Found) -> Result<bool> {
        let analysis = &mut job.analysis;
        let bytes = serde_json::to_vec(&found.report).map_or(0, |json| json.len()) + found.narrative.len();
        if bytes > KEPT_BYTES_MAX {
            let failure =
                Some(format!("its report has {bytes} bytes, and {KEPT_BYTES_MAX} are the most kept"));
            let (tenant, id, at) = (analysis.tenant, analysis.id, self.0.clock.now());
            let state = AnalysisState::Failed;
            self.end_row(AnalysisEnd { tenant, id, state, failure, at }).await?;
            return Ok(false);
        }
        analysis.state = AnalysisState::Done;
        analysis.ended_at = Some(self.0.clock.now());
        analysis.attempt.clone_from(&found.report.application.attempt);
        analysis.app_name.clone_from(&found.report.application.name);
        analysis.tally = Tally::of(&found.report.findings);
        let (store, analysis) = (&self.0.store, &*analysis);
        let finished = persist(|| async move {
            let mut tx = store.tenant(analysis.tenant).await?;
            let runs = tx.finish_analysis(analysis, &found.report, &found.narrative).await?;
            tx.commit().await?;
            Ok(runs)
        })
        .await?;
        if finished {
            self.0.metrics.count_analysis(AnalysisState::Done);
        }
        Ok(finished)
    }

    /// Has a model say the same in other words, where there is one, and keeps that if it holds.
    async fn rewrite(&self, analysis: &Analysis, found: &Found) {
        let Some(model) = &self.0.settings.model else { return };
        let id = analysis.id;
        let rewritten = rewrite::rewrite(&self.0.egress, model, &found.narrative, &found.report).await;
        let text = match rewritten {
            Ok(text) => text,
            Err(error) => {
                let chain = &error as &dyn std::error::Error;
                tracing::warn!(analysis.id = %id, error = chain, "a report was not rewritten: {error}");
                return;
            }
        };
        let (store, text) = (&self.0.store, &text);
        let kept = persist(|| async move {
            let mut tx = store.tenant(analysis.tenant).await?;
            let kept = tx.set_analysis_rewritten(id, text, &model.name).await?;
            tx.commit().await?;
            Ok(kept)
        });
        if let Err(error) = kept.await {
            tracing::warn!(analysis.id = %id, %error, "a rewritten report could not be kept");
        }
    }

    fn alive_until(&self) -> Ms {
        self.0.clock.now().plus(ALIVE_FOR)
    }

    fn late(&self) -> String {
        format!("no answer within {} s", self.0.settings.deadline.as_secs_f64())
    }
}

/// Writes something, again after a pause while the database is busy or away.
async fn persist<F: Future<Output = Result<bool>>>(write: impl Fn() -> F) -> Result<bool> {
    for _ in 1..END_TRIES {
        match write().await {
            Err(AnalysisError::Store(error)) if error.is_passing() => {
                tokio::time::sleep(END_PAUSE).await;
            }
            written => return written,
        }
    }
    write().await
}
