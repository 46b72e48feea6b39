//! What an analysis reads, tried with answers as both manners give them.

use serde_json::{Value, json};

use super::*;
use crate::model::Severity;

const APP: &str = "local-1795233963183";

/// Answers as a history server gives them to our own method.
fn native(question: &Value) -> Value {
    let attempt =
        json!({"startTimeEpoch": 1000, "endTimeEpoch": 61_000, "duration": 60_000, "completed": true});
    match question["what"].as_str().unwrap() {
        "application" => json!({"base": "http://spark:18080", "place": {
            "app": {"id": APP, "name": "skew", "attempts": [attempt]}, "attempt": attempt}}),
        "jobs" => json!([{"jobId": 0, "status": "SUCCEEDED"}]),
        "stages" => json!([stage(0, 10, 0), stage(1, 20, 3), stage(2, 5, 0)]),
        "executors" => json!([{"id": "driver", "totalCores": 2, "addTime": "1970-01-01T00:00:01.000GMT"}]),
        "environment" => {
            json!({"sparkProperties": [["spark.app.name", "skew"], ["spark.my.password", "hush"]]})
        }
        "tasks" => json!([{"taskId": question["stage"], "errorMessage": "ValueError: bad record"}]),
        "queries" => json!((0..7).map(|id| json!({"id": id, "duration": id * 100})).collect::<Vec<_>>()),
        "query" => json!({"id": question["id"], "duration": 1}),
        what => panic!("{what} is not asked"),
    }
}

fn stage(id: i64, seconds: i64, failed: i64) -> Value {
    json!({"stageId": id, "attemptId": 0, "status": "COMPLETE", "name": "collect", "numTasks": 12,
        "numFailedTasks": failed, "executorRunTime": seconds * 1000,
        "submissionTime": "1970-01-01T00:00:02.000GMT",
        "completionTime": format!("1970-01-01T00:00:{:02}.000GMT", 2 + seconds)})
}

fn question(ask: &Ask) -> Value {
    let asked: Value = serde_json::from_slice(&ask.request.params).unwrap();
    assert_eq!((ask.request.method, &asked["app_id"]), ("doorward/evidence", &json!(APP)));
    asked["question"].clone()
}

/// Reads everything, asking what is given to say otherwise first.
fn read(otherwise: impl Fn(&Value) -> Option<Result<Value, &'static str>>) -> Reading {
    let mut reading = Reading::new(Manner::Native, APP, None).unwrap();
    loop {
        let asks = reading.questions();
        if asks.is_empty() {
            return reading;
        }
        for ask in asks {
            let asked = question(&ask);
            let answer = otherwise(&asked).unwrap_or_else(|| Ok(native(&asked)));
            let answer = answer.map(|value| value.to_string()).map_err(str::to_owned);
            reading.take(ask, answer.as_ref().map(String::as_bytes).map_err(Clone::clone), 7);
        }
    }
}

fn step(reading: &Reading, part: Part) -> AnalysisStep {
    reading.steps().swap_remove(part as usize)
}

#[test]
fn the_application_is_asked_first_and_details_follow_what_they_are_about() {
    let mut reading = Reading::new(Manner::Native, APP, None).unwrap();
    let mut asks = reading.questions();
    assert_eq!(asks.len(), 1);
    assert!(reading.questions().is_empty());
    assert!(reading.steps().iter().all(|step| step.state == StepState::Waiting));

    let ask = asks.remove(0);
    let answer = native(&question(&ask)).to_string();
    reading.take(ask, Ok(answer.as_bytes()), 3);
    assert_eq!(reading.application(), Some(("skew", None)));
    assert_eq!(step(&reading, Part::Application).detail, "skew");
    let asks = reading.questions();
    assert_eq!(asks.len(), 5);
    for ask in asks.into_iter().filter(|ask| ask.part == Part::Stages) {
        reading.take(ask, Ok(native(&json!({"what": "stages"})).to_string().as_bytes()), 3);
    }

    // Of the stage that failed the failed tasks, of the others the slowest ones.
    let details: Vec<Value> = reading.questions().iter().map(question).collect();
    let tasks =
        |stage: i64, failed: bool| json!({"what": "tasks", "stage": stage, "attempt": 0, "failed": failed});
    assert_eq!(details, [tasks(1, true), tasks(0, false), tasks(2, false)]);
}

#[test]
fn everything_that_was_read_is_in_the_report() {
    let reading = read(|_| None);
    assert!(reading.steps().iter().all(|step| step.state == StepState::Done), "{:?}", reading.steps());
    assert_eq!(step(&reading, Part::SlowestQueries).detail, "7 queries");
    assert_eq!(step(&reading, Part::SlowestQueries).elapsed_ms, 6 * 7);

    let (report, text) = reading.finish(&Thresholds::default()).unwrap();

    assert_eq!((report.totals.duration_ms, report.totals.jobs, report.totals.tasks), (60_000, 1, 36));
    assert_eq!(report.stages.iter().map(|stage| stage.id).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(
        report.stages[1].link,
        format!("http://spark:18080/history/{APP}/stages/stage/?id=1&attempt=0")
    );
    assert_eq!(report.queries[0].id, 6);
    assert_eq!(report.settings[1], ("spark.my.password".to_owned(), "(hidden)".to_owned()));
    assert!(report.missing.is_empty());
    assert_eq!(
        (report.findings[0].kind.as_str(), report.findings[0].severity),
        ("failures", Severity::Severe)
    );
    assert!(text.contains("ValueError: bad record"), "{text}");
}

#[test]
fn cores_are_busy_while_stages_run_and_never_more_than_there_are() {
    let (report, _) = read(|_| None).finish(&Thresholds::default()).unwrap();

    let busy_ms: f64 = report.load.iter().map(|point| point.busy * 500.0).sum();
    assert_eq!((report.load.len(), report.load[0].at_ms), (120, 1000));
    assert!(report.load.iter().all(|point| point.cores == 2.0 && point.busy <= 2.0));
    // Three stages at once keep three tasks busy for five seconds, of which two have a core.
    assert!((busy_ms - 30_000.0).abs() < 1.0, "{busy_ms}");
    assert_eq!(report.load[119].busy, 0.0);
}

#[test]
fn what_cannot_be_had_is_named_and_the_rest_is_told() {
    let failing = read(|asked| (asked["what"] == "stages").then_some(Err("the answer is too large")));
    assert_eq!(step(&failing, Part::Stages).state, StepState::Failed);
    let (report, text) = failing.finish(&Thresholds::default()).unwrap();
    let missing: Vec<_> = report.missing.iter().map(|one| (one.what.as_str(), one.why.as_str())).collect();
    assert_eq!(
        missing,
        [("stages", "the answer is too large"), ("slowest stages", "the stages are not known")]
    );
    assert!(text.contains("Not known: stages (the answer is too large)"), "{text}");

    let odd = read(|asked| (asked["what"] == "jobs").then(|| Ok(json!({"jobs": 1}))));
    let (report, _) = odd.finish(&Thresholds::default()).unwrap();
    assert_eq!(report.missing[0].what, "jobs");

    // What was asked and never answered.
    let mut late = Reading::new(Manner::Native, APP, None).unwrap();
    let ask = late.questions().remove(0);
    late.take(ask, Ok(native(&json!({"what": "application"})).to_string().as_bytes()), 1);
    let (report, _) = late.finish(&Thresholds::default()).unwrap();
    assert_eq!(report.missing.len(), 6);
    assert!(report.missing.iter().all(|one| one.why == "no answer in time"));
}

#[test]
fn without_an_application_there_is_no_report() {
    let mut unknown = Reading::new(Manner::Native, "nope", None).unwrap();
    let ask = unknown.questions().remove(0);
    unknown.take(ask, Err("unknown app: nope".to_owned()), 1);
    assert!(unknown.questions().is_empty());
    assert_eq!(step(&unknown, Part::Application).detail, "unknown app: nope");
    assert!(unknown.finish(&Thresholds::default()).is_none());

    for (app, attempt) in [("../version", None), ("", None), ("a", Some("1/2"))] {
        assert!(Reading::new(Manner::Native, app, attempt).is_err(), "{app}");
    }
}

#[test]
fn a_source_is_asked_by_its_kind_and_its_tools() {
    let tools =
        ["list_applications", "list_jobs", "list_stages", "list_executors", "get_environment", "other"];
    assert_eq!(Manner::of(SourceKind::SparkHistory, []), Some(Manner::Native));
    assert_eq!(Manner::of(SourceKind::McpStdio, tools), Some(Manner::Tools));
    assert_eq!(Manner::of(SourceKind::McpHttp, tools[1..].iter().copied()), None);
}

#[test]
fn a_server_of_tools_is_asked_by_their_names_and_read_text_by_text() {
    let said = |values: &[Value]| {
        let texts: Vec<_> =
            values.iter().map(|value| json!({"type": "text", "text": value.to_string()})).collect();
        json!({"resultType": "complete", "content": texts, "isError": false}).to_string()
    };
    let mut reading = Reading::new(Manner::Tools, APP, Some("2")).unwrap();
    let ask = reading.questions().remove(0);
    let params: Value = serde_json::from_slice(&ask.request.params).unwrap();
    assert_eq!(ask.request.method, "tools/call");
    assert_eq!((&params["name"], &params["arguments"]["app_id"]), (&json!("list_applications"), &json!(APP)));
    let attempts = json!([{"attemptId": "1"}, {"attemptId": "2", "endTime": null, "completed": true}]);
    let app = json!({"id": APP, "name": "skew", "coresGranted": null, "attempts": attempts});
    reading.take(ask, Ok(said(&[app]).as_bytes()), 1);

    for ask in reading.questions() {
        let params: Value = serde_json::from_slice(&ask.request.params).unwrap();
        assert_eq!(params["arguments"]["app_attempt_id"], "2", "{params}");
        let answer = match ask.part {
            Part::Jobs => said(&[json!({"jobId": 0, "description": null}), json!({"jobId": 1})]),
            Part::Stages => said(&[json!([stage(4, 9, 0)])]),
            Part::Environment => said(&[json!({"sparkProperties": [["a", "b"]]})]),
            Part::SlowestQueries => said(&[json!({"id": 3, "duration": 5})]),
            _ => json!({"content": [{"type": "text", "text": "Error: (503)"}], "isError": true}).to_string(),
        };
        reading.take(ask, Ok(answer.as_bytes()), 1);
    }
    assert_eq!(step(&reading, Part::Jobs).detail, "2 jobs");
    assert_eq!(step(&reading, Part::Stages).detail, "1 stage");
    assert_eq!(step(&reading, Part::Executors).detail, "Error: (503)");

    let mut asks = reading.questions();
    assert_eq!(asks.len(), 1);
    let detail = json!({"execution": {"id": 3, "duration": 5, "errorMessage": null}, "nodeMetrics": [
        {"nodeId": 1, "nodeName": "CartesianProduct", "metrics": {"number of output rows": "20,000,000"}}]});
    reading.take(asks.remove(0), Ok(said(&[detail]).as_bytes()), 1);
    let (report, _) = reading.finish(&Thresholds::default()).unwrap();
    assert_eq!(report.application.attempt.as_deref(), Some("2"));
    assert_eq!(report.findings[0].title, "Query 3 joins every row with every row");
    assert_eq!(report.findings[0].evidence[0].link, "");
}
