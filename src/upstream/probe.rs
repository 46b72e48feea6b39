//! Finding out what a source is, one step at a time, with a report an owner can act on.

use std::{future::Future, time::Duration};

use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{Beside, Link, UpstreamError};
use crate::{
    egress::Egress,
    mcp::ListKind,
    model::{EraVerdict, Reach},
    tunnel::{HopStep, LiveTunnel},
};

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
    /// What else the source offers; nothing unless every step worked.
    pub beside: Beside,
    /// Whether something was connected to, or the program found, whatever it then said.
    pub reached: bool,
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
    /// What is tried, for people: `Resolve`, `Connect`, `TLS`, `Program`, `Era`, `Version`,
    /// `Applications`, `Tools`, and the steps of a tunnel.
    pub name: String,
    /// How it went.
    pub outcome: StepOutcome,
    /// What was found, or what went wrong and what to do.
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl From<&HopStep> for Step {
    fn from(step: &HopStep) -> Self {
        let (outcome, detail) = match &step.outcome {
            Ok(found) => (StepOutcome::Ok, found.clone()),
            Err(error) => (StepOutcome::Failed, error.to_string()),
        };
        Self { name: step.name.clone(), outcome, detail, elapsed: step.elapsed }
    }
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

/// Tries a source over this link.
pub(super) async fn run(
    egress: &Egress,
    tunnel: Option<&LiveTunnel>,
    reach: &Reach,
    link: &Link,
) -> ProbeReport {
    let mut report = ProbeReport::default();
    if let Some(tunnel) = tunnel {
        report.steps.extend(tunnel.trace().await.steps.iter().map(Step::from));
    }
    match reach {
        Reach::McpHttp { url } | Reach::SparkHistory { url } if tunnel.is_some() => {
            report.connect(egress, url, &["Channel", "TLS"]).await
        }
        Reach::McpHttp { url } | Reach::SparkHistory { url } => {
            report.connect(egress, url, &["Resolve", "Connect", "TLS"]).await
        }
        Reach::McpStdio { .. } => {
            report
                .step("Program", async {
                    let file = link.find_program().unwrap_or_else(|| Ok(Default::default()))?;
                    Ok(file.display().to_string())
                })
                .await
        }
    };
    report.reached = report.failure().is_none();
    let speaks = matches!(reach, Reach::McpHttp { .. } | Reach::McpStdio { .. });
    report
        .step(if speaks { "Era" } else { "Version" }, async {
            link.open().await?;
            let words =
                |verdict: &EraVerdict| if speaks { verdict_words(verdict) } else { verdict.server.clone() };
            Ok(link.verdict().as_ref().map(words).unwrap_or_default())
        })
        .await;
    for name in link.own_checks() {
        report.step(name, link.own_check(name)).await;
    }
    report.verdict = link.verdict().filter(|_| report.failure().is_none());
    let listing = report
        .step_with("Tools", async {
            let listing = link.list(ListKind::Tools).await?;
            let words = match listing.items.len() {
                0 => "none offered".to_owned(),
                1 => "1 tool".to_owned(),
                count => format!("{count} tools"),
            };
            Ok((words, listing))
        })
        .await;
    report.tools = listing.map(|listing| listing.items).unwrap_or_default();
    if report.passed() {
        report.beside = link.beside().await;
    }
    report
}

fn verdict_words(verdict: &EraVerdict) -> String {
    let server = if verdict.server.is_empty() { "a server without a name" } else { &verdict.server };
    format!("{server} speaks revision {} ({})", verdict.revision, verdict.era)
}

impl ProbeReport {
    async fn connect(&mut self, egress: &Egress, url: &url::Url, names: &[&'static str]) {
        if self.failure().is_some() {
            self.steps.extend(names.iter().map(|name| skipped(name)));
            return;
        }
        let uri: Uri = url.as_str().parse().unwrap_or_default();
        let trace = egress.trace(&uri).await;
        for name in names {
            let step = match trace.steps.iter().find(|step| step.name == *name) {
                None => skipped(name),
                Some(step) => {
                    let (outcome, detail) = match &step.outcome {
                        Ok(Some(found)) => (StepOutcome::Ok, found.clone()),
                        Ok(None) => (StepOutcome::Skipped, "not asked for by an http:// address".to_owned()),
                        Err(error) => (StepOutcome::Failed, error.to_string()),
                    };
                    Step { name: (*name).to_owned(), outcome, detail, elapsed: step.elapsed }
                }
            };
            self.steps.push(step);
        }
    }

    async fn step(&mut self, name: &str, work: impl Future<Output = Result<String, UpstreamError>>) {
        self.step_with(name, async { Ok((work.await?, ())) }).await;
    }

    /// Does one step unless an earlier one has failed.
    async fn step_with<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<(String, T), UpstreamError>>,
    ) -> Option<T> {
        if self.failure().is_some() {
            self.steps.push(skipped(name));
            return None;
        }
        let begun = Instant::now();
        let (outcome, detail, value) = match work.await {
            Ok((detail, value)) => (StepOutcome::Ok, detail, Some(value)),
            Err(error) => {
                if let UpstreamError::Credential { challenge, status } = &error {
                    let asked = challenge.clone().unwrap_or_else(|| format!("status {status}"));
                    self.needs_credential = Some(asked);
                }
                (StepOutcome::Failed, error.to_string(), None)
            }
        };
        self.steps.push(Step { name: name.to_owned(), outcome, detail, elapsed: begun.elapsed() });
        value
    }
}

fn skipped(name: &str) -> Step {
    Step {
        name: name.to_owned(),
        outcome: StepOutcome::Skipped,
        detail: "not tried, because an earlier step failed".to_owned(),
        elapsed: Duration::ZERO,
    }
}
