//! Everything that is read for one analysis: what to ask next, what came of it, and the report in the end. Pure: whoever
//! holds a [`Reading`] asks its questions, in whatever order, and hands in the answers.

use std::{cmp::Reverse, collections::VecDeque};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{
    Evidence, Thresholds, findings, markdown, numbers,
    question::{self, Asked, Found, Question},
    through_tools,
};
use crate::{
    model::{
        AnalysisReport, AnalysisStep, Finding, Missing, ReportedApplication, SourceKind, StepState, words,
    },
    providers::spark::{
        client::{Place, checked_id},
        shapes::{Application, Environment, Executor, Job, Sql, Stage, Task},
        words::{counted, counted_plural},
    },
};

/// Of how many slow stages tasks are read, and of how many that failed.
const STAGES: usize = 3;
/// Of how many slow stages it is asked how their tasks are spread, where the stages do not say it.
const SPREADS: usize = 8;
/// How many slow queries are read with their steps.
const QUERIES: usize = 5;
/// How many applications are offered to be analysed.
const APPLICATIONS: usize = 100;

/// A thing that is read for an analysis; what cannot be had is named in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The application and which run of it.
    Application,
    /// Its jobs.
    Jobs,
    /// Its stages, with how their tasks are spread.
    Stages,
    /// Its executors.
    Executors,
    /// The settings it ran with.
    Environment,
    /// The slowest stages, and those that failed, with their tasks.
    SlowestStages,
    /// Its queries, and the slowest with their steps.
    SlowestQueries,
}
words!(Part {
    Application = "application",
    Jobs = "jobs",
    Stages = "stages",
    Executors = "executors",
    Environment = "environment",
    SlowestStages = "slowest stages",
    SlowestQueries = "slowest queries",
});

/// How a source is asked for what an analysis needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// It is a history server.
    Native,
    /// It is an MCP server with the tools of Kubeflow's server for Spark.
    Tools,
}

/// A request to a source, in the shape of MCP revision 2026-07-28.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// Its `params`, as JSON.
    pub params: Bytes,
}

/// A question of a [`Reading`] that is to be asked once.
#[derive(Debug)]
pub struct Ask {
    /// What to send.
    pub request: Request,
    part: Part,
    question: Question,
}

impl Manner {
    /// Says how a source of this kind with these tools is asked; `None` = it cannot be analysed.
    pub fn of<'a>(kind: SourceKind, tools: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        match kind {
            SourceKind::SparkHistory => Some(Self::Native),
            SourceKind::McpHttp | SourceKind::McpStdio => {
                let mut missing = through_tools::NEEDED.to_vec();
                for tool in tools {
                    missing.retain(|needed| *needed != tool);
                }
                missing.is_empty().then_some(Self::Tools)
            }
        }
    }

    /// Returns what asks for the newest applications.
    pub fn applications(self) -> Request {
        let question = Question::Applications { limit: APPLICATIONS };
        self.request(&Asked { app_id: String::new(), attempt: None, question })
    }

    /// Reads the answer to that, the newest first, or says what is wrong with it.
    pub fn read_applications(self, result: &[u8]) -> Result<Vec<ReportedApplication>, String> {
        let found: Vec<Application> = self.list(result)?;
        let mut found: Vec<ReportedApplication> = found
            .into_iter()
            .filter_map(|app| Some(numbers::application(&Place::of(app, None).ok()?, String::new())))
            .collect();
        found.sort_by_key(|app| Reverse(app.begun_at_ms));
        Ok(found)
    }

    fn request(self, asked: &Asked) -> Request {
        let (method, params) = match self {
            Self::Native => (question::METHOD, serde_json::to_vec(asked)),
            Self::Tools => ("tools/call", serde_json::to_vec(&through_tools::params(asked))),
        };
        Request { method, params: params.expect("a question can be written as JSON").into() }
    }

    fn list<T: DeserializeOwned>(self, result: &[u8]) -> Result<Vec<T>, String> {
        match self {
            Self::Native => native(result),
            Self::Tools => through_tools::list(result),
        }
    }
}

fn native<T: DeserializeOwned>(result: &[u8]) -> Result<T, String> {
    serde_json::from_slice(result).map_err(|error| format!("its answer cannot be read: {error}"))
}

/// How far one part is.
#[derive(Debug)]
struct Step {
    part: Part,
    /// Questions that are not answered yet, those included that are not asked yet.
    open: usize,
    /// Why it, or a piece of it, is not to be had.
    failure: Option<String>,
    /// What was read.
    detail: String,
    elapsed_ms: i64,
}

/// What one analysis reads.
#[derive(Debug)]
pub struct Reading {
    manner: Manner,
    app_id: String,
    attempt: Option<String>,
    waiting: VecDeque<(Part, Question)>,
    steps: Vec<Step>,
    /// `None` until the application is known.
    evidence: Option<Evidence>,
}

impl Reading {
    /// Begins to read about an application, about its last run if none is named. Fails if that is no name of one.
    pub fn new(manner: Manner, app_id: &str, attempt: Option<&str>) -> Result<Self, String> {
        checked_id("application", app_id).map_err(|error| error.to_string())?;
        if let Some(attempt) = attempt {
            checked_id("attempt", attempt).map_err(|error| error.to_string())?;
        }
        let step =
            |part: &Part| Step { part: *part, open: 1, failure: None, detail: String::new(), elapsed_ms: 0 };
        Ok(Self {
            manner,
            app_id: app_id.to_owned(),
            attempt: attempt.map(str::to_owned),
            waiting: VecDeque::from([(Part::Application, Question::Application)]),
            steps: Part::ALL.iter().map(step).collect(),
            evidence: None,
        })
    }

    /// Returns what can be asked and was not asked yet. More may follow from each answer; when nothing is returned and
    /// nothing is left to be answered, everything is read.
    pub fn questions(&mut self) -> Vec<Ask> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().map(|(part, question)| self.ask(part, question)).collect()
    }

    fn ask(&self, part: Part, question: Question) -> Ask {
        let asked =
            Asked { app_id: self.app_id.clone(), attempt: self.attempt.clone(), question: question.clone() };
        Ask { request: self.manner.request(&asked), part, question }
    }

    /// Takes what was answered: the `result`, or why there is none; and how long it took.
    pub fn take(&mut self, ask: Ask, answer: Result<&[u8], String>, elapsed_ms: i64) {
        let taken = answer.and_then(|result| self.read(&ask.question, result));
        if taken.is_err() && ask.question == Question::Stages {
            self.step(Part::SlowestStages).fail("the stages are not known");
        }
        let step = self.step(ask.part);
        step.open -= 1;
        step.elapsed_ms += elapsed_ms;
        match taken {
            Ok(detail) if step.detail.is_empty() => step.detail = detail,
            Ok(_) => {}
            Err(why) => step.fail(&why),
        }
    }

    /// Returns how far everything is, in the order of [`Part::ALL`].
    pub fn steps(&self) -> Vec<AnalysisStep> {
        self.steps
            .iter()
            .map(|step| {
                let (state, detail) = match &step.failure {
                    Some(failure) => (StepState::Failed, failure.clone()),
                    None if step.open > 0 => (StepState::Waiting, String::new()),
                    None => (StepState::Done, step.detail.clone()),
                };
                AnalysisStep { name: step.part.to_string(), state, detail, elapsed_ms: step.elapsed_ms }
            })
            .collect()
    }

    /// Returns what the application calls itself and which run it is, once that is known.
    pub fn application(&self) -> Option<(&str, Option<&str>)> {
        let place = &self.evidence.as_ref()?.place;
        Some((&place.app.name, place.attempt.attempt_id.as_deref()))
    }

    /// Returns the report and the same as Markdown; `None` if the application is not known. What was never answered is
    /// missing in it.
    pub fn finish(self, limits: &Thresholds) -> Option<(AnalysisReport, String)> {
        let (evidence, findings) = self.evidence(limits)?;
        let text = markdown(&evidence, &findings);
        Some((numbers::report(&evidence, findings, limits), text))
    }

    /// Returns what was read and what is wrong with it.
    pub(in crate::providers::spark) fn evidence(
        mut self,
        limits: &Thresholds,
    ) -> Option<(Evidence, Vec<Finding>)> {
        let mut evidence = self.evidence.take()?;
        evidence.missing = self
            .steps
            .into_iter()
            .filter_map(|step| {
                let late = || "no answer in time".to_owned();
                let why = step.failure.or_else(|| (step.open > 0).then(late))?;
                Some(Missing { what: step.part.to_string(), why })
            })
            .collect();
        let findings = findings(&evidence, limits);
        Some((evidence, findings))
    }

    fn step(&mut self, part: Part) -> &mut Step {
        &mut self.steps[part as usize]
    }

    /// Puts an answer into the evidence, and says what it was.
    fn read(&mut self, question: &Question, result: &[u8]) -> Result<String, String> {
        let manner = self.manner;
        if *question == Question::Application {
            return self.read_application(result);
        }
        let Some(evidence) = &mut self.evidence else {
            return Err("the application is not known".to_owned());
        };
        Ok(match question {
            Question::Applications { .. } | Question::Application => String::new(),
            Question::Jobs => {
                evidence.jobs = manner.list::<Job>(result)?;
                counted(evidence.jobs.len(), "job")
            }
            Question::Stages => {
                evidence.stages = manner.list::<Stage>(result)?;
                let detail = counted(evidence.stages.len(), "stage");
                let plan = details_of(manner, evidence, self.attempt.is_some());
                self.plan(Part::SlowestStages, plan);
                detail
            }
            Question::Executors => {
                evidence.executors = manner.list::<Executor>(result)?;
                counted(evidence.executors.len(), "executor")
            }
            Question::Environment => {
                let environment: Environment = match manner {
                    Manner::Native => native(result)?,
                    Manner::Tools => through_tools::one(result)?,
                };
                let detail = counted(environment.spark_properties.len(), "setting");
                evidence.environment = Some(environment);
                detail
            }
            Question::Spread { stage, attempt } => {
                let read: Stage = through_tools::one(result)?;
                let known = evidence
                    .stages
                    .iter_mut()
                    .find(|known| (known.stage_id, known.attempt_id) == (*stage, *attempt));
                if let Some(known) = known {
                    known.task_metrics_distributions = read.task_metrics_distributions;
                }
                "how tasks are spread".to_owned()
            }
            Question::Tasks { stage, .. } => {
                evidence.tasks.push((*stage, manner.list::<Task>(result)?));
                "their tasks".to_owned()
            }
            Question::Queries => {
                evidence.queries = manner.list::<Sql>(result)?;
                let mut slow: Vec<&Sql> = evidence.queries.iter().collect();
                slow.sort_by_key(|sql| Reverse(sql.duration));
                let plan = slow.into_iter().take(QUERIES).map(|sql| Question::Query { id: sql.id }).collect();
                let detail = counted_plural(evidence.queries.len(), "query", "queries");
                self.plan(Part::SlowestQueries, plan);
                detail
            }
            Question::Query { .. } => {
                evidence.slowest.push(match manner {
                    Manner::Native => native(result)?,
                    Manner::Tools => through_tools::query(result)?,
                });
                String::new()
            }
        })
    }

    fn read_application(&mut self, result: &[u8]) -> Result<String, String> {
        let Found { place, base } = match self.manner {
            Manner::Native => native(result)?,
            Manner::Tools => {
                let app: Application = through_tools::one(result)?;
                if app.id != self.app_id {
                    return Err(format!("it answers with application {}", app.id));
                }
                let place = Place::of(app, self.attempt.as_deref()).map_err(|error| error.to_string())?;
                Found { place, base: String::new() }
            }
        };
        self.attempt = place.attempt.attempt_id.clone();
        let detail = place.app.name.clone();
        self.evidence = Some(Evidence::of(place, base));
        self.waiting.extend([
            (Part::Jobs, Question::Jobs),
            (Part::Stages, Question::Stages),
            (Part::Executors, Question::Executors),
            (Part::Environment, Question::Environment),
            (Part::SlowestQueries, Question::Queries),
        ]);
        Ok(detail)
    }

    /// Adds questions to a part, whose number of open questions holds a place for the one that led to them, or for
    /// none that was asked.
    fn plan(&mut self, part: Part, questions: Vec<Question>) {
        let step = self.step(part);
        step.open += questions.len();
        if part == Part::SlowestStages {
            step.open -= 1;
            if questions.is_empty() {
                step.detail = "no stage ran".to_owned();
            }
        }
        self.waiting.extend(questions.into_iter().map(|question| (part, question)));
    }
}

impl Step {
    fn fail(&mut self, why: &str) {
        self.failure.get_or_insert_with(|| why.to_owned());
    }
}

/// Returns what is asked about the slowest stages and those of which most failed.
fn details_of(manner: Manner, evidence: &Evidence, has_attempts: bool) -> Vec<Question> {
    let mut failed: Vec<&Stage> = evidence.stages.iter().filter(|stage| stage.num_failed_tasks > 0).collect();
    failed.sort_by_key(|stage| (stage.status != "FAILED", Reverse(stage.num_failed_tasks)));
    let failed = failed.into_iter().take(STAGES).map(|stage| Question::Tasks {
        stage: stage.stage_id,
        attempt: stage.attempt_id,
        failed: true,
    });
    let mut slow: Vec<&Stage> = evidence.ran().filter(|stage| stage.duration_ms().is_some()).collect();
    slow.sort_by_key(|stage| Reverse(stage.duration_ms()));
    let slow: Vec<Question> = match manner {
        Manner::Native => slow
            .into_iter()
            .filter(|stage| stage.num_failed_tasks == 0)
            .take(STAGES)
            .map(|stage| Question::Tasks { stage: stage.stage_id, attempt: stage.attempt_id, failed: false })
            .collect(),
        // The tool finds stages of the last run alone.
        Manner::Tools if has_attempts => Vec::new(),
        // Where no task was completed there is nothing to tell, and the tool fails.
        Manner::Tools => slow
            .into_iter()
            .filter(|stage| stage.num_complete_tasks > 0)
            .take(SPREADS)
            .map(|stage| Question::Spread { stage: stage.stage_id, attempt: stage.attempt_id })
            .collect(),
    };
    failed.chain(slow).collect()
}

#[cfg(test)]
mod tests;
