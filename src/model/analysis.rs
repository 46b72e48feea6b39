//! Analyses: what was found out about an application, and the numbers behind it, as they are kept.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Ms,
    model::{AnalysisId, SourceId, SourceName, TenantId, UserId, words},
};

/// An analysis, running or ended, without what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Names it.
    pub id: AnalysisId,
    /// The organisation it is kept for, which owns the source.
    pub tenant: TenantId,
    /// Where the numbers come from; `None` once that source is removed.
    pub source: Option<SourceId>,
    /// What the source was called.
    pub source_name: SourceName,
    /// The application, as the source names it.
    pub app_id: String,
    /// Which run of it was asked for, then which it was; `None` = the last one, or an application without runs.
    pub attempt: Option<String>,
    /// What the application calls itself; empty until that is known.
    pub app_name: String,
    /// How it is.
    pub state: AnalysisState,
    /// Who began it; `None` once that account is removed.
    pub begun_by: Option<UserId>,
    /// What they were called.
    pub begun_by_handle: String,
    /// When it began.
    pub begun_at: Ms,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Ms>,
    /// What is read for it and how far that is, in a fixed order.
    pub steps: Vec<AnalysisStep>,
    /// How many findings it has of each severity.
    pub tally: Tally,
    /// Why it failed; `None` unless it did.
    pub failure: Option<String>,
}

/// How an analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnalysisState {
    /// Reading.
    Running,
    /// Ended with a report.
    Done,
    /// Ended without one.
    Failed,
    /// Ended by a person.
    Cancelled,
}
words!(AnalysisState { Running = "running", Done = "done", Failed = "failed", Cancelled = "cancelled" });

/// One thing that is read for an analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisStep {
    /// What, for people: `stages`.
    pub name: String,
    /// How far it is.
    pub state: StepState,
    /// What was read, or why not; empty while it is waited for.
    pub detail: String,
    /// How long it took, in milliseconds; zero while it is waited for.
    pub elapsed_ms: i64,
}

/// How far a step of an analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepState {
    /// Not answered yet.
    Waiting,
    /// Read.
    Done,
    /// Not to be had; what needs it is missing in the report.
    Failed,
}
words!(StepState { Waiting = "waiting", Done = "done", Failed = "failed" });

/// How much a finding matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Costs time or money.
    Moderate,
    /// Costs much of either.
    Severe,
    /// Failed, or will.
    Critical,
}
words!(Severity { Low = "low", Moderate = "moderate", Severe = "severe", Critical = "critical" });

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Critical ones.
    pub critical: u32,
    /// Severe ones.
    pub severe: u32,
    /// Moderate ones.
    pub moderate: u32,
    /// Low ones.
    pub low: u32,
}

impl Tally {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            *match finding.severity {
                Severity::Critical => &mut tally.critical,
                Severity::Severe => &mut tally.severe,
                Severity::Moderate => &mut tally.moderate,
                Severity::Low => &mut tally.low,
            } += 1;
        }
        tally
    }
}

/// What an analysis found out, with the numbers behind it. Kept as JSON: members are added, never renamed.
///
/// Times are in milliseconds since 1970, durations in milliseconds, sizes in bytes. Lists are bounded by whoever makes
/// them; what was left out is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisReport {
    /// What ran.
    pub application: ReportedApplication,
    /// Its sums.
    pub totals: Totals,
    /// What is wrong with it, what matters most first.
    pub findings: Vec<Finding>,
    /// Its stages in the order of their numbers: of very many, those that took longest.
    pub stages: Vec<ReportedStage>,
    /// How many stages are left out.
    pub stages_omitted: usize,
    /// Its executors in the order in which they came.
    pub executors: Vec<ReportedExecutor>,
    /// How many executors are left out.
    pub executors_omitted: usize,
    /// How its cores were used, moment by moment.
    pub load: Vec<LoadPoint>,
    /// Its slowest queries, the slowest first.
    pub queries: Vec<ReportedQuery>,
    /// The settings of Spark it ran with, without secrets.
    pub settings: Vec<(String, String)>,
    /// What could not be read, and why. Findings that need it are missing.
    pub missing: Vec<Missing>,
}

/// The application of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedApplication {
    /// As the source names it.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// Which of its runs; `None` if it has no numbered ones.
    pub attempt: Option<String>,
    /// How many runs it has.
    pub attempts: usize,
    /// Who ran it.
    pub user: String,
    /// The version of Spark it ran on; empty if that is not known.
    pub spark_version: String,
    /// When it began.
    pub begun_at_ms: i64,
    /// When it ended, or was last heard of.
    pub ended_at_ms: i64,
    /// Whether its end was seen. Without one it runs still, or its driver was killed.
    pub is_completed: bool,
    /// Where the history server shows it; empty if that is not known.
    pub link: String,
}

/// Sums over an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// How long it took by the clock.
    pub duration_ms: i64,
    /// Its jobs.
    pub jobs: usize,
    /// Its jobs that failed.
    pub failed_jobs: usize,
    /// Attempts of stages that ran.
    pub stages: usize,
    /// Tasks that were to be done in them.
    pub tasks: i64,
    /// Attempts of tasks that failed.
    pub failed_tasks: i64,
    /// How many tasks could run at the same time, at most.
    pub cores: i64,
    /// How long tasks ran, all together.
    pub task_time_ms: i64,
    /// How much of that went into collecting garbage.
    pub gc_time_ms: i64,
    /// What was read from storage.
    pub input_bytes: i64,
    /// What was written to storage.
    pub output_bytes: i64,
    /// What stages read of what others wrote for them.
    pub shuffle_read_bytes: i64,
    /// What stages wrote for others.
    pub shuffle_write_bytes: i64,
    /// What did not fit into memory, as it was in memory.
    pub spilled_memory_bytes: i64,
    /// What did not fit into memory, as written to disk.
    pub spilled_disk_bytes: i64,
}

/// An attempt of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedStage {
    /// Its number.
    pub id: i64,
    /// Which attempt, from zero on.
    pub attempt: i64,
    /// What it does.
    pub name: String,
    /// In Spark's words: `COMPLETE`, `FAILED`, `ACTIVE`.
    pub status: String,
    /// When it was handed in; `None` if that is not known.
    pub begun_at_ms: Option<i64>,
    /// When it ended; `None` if it has not.
    pub ended_at_ms: Option<i64>,
    /// Its tasks.
    pub tasks: i64,
    /// Attempts of tasks that failed.
    pub failed_tasks: i64,
    /// How long its tasks ran, all together.
    pub task_time_ms: i64,
    /// How much of that went into collecting garbage.
    pub gc_time_ms: i64,
    /// What it read from storage.
    pub input_bytes: i64,
    /// What it wrote to storage.
    pub output_bytes: i64,
    /// What it read of what other stages wrote.
    pub shuffle_read_bytes: i64,
    /// What it wrote for other stages.
    pub shuffle_write_bytes: i64,
    /// What did not fit into memory, as it was in memory.
    pub spilled_memory_bytes: i64,
    /// What did not fit into memory, as written to disk.
    pub spilled_disk_bytes: i64,
    /// How long its tasks ran each: the shortest, a quarter, the median, three quarters, the longest, in milliseconds.
    /// Empty if that is not known.
    pub task_ms: Vec<f64>,
    /// What its tasks read each, likewise, in bytes.
    pub task_read_bytes: Vec<f64>,
    /// Whether a finding says that its work is spread unevenly.
    pub is_skewed: bool,
    /// Where the history server shows it; empty if that is not known.
    pub link: String,
}

/// An executor that ran tasks: in local mode the driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedExecutor {
    /// As Spark names it.
    pub id: String,
    /// Where it ran.
    pub host: String,
    /// How many tasks it runs at the same time.
    pub cores: i64,
    /// When it came; `None` if that is not known.
    pub added_at_ms: Option<i64>,
    /// When it went; `None` if it stayed.
    pub removed_at_ms: Option<i64>,
    /// Why it went; empty if it stayed.
    pub removed_why: String,
    /// Tasks that it did.
    pub tasks: i64,
    /// Attempts of tasks that failed on it.
    pub failed_tasks: i64,
    /// How long its tasks ran, all together.
    pub task_time_ms: i64,
    /// How much of that went into collecting garbage.
    pub gc_time_ms: i64,
    /// The most of its heap that was in use; zero if that is not known.
    pub heap_peak_bytes: i64,
    /// What it has for storing and computing.
    pub memory_bytes: i64,
}

/// How cores were used from one moment until the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadPoint {
    /// The moment.
    pub at_ms: i64,
    /// How many tasks could have run.
    pub cores: f64,
    /// How many ran, on average over the moment. The tasks of a stage are taken to be spread evenly over its time.
    pub busy: f64,
}

/// A query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedQuery {
    /// Its number.
    pub id: i64,
    /// What it does.
    pub description: String,
    /// In Spark's words: `COMPLETED`, `FAILED`, `RUNNING`.
    pub status: String,
    /// When it began; `None` if that is not known.
    pub begun_at_ms: Option<i64>,
    /// How long it took.
    pub duration_ms: i64,
    /// Where the history server shows it; empty if that is not known.
    pub link: String,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Something that is wrong with an application, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Of which kind, in a word: `skew`.
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in a line.
    pub title: String,
    /// The numbers that show it.
    pub evidence: Vec<Fact>,
    /// Why it matters.
    pub why: String,
    /// What to set or to write, each a step of its own.
    pub change: Vec<String>,
    /// What that is expected to bring.
    pub expected: String,
    /// How `expected` was arrived at.
    pub estimated_by: String,
}

/// Something that was measured or set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What.
    pub what: String,
    /// Its value, readable.
    pub value: String,
    /// The page of the history server that shows it; empty if that is not known.
    pub link: String,
}
