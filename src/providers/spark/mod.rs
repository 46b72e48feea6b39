//! A Spark History Server, shown as tools: what ran, how it went, and what would make it faster.
//!
//! The tools carry the names and arguments of the Kubeflow project's server for Spark, so that
//! prompts and agents written for it carry over; results are compact, and say how to ask for more.
//! Everything is read; nothing at a history server can be changed by it. `analysis` is pure: it
//! turns what was gathered into findings. A new tool is a row in `tools/mod.rs` and a function
//! beside those of its kind.

mod analysis;
mod arguments;
mod client;
mod error;
mod keep;
mod prompts;
mod shapes;
mod show;
mod tools;
mod words;

use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    clock::Clock,
    egress::Egress,
    mcp::{Revision, codes},
    model::{AnalysisId, AnalysisReport, Auth},
};
use arguments::Arguments;
use client::Client;
use shapes::Application;

pub use analysis::{Ask, Manner, Part, Reading, Request, Thresholds};
pub use error::SparkError;
pub use keep::Kept;
pub use show::check_key;
pub use words::is_of_the_run;

/// The tool whose calls are kept as analyses. `insights` carries it out.
pub const ANALYZE: &str = tools::ANALYZE;

/// The parts of a test, the first of which shows whether the server can be used at all.
pub const CHECKS: [&str; 2] = ["Version", "Applications"];

/// How many applications a test counts.
const COUNTED_MAX: usize = 1000;

/// How long lists may be kept, in milliseconds: they change with this program alone.
const LIST_TTL_MS: u64 = 300_000;

const INSTRUCTIONS: &str = "Facts about Apache Spark applications, from a Spark History Server. Begin with \
    list_applications, then analyze_application for what is wrong with one and what to change; the other tools \
    give the numbers behind it. Sizes and durations are given exactly (…_bytes, …_ms) and readable.";

/// One history server, shown as tools.
#[derive(Debug)]
pub struct SparkHistory {
    client: Client,
    thresholds: Thresholds,
}

impl SparkHistory {
    /// Answers for the server at this address. Connects to nothing yet.
    pub fn new(
        egress: Egress,
        url: &Url,
        auth: Auth,
        clock: Clock,
        kept: &Kept,
        thresholds: Thresholds,
    ) -> Self {
        Self { client: Client::new(egress, url, auth, clock, kept.shelf()), thresholds }
    }

    /// Does one part of a test and says what was found.
    pub async fn check(&self, name: &str) -> Result<String, SparkError> {
        if name == CHECKS[0] {
            return Ok(format!("Spark History Server {}", self.client.version().await?));
        }
        let begun = Instant::now();
        let limit = COUNTED_MAX.to_string();
        let found: Vec<Application> = self.client.get(&["applications"], &[("limit", &limit)]).await?;
        let took = words::duration(begun.elapsed().as_secs_f64() * 1000.0);
        Ok(match found.len() {
            0 => format!("none visible, answered in {took}"),
            1 => format!("1 application visible, answered in {took}"),
            COUNTED_MAX.. => format!("{COUNTED_MAX} applications visible or more, answered in {took}"),
            count => format!("{count} applications visible, answered in {took}"),
        })
    }

    /// Answers one request of revision 2026-07-28: the `result`, or the `error` member. Fails if the
    /// server cannot be used; what a call does wrong, or the server does not know, is a result that
    /// says so.
    pub async fn answer(&self, method: &str, params: &[u8]) -> Result<Result<Bytes, Bytes>, SparkError> {
        let answer = match method {
            "server/discover" => discovered(),
            "tools/list" => {
                self.client.version().await?;
                listed("tools", tools::definitions())
            }
            analysis::EVIDENCE_METHOD => {
                return match Box::pin(analysis::evidence(&self.client, params)).await {
                    Ok(answer) => Ok(Ok(answer)),
                    Err(error) if error.is_of_the_call() => {
                        Ok(Err(refusal(codes::INVALID_PARAMS, &error.to_string())))
                    }
                    Err(error) => Err(error),
                };
            }
            "prompts/list" => listed("prompts", prompts::definitions()),
            "tools/call" | "prompts/get" => {
                let Ok(Named { name, arguments }) = serde_json::from_slice(params) else {
                    return Ok(Err(refusal(codes::INVALID_PARAMS, "`name` and `arguments` cannot be read")));
                };
                let arguments = arguments.unwrap_or_default();
                let answer = if method == "tools/call" {
                    self.call(&name, arguments).await?
                } else {
                    prompts::get(&name, &arguments)
                };
                match answer {
                    Some(answer) => answer,
                    None => return Ok(Err(refusal(codes::INVALID_PARAMS, &format!("there is no `{name}`")))),
                }
            }
            _ => return Ok(Err(refusal(codes::METHOD_NOT_FOUND, &format!("there is no method `{method}`")))),
        };
        Ok(Ok(Bytes::from(answer.to_string())))
    }

    /// Calls a tool; `None` if there is none of this name.
    async fn call(&self, name: &str, given: Map<String, Value>) -> Result<Option<Value>, SparkError> {
        let Some(tool) = tools::find(name) else { return Ok(None) };
        let outcome = match Arguments::read(given, tool.arguments) {
            Ok(arguments) => Box::pin(tools::run(tool, &self.client, &self.thresholds, &arguments)).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(told) => Ok(Some(found(told))),
            Err(error) if error.is_of_the_call() => Ok(Some(said_no(&error.to_string()))),
            Err(error) => Err(error),
        }
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
    arguments: Option<Map<String, Value>>,
}

/// Returns what a call with these `params` wants to have analysed: the application, and which of its runs; or says
/// what is wrong with it.
pub fn wanted(params: &[u8]) -> Result<(String, Option<String>), String> {
    let named = serde_json::from_slice(params);
    let Named { name, arguments } = named.map_err(|_| "`name` and `arguments` cannot be read".to_owned())?;
    let tool = tools::find(&name).ok_or_else(|| format!("there is no `{name}`"))?;
    let arguments = Arguments::read(arguments.unwrap_or_default(), tool.arguments);
    let arguments = arguments.map_err(|error| error.to_string())?;
    Ok((arguments.required("app_id"), arguments.text("app_attempt_id")))
}

/// Returns the `result` of a call that an analysis was made for: the report as Markdown, and its findings.
pub fn analyzed(kept: AnalysisId, report: &AnalysisReport, text: String) -> Bytes {
    Bytes::from(found(tools::analyses::analyzed(kept, report, text)).to_string())
}

/// Returns the `result` of a call of a tool that failed, for a model to read.
pub fn failed(text: &str) -> Bytes {
    Bytes::from(said_no(text).to_string())
}

fn found(told: tools::Told) -> Value {
    let text = told.text.unwrap_or_else(|| told.facts.to_string());
    json!({
        "resultType": "complete", "content": [{ "type": "text", "text": text }],
        "structuredContent": told.facts, "isError": false,
    })
}

fn said_no(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }], "isError": true })
}

fn discovered() -> Value {
    json!({
        "resultType": "complete", "supportedVersions": [Revision::LATEST.as_str()],
        "capabilities": { "tools": {}, "prompts": {} }, "instructions": INSTRUCTIONS,
        "ttlMs": LIST_TTL_MS, "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": {
            "name": "spark-history", "title": "Spark History Server", "version": env!("CARGO_PKG_VERSION"),
        }},
    })
}

fn listed(member: &str, entries: Vec<Value>) -> Value {
    json!({ "resultType": "complete", member: entries, "ttlMs": LIST_TTL_MS, "cacheScope": "private" })
}

fn refusal(code: i64, message: &str) -> Bytes {
    Bytes::from(json!({ "code": code, "message": message }).to_string())
}
