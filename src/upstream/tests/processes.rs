//! Scripted processes.

use std::{path::Path, sync::Arc, time::Duration};

use futures::future::join_all;
use serde_json::json;

use super::{
    echo, pieces, result,
    scripted::{NOW, limits, target, upstreams_with},
};
use crate::{
    clock::Clock,
    fault::Fault,
    model::{Era, Reach},
    secret::Secret,
    upstream::{
        Answer, Call, Link, LinkState, StepOutcome, Target, UpstreamError, UpstreamLimits, Upstreams,
    },
};

const SCRIPT: &str = include_str!("source.py");

pub(super) fn process(kind: &str) -> Target {
    let command = ["python3", "-I", "-S", "-c", SCRIPT, kind];
    let mut target = target("http://unused.invalid/".parse().unwrap());
    target.reach = Reach::McpStdio { command: command.map(str::to_owned).to_vec(), working_dir: None };
    target
}

pub(super) struct Bench {
    pub(super) upstreams: Upstreams,
    clock: Clock,
    folder: tempfile::TempDir,
}

impl Bench {
    /// Returns a link to a process of this kind.
    pub(super) fn link(&self, kind: &str) -> Arc<Link> {
        self.upstreams.link(&process(kind))
    }
}

pub(super) fn bench() -> Bench {
    bench_with(|_| {})
}

pub(super) fn bench_with(change: impl Fn(&mut UpstreamLimits)) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut limits = UpstreamLimits {
        working_dirs: folder.path().join("run"),
        process_grace: Duration::from_millis(500),
        silence_timeout: Duration::from_millis(300),
        ..limits()
    };
    change(&mut limits);
    let clock = Clock::manual(NOW);
    Bench { upstreams: upstreams_with(limits, &clock), clock, folder }
}

/// Counts the starts of a process.
pub(super) fn counted(mut target: Target, bench: &Bench) -> (Target, impl Fn() -> usize) {
    let file = bench.folder.path().join("starts");
    target.credential.env.insert("STARTS".to_owned(), Secret::new(file.to_str().unwrap()));
    (target, move || std::fs::read_to_string(&file).unwrap_or_default().lines().count())
}

/// Says whether a process lives; one that nobody has buried yet does not.
fn lives(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

#[tokio::test]
async fn a_legacy_process_is_probed_in_a_throw_away_process_and_then_shared_by_every_call() {
    let bench = bench();
    let (target, starts) = counted(process("legacy"), &bench);
    let link = bench.upstreams.link(&target);

    for number in 0..5 {
        assert_eq!(result(link.call(echo(&number.to_string())).await).await["echo"], number);
    }

    assert_eq!(starts(), 2);
    let verdict = link.verdict().unwrap();
    assert_eq!((verdict.era, verdict.server.as_str()), (Era::Legacy, "legacy 1"));
}

#[tokio::test]
async fn a_modern_process_is_used_as_it_was_probed() {
    let bench = bench();
    let (target, starts) = counted(process("modern"), &bench);
    let link = bench.upstreams.link(&target);

    assert_eq!(result(link.call(echo("7")).await).await["echo"], 7);

    assert_eq!(starts(), 1);
    assert_eq!(link.verdict().unwrap().era, Era::Modern);
}

#[tokio::test]
async fn a_server_that_dies_of_the_probe_or_is_deaf_to_it_is_legacy() {
    for kind in ["fragile", "deaf", "nameless"] {
        let bench = bench();
        let link = bench.link(kind);

        assert_eq!(result(link.call(echo("7")).await).await["echo"], 7, "{kind}");
        assert_eq!(link.verdict().unwrap().era, Era::Legacy, "{kind}");
    }
}

#[tokio::test]
async fn a_process_has_the_configured_environment_and_an_empty_folder_of_its_own() {
    let bench = bench();
    let mut target = process("legacy");
    target.credential.env.insert("TOKEN".to_owned(), Secret::new("t0ken-value"));
    let link = bench.upstreams.link(&target);

    let seen = result(link.call(echo(r#"{"do":"look"}"#)).await).await;

    // What the C library or Python add by themselves is not handed down.
    let mut env = seen["env"].as_object().unwrap().clone();
    env.remove("LC_CTYPE");
    assert_eq!(serde_json::Value::Object(env), json!({"TOKEN": "t0ken-value"}));
    assert_eq!(seen["files"], json!([]));
    let folder = Path::new(seen["cwd"].as_str().unwrap()).to_owned();
    assert!(folder.starts_with(bench.folder.path().canonicalize().unwrap()));

    bench.upstreams.shutdown().await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn five_hundred_calls_at_once_get_their_own_answers_in_whatever_order_they_come() {
    let bench = bench();
    let link = bench.link("modern");
    result(link.call(echo("{}")).await).await;

    // The last to arrive is answered first.
    let hold = |number: usize| format!(r#"{{"do":"hold","n":{number},"until":500}}"#);
    let answers = join_all((0..500).map(|number| link.call(echo(&hold(number))))).await;

    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(result(answer).await["echo"], number);
    }
}

#[tokio::test]
async fn a_death_in_the_middle_is_told_to_everybody_with_its_last_words() {
    let bench = bench();
    let target = process("legacy");
    let link = bench.upstreams.link(&target);
    result(link.call(echo("{}")).await).await;

    let waiting = join_all((0..3).map(|number| link.call(echo(&format!(r#"{{"do":"hold","n":{number}}}"#)))));
    let (held, died) = tokio::join!(waiting, link.call(echo(r#"{"do":"die"}"#)));

    for error in held.into_iter().map(Result::unwrap_err).chain([died.unwrap_err()]) {
        assert_eq!(error.fault(), Fault::Upstream);
        let UpstreamError::Died { detail } = error else { panic!("a death") };
        assert!(detail.contains("exit status: 4") && detail.contains("out of cheese"), "{detail}");
    }
    assert_eq!(result(link.call(echo("8")).await).await["echo"], 8);
    assert_eq!(bench.upstreams.status(target.source).unwrap().restarts, 1);
}

#[tokio::test]
async fn a_program_that_fails_is_started_again_only_after_a_while() {
    let bench = bench();
    let (mut target, starts) = counted(process("fails"), &bench);
    target.credential.env.insert("TOKEN".to_owned(), Secret::new("s3cr3t-token"));
    let link = bench.upstreams.link(&target);

    let first = link.call(echo("{}")).await.unwrap_err().to_string();
    assert!(first.contains("exit status: 7") && first.contains("no configuration found"), "{first}");
    assert!(!first.contains("s3cr3t-token"), "{first}");
    let started = starts();
    let second = link.call(echo("{}")).await.unwrap_err().to_string();
    assert!(second.contains("next try"), "{second}");
    assert_eq!(starts(), started);
    let status = bench.upstreams.status(target.source).unwrap();
    assert_eq!(status.state, LinkState::Paused);
    assert!(status.stderr.iter().any(|line| line.contains("***")), "{:?}", status.stderr);

    bench.clock.advance(Duration::from_secs(1));
    assert!(!link.call(echo("{}")).await.unwrap_err().to_string().contains("next try"));
    assert!(starts() > started);

    bench.clock.advance(Duration::from_secs(1));
    assert!(link.call(echo("{}")).await.unwrap_err().to_string().contains("next try"));
}

#[tokio::test]
async fn progress_reaches_the_caller_who_asked_for_it() {
    let bench = bench();
    let link = bench.link("legacy");

    let told = pieces(link.call(Call { progress: true, ..echo(r#"{"do":"progress"}"#) }).await).await;

    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains(r#""progress": 1"#) && told[1].contains(r#""progress": 2"#));
    assert_eq!(told[2], "reply");
}

#[tokio::test]
async fn a_ping_is_answered_and_other_requests_are_refused() {
    let bench = bench();
    let link = bench.link("legacy");
    result(link.call(echo(r#"{"do":"ask"}"#)).await).await;

    // The process reads in order: by the time it is asked, it has read both answers.
    let pongs = result(link.call(echo(r#"{"do":"look"}"#)).await).await["pongs"].clone();

    assert_eq!(pongs[0], json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    assert_eq!(pongs[1]["error"]["code"], -32601);
}

#[tokio::test]
async fn leaving_a_call_tells_the_process_its_own_request_id() {
    let bench = bench();
    let link = bench.link("modern");
    result(link.call(echo("{}")).await).await;

    let short = Call { timeout: Duration::from_millis(200), ..echo(r#"{"do":"hold","n":1}"#) };
    let late = link.call(short).await;

    assert!(matches!(late, Err(UpstreamError::Timeout { .. })));
    let seen = result(link.call(echo(r#"{"do":"look"}"#)).await).await;
    // 1 was `server/discover`, 2 the first call.
    assert_eq!(seen["cancelled"], json!([3]));
    // Its answer, should it still come, reaches nobody else.
    result(link.call(echo(r#"{"do":"release"}"#)).await).await;
    assert_eq!(result(link.call(echo("9")).await).await["echo"], 9);
}

#[tokio::test]
async fn a_line_without_end_is_cut_off() {
    let bench = bench();
    let link = bench.link("legacy");

    let error = link.call(echo(r#"{"do":"huge"}"#)).await.unwrap_err();

    assert!(matches!(error, UpstreamError::TooLarge { limit_bytes: 1_048_576 }), "{error:?}");
}

#[tokio::test]
async fn a_process_nobody_uses_is_ended_and_started_again_when_needed() {
    let bench = bench();
    let target = process("modern");
    let link = bench.upstreams.link(&target);
    let first = result(link.call(echo(r#"{"do":"look"}"#)).await).await["pid"].as_u64().unwrap();

    bench.clock.advance(Duration::from_secs(14 * 60));
    bench.upstreams.end_idle();
    assert_eq!(bench.upstreams.status(target.source).unwrap().state, LinkState::Up);
    bench.clock.advance(Duration::from_secs(60));
    bench.upstreams.end_idle();
    let status = bench.upstreams.status(target.source).unwrap();
    assert_eq!((status.state, status.pid), (LinkState::Idle, None));

    let second = result(link.call(echo(r#"{"do":"look"}"#)).await).await["pid"].as_u64().unwrap();
    assert_ne!(first, second);
    assert_eq!(bench.upstreams.status(target.source).unwrap().restarts, 0);
}

#[tokio::test]
async fn no_more_processes_run_than_may() {
    let bench = bench_with(|limits| limits.processes_max = 1);
    let (one, two) = (process("modern"), process("modern"));
    result(bench.upstreams.link(&one).call(echo("{}")).await).await;

    let error = bench.upstreams.link(&two).call(echo("{}")).await.unwrap_err();

    assert!(matches!(error, UpstreamError::Busy { .. }), "{error:?}");
}

#[tokio::test]
async fn shutting_down_ends_processes_and_what_they_started_also_stubborn_ones() {
    let bench = bench_with(|limits| limits.process_grace = Duration::from_millis(100));
    let target = process("stubborn");
    let link = bench.upstreams.link(&target);
    let child = result(link.call(echo(r#"{"do":"spawn"}"#)).await).await["pid"].as_u64().unwrap();
    let pid = u64::from(bench.upstreams.status(target.source).unwrap().pid.unwrap());
    assert!(lives(pid) && lives(child));

    bench.upstreams.shutdown().await;

    assert!(!lives(pid));
    // It was killed too, but nobody can wait for what is not their child: the system ends it in its own time.
    let ended = async {
        while lives(child) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("what a process started ends with it");
    let error = link.call(echo("{}")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn closing_a_source_fails_its_calls_clearly() {
    let bench = bench();
    let target = process("modern");
    let link = bench.upstreams.link(&target);
    result(link.call(echo("{}")).await).await;
    let held = Arc::clone(&link);
    let calling = tokio::spawn(async move { held.call(echo(r#"{"do":"hold","n":1}"#)).await.map(drop) });
    // In order on one pipe: when this is answered, the call above has been read or is on its way.
    result(link.call(echo("{}")).await).await;

    bench.upstreams.close(target.source);

    let error = calling.await.unwrap().unwrap_err();
    assert!(matches!(error, UpstreamError::Died { .. } | UpstreamError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_test_of_a_process_reports_each_step_and_leaves_nothing_running() {
    let bench = bench();
    let report = bench.upstreams.probe(&process("legacy"), None).await;
    let steps: Vec<(&str, StepOutcome)> =
        report.steps.iter().map(|step| (step.name.as_str(), step.outcome)).collect();
    assert_eq!(steps, [("Program", StepOutcome::Ok), ("Era", StepOutcome::Ok), ("Tools", StepOutcome::Ok)]);
    assert_eq!(report.tools.len(), 1);
    assert!(report.passed());
    assert_eq!(std::fs::read_dir(bench.folder.path().join("run")).unwrap().count(), 0);

    let report = bench.upstreams.probe(&process("fails"), None).await;
    assert!(report.failure().unwrap().contains("no configuration found"));
    assert!(!report.passed());

    let mut missing = process("x");
    missing.reach = Reach::McpStdio { command: vec!["no-such-program-here".to_owned()], working_dir: None };
    let report = bench.upstreams.probe(&missing, None).await;
    assert_eq!(report.steps[0].outcome, StepOutcome::Failed);
    assert!(report.failure().unwrap().contains("no-such-program-here"));
}

#[tokio::test]
async fn a_whole_answer_of_a_process_is_no_stream() {
    let bench = bench();
    let link = bench.link("legacy");

    let answer = link.call(Call { progress: true, ..echo("1") }).await;

    assert!(matches!(answer, Ok(Answer::Complete(_))));
}
