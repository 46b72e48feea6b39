//! Finding out what a source is, one step at a time, with a report an owner can act on.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::EraVerdict;

/// What a test of a source found.
#[derive(Clone, Debug, Default)]
pub struct ProbeReport {
    /// Each step, in order.
    pub steps: Vec<Step>,
    /// The era and revision; `None` when it could not be found out.
    pub verdict: Option<EraVerdict>,
    /// What the source says about the credential it wants; `None` when it did not ask for one.
    pub needs_credential: Option<String>,
    /// The tools, each byte for byte as the source sent it.
    pub tools: Vec<Box<RawValue>>,
}

impl ProbeReport {
    /// Says whether every step that was tried worked.
    pub fn passed(&self) -> bool {
        self.verdict.is_some() && self.steps.iter().all(|step| step.outcome != StepOutcome::Failed)
    }

    /// Returns why the first failing step failed.
    pub fn failure(&self) -> Option<&str> {
        self.steps.iter().find(|step| step.outcome == StepOutcome::Failed).map(|step| step.detail.as_str())
    }
}

/// One step of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is tried, for people: `Resolve`, `Connect`, `TLS`, `Start`, `Era`, `Tools`.
    pub name: String,
    /// How it went.
    pub outcome: StepOutcome,
    /// What was found, or what went wrong and what to do.
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It worked.
    Ok,
    /// It failed; the steps after it were skipped.
    Failed,
    /// It was not tried, or does not apply.
    Skipped,
}
