//! `doorward analyze`: what is wrong with a Spark application, on a stopped installation or a running one.

use std::process::ExitCode;

use clap::Args;
use doorward::{
    insights::NewAnalysis,
    model::{
        Analysis, AnalysisId, AnalysisReport, AnalysisState, AnalysisStep, Handle, SourceName, StepState,
    },
};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    CommandResult, Context,
    apply::{Running, ask},
    connect::key,
    installation::Installation,
    key::member,
};
use crate::{config::LogFormat, logging};

/// How long one question about progress waits for the end, in seconds.
const WAIT_SECS: u32 = 2;

/// What `doorward analyze` takes.
#[derive(Debug, Args)]
pub(super) struct AnalyzeArguments {
    /// The data source, by its name.
    #[arg(value_parser = SourceName::parse)]
    source: SourceName,
    /// The application, as the source names it.
    application: String,
    /// Which run of the application; without it, the last.
    #[arg(long)]
    attempt: Option<String>,
    /// Print the report with its numbers as JSON; without it, as Markdown.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the report as Markdown, as without it.
    #[arg(long)]
    markdown: bool,
    /// Whose data source it is and whose plan is charged, on a stopped installation. A running one knows by the key.
    #[arg(long, value_name = "HANDLE", value_parser = Handle::parse, required_unless_present = "url",
        conflicts_with = "url")]
    owner: Option<Handle>,
    #[command(flatten)]
    running: Running,
}

/// An analysis as a running installation tells of it.
#[derive(Deserialize)]
struct Told {
    id: AnalysisId,
    state: AnalysisState,
    steps: Vec<ToldStep>,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct ToldStep {
    name: String,
    state: StepState,
    #[serde(default)]
    detail: String,
    elapsed_ms: i64,
}

/// A report with its numbers, as a running installation tells it.
#[derive(Deserialize)]
struct Kept {
    report: AnalysisReport,
}

impl From<Analysis> for Told {
    fn from(analysis: Analysis) -> Self {
        let step = |step: AnalysisStep| {
            let AnalysisStep { name, state, detail, elapsed_ms } = step;
            ToldStep { name, state, detail, elapsed_ms }
        };
        Self {
            id: analysis.id,
            state: analysis.state,
            steps: analysis.steps.into_iter().map(step).collect(),
            failure: analysis.failure,
        }
    }
}

/// Prints steps once each, when they are over, where progress is shown.
#[derive(Default)]
struct Progress {
    printed: Vec<String>,
}

impl Progress {
    fn tell(&mut self, told: &Told) {
        for step in told.steps.iter().filter(|step| step.state != StepState::Waiting) {
            if !self.printed.contains(&step.name) {
                eprintln!("{:<16} {:<7} {:>6} ms  {}", step.name, step.state, step.elapsed_ms, step.detail);
                self.printed.push(step.name.clone());
            }
        }
    }
}

/// Analyses an application and prints the report; fails if there is none.
pub(super) async fn run(context: &Context, arguments: AnalyzeArguments) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let report = match arguments.running.url.clone() {
        Some(url) => on_a_running_one(&url, arguments).await?,
        None => {
            let settings = context.load()?.settings;
            let installation = Installation::open(&settings).await?;
            let report = on_a_stopped_one(&installation, arguments).await;
            installation.close().await;
            report?
        }
    };
    println!("{}", report.trim_end());
    Ok(ExitCode::SUCCESS)
}

type Printed = Result<String, Box<dyn std::error::Error + Send + Sync>>;

async fn on_a_running_one(url: &http::Uri, arguments: AnalyzeArguments) -> Printed {
    let AnalyzeArguments { source, application, attempt, json, running, .. } = arguments;
    let key = key(running.key_file)?;
    let wanted = json!({ "source": source, "app_id": application, "attempt": attempt }).to_string();
    let begun = ask(url, Method::POST, "/api/v1/analyses", key.clone(), wanted).await?;
    let mut told: Told = serde_json::from_slice(&begun)?;
    let path = format!("/api/v1/analyses/{}", told.id);
    let mut progress = Progress::default();
    while told.state == AnalysisState::Running {
        let waiting = format!("{path}?wait={WAIT_SECS}");
        told = serde_json::from_slice(&ask(url, Method::GET, &waiting, key.clone(), String::new()).await?)?;
        progress.tell(&told);
    }
    check(told)?;
    let ending = if json { "json" } else { "md" };
    let report = ask(url, Method::GET, &format!("{path}/report.{ending}"), key, String::new()).await?;
    if json {
        let kept: Kept = serde_json::from_slice(&report)?;
        return Ok(serde_json::to_string_pretty(&kept.report)?);
    }
    Ok(String::from_utf8(report.into())?)
}

async fn on_a_stopped_one(installation: &Installation, arguments: AnalyzeArguments) -> Printed {
    let AnalyzeArguments { source: name, application: app_id, attempt, json, owner, .. } = arguments;
    let engine = &installation.engine;
    let owner = owner.ok_or("say whose data source it is: --owner HANDLE")?;
    let member = member(installation, &owner).await?;
    let source = engine.sources.find_by_name(&member, &name).await?;
    let source = source.ok_or_else(|| format!("`{owner}` has no data source `{name}`"))?.id;
    let begun = engine.analyses.begin(&member, NewAnalysis { source, app_id, attempt }).await?;
    let told = Told::from(engine.analyses.ended(&member, begun.id).await?);
    Progress::default().tell(&told);
    let id = told.id;
    check(told)?;
    let kept = engine.analyses.report(&member, id).await?.ok_or("the report is gone")?;
    if json { Ok(serde_json::to_string_pretty(&kept.report)?) } else { Ok(kept.markdown()) }
}

/// Fails unless there is a report.
fn check(told: Told) -> Result<(), String> {
    match told.state {
        AnalysisState::Done => Ok(()),
        AnalysisState::Failed => Err(told.failure.unwrap_or_else(|| "the analysis failed".to_owned())),
        AnalysisState::Cancelled | AnalysisState::Running => Err("the analysis was cancelled".to_owned()),
    }
}
