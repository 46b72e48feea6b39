//! What is known of a run of an application, and how it is put into findings. Pure.

use crate::{
    model::{Fact, Finding, Missing, Severity},
    providers::spark::{
        client::Place,
        shapes::{Environment, Executor, Job, Sql, Stage, Task},
        words::time_ms,
    },
};

/// What is known of a run of an application. What could not be read is absent and named in `missing`.
#[derive(Clone, Debug)]
pub(in crate::providers::spark) struct Evidence {
    /// The application and its run.
    pub(in crate::providers::spark) place: Place,
    /// Where the server's own pages begin, without a slash at the end; empty if that is not known.
    pub(in crate::providers::spark) base: String,
    pub(in crate::providers::spark) jobs: Vec<Job>,
    /// With how their tasks are spread.
    pub(in crate::providers::spark) stages: Vec<Stage>,
    pub(in crate::providers::spark) executors: Vec<Executor>,
    /// `None` if it could not be read.
    pub(in crate::providers::spark) environment: Option<Environment>,
    /// The slowest tasks of the slowest stages, and the failed ones of those that failed.
    pub(in crate::providers::spark) tasks: Vec<(i64, Vec<Task>)>,
    /// All queries, without their steps.
    pub(in crate::providers::spark) queries: Vec<Sql>,
    /// The slowest queries with their steps.
    pub(in crate::providers::spark) slowest: Vec<Sql>,
    /// What could not be read, and why.
    pub(in crate::providers::spark) missing: Vec<Missing>,
}

impl Evidence {
    /// Knows the application alone.
    pub(super) fn of(place: Place, base: String) -> Self {
        Self {
            place,
            base,
            jobs: Vec::new(),
            stages: Vec::new(),
            executors: Vec::new(),
            environment: None,
            tasks: Vec::new(),
            queries: Vec::new(),
            slowest: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Returns the stages that ran.
    pub(super) fn ran(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().filter(|stage| !matches!(stage.status.as_str(), "SKIPPED" | "PENDING"))
    }

    /// Returns a setting of Spark as it was given; `None` = Spark's default, or not known.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        let properties = &self.environment.as_ref()?.spark_properties;
        properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Says whether a switch is on, given what it is by default.
    pub(super) fn is_on(&self, name: &str, by_default: bool) -> bool {
        self.setting(name).map_or(by_default, |value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// Returns the executors that run tasks: in local mode the driver.
    pub(super) fn workers(&self) -> impl Iterator<Item = &Executor> {
        self.executors.iter().filter(|executor| executor.total_cores > 0)
    }

    /// Returns how many tasks run at the same time.
    pub(super) fn slots(&self) -> i64 {
        self.workers().map(Executor::slots).sum::<i64>().max(1)
    }

    /// Returns when it ended, or what was last heard of it, in milliseconds since 1970.
    pub(super) fn end_ms(&self) -> i64 {
        if self.place.attempt.duration_ms().is_some() {
            return self.place.attempt.end_time_epoch;
        }
        let jobs = self.jobs.iter().flat_map(|job| [&job.submission_time, &job.completion_time]);
        let stages = self.stages.iter().flat_map(|stage| [&stage.submission_time, &stage.completion_time]);
        let heard = jobs.chain(stages).filter_map(|time| time_ms(time.as_deref()?)).max();
        heard.unwrap_or(self.place.attempt.start_time_epoch)
    }

    /// Returns how long it took, or as far as was heard of it.
    pub(in crate::providers::spark) fn duration_ms(&self) -> i64 {
        (self.end_ms() - self.place.attempt.start_time_epoch).max(0)
    }

    /// Returns the page of a part of the application; empty if that is not known.
    pub(super) fn page(&self, part: &str) -> String {
        if self.base.is_empty() {
            return String::new();
        }
        let attempt = self.place.attempt.attempt_id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
        format!("{}/history/{}{attempt}/{part}", self.base, self.place.app.id)
    }

    /// Returns the page of a stage.
    pub(super) fn page_of_stage(&self, stage: &Stage) -> String {
        self.page(&format!("stages/stage/?id={}&attempt={}", stage.stage_id, stage.attempt_id))
    }

    /// Returns the page of a query.
    pub(super) fn page_of_query(&self, sql: &Sql) -> String {
        self.page(&format!("SQL/execution/?id={}", sql.id))
    }

    /// States something about a stage.
    pub(super) fn of_stage(&self, stage: &Stage, what: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { what: what.into(), value: value.into(), link: self.page_of_stage(stage) }
    }

    /// States something about a query.
    pub(super) fn of_query(&self, sql: &Sql, what: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { what: what.into(), value: value.into(), link: self.page_of_query(sql) }
    }

    /// States something about the application, shown on one of its pages (`jobs`, `executors`,
    /// `environment`).
    pub(super) fn of_page(&self, page: &str, what: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { what: what.into(), value: value.into(), link: self.page(&format!("{page}/")) }
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) severity: Severity,
    pub(super) title: String,
    pub(super) evidence: Vec<Fact>,
    pub(super) why: &'static str,
    pub(super) change: Vec<String>,
    pub(super) expected: String,
    /// How `expected` was arrived at.
    pub(super) estimated: &'static str,
}

impl Found {
    /// Says of which kind it is.
    pub(super) fn of_kind(self, kind: &str) -> Finding {
        Finding {
            kind: kind.to_owned(),
            severity: self.severity,
            title: self.title,
            evidence: self.evidence,
            why: self.why.to_owned(),
            change: self.change,
            expected: self.expected,
            estimated_by: self.estimated.to_owned(),
        }
    }
}
