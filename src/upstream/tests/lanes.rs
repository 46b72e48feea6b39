//! Processes that ask, that are watched, and that are kept apart.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};

use super::{
    answer, asking, echo, last, pieces,
    processes::{bench, bench_with, counted, process},
    question, result, stream,
};
use crate::{
    mcp::LogLevel,
    upstream::{Answer, Call, Event, Link, Notice, UpstreamError, WatchFilter},
};

fn forms() -> Value {
    json!({"elicitation": {}})
}

async fn look(link: &Link, who: &str) -> Value {
    result(link.call(asking(r#"{"do":"look"}"#, who, forms())).await).await
}

#[tokio::test]
async fn a_process_asks_the_caller_who_can_be_asked() {
    let bench = bench();
    let link = bench.link("legacy");

    let mut stream = stream(link.call(asking(r#"{"do":"question","n":7}"#, "ada", forms())).await);
    let (id, method, params) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"action": "accept"}))).await.unwrap();

    assert_eq!((method.as_str(), &params["message"]), ("elicitation/create", &json!("7")));
    assert_eq!(last(&mut stream).await["told"], json!({"action": "accept"}));
    assert_eq!(look(&link, "ada").await["declared"], json!({"elicitation": {"form": {}}}));
    let plain = result(link.call(echo(r#"{"do":"question","n":7}"#)).await).await;
    assert_eq!(plain["refused"]["code"], -32601, "nobody is asked who did not say so");
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn leaving_a_call_answers_what_the_process_asked() {
    let bench = bench();
    let link = bench.link("legacy");
    let mut stream = stream(link.call(asking(r#"{"do":"question","n":7}"#, "ada", forms())).await);
    question(&mut stream).await;

    drop(stream);

    let seen = look(&link, "ada").await;
    assert_eq!(seen["pongs"][0]["error"]["code"], -32603);
    assert_eq!(seen["cancelled"].as_array().unwrap().len(), 1);
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn legacy_processes_are_kept_apart_and_modern_ones_are_shared() {
    let bench = bench();
    for (kind, processes) in [("legacy", 3), ("modern", 1)] {
        let link = bench.link(kind);
        let plain = result(link.call(echo(r#"{"do":"look"}"#)).await).await["pid"].clone();
        let mut pids = vec![plain];
        for who in ["ada", "bob", "ada"] {
            pids.push(look(&link, who).await["pid"].clone());
        }

        assert_eq!(pids[1], pids[3], "{kind}");
        pids.sort_by_key(Value::as_u64);
        pids.dedup();
        assert_eq!(pids.len(), processes, "{kind}: {pids:?}");
    }
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn processes_kept_apart_are_bounded_and_the_least_recently_used_ends() {
    let bench = bench_with(|limits| limits.processes_per_source_max = 2);
    let (target, starts) = counted(process("legacy"), &bench);
    let link = bench.upstreams.link(&target);
    let held = {
        let link = Arc::clone(&link);
        let mut stream = stream(link.call(asking(r#"{"do":"question","n":1}"#, "ada", forms())).await);
        question(&mut stream).await;
        stream
    };
    look(&link, "bob").await;

    look(&link, "eve").await;

    let before = starts();
    let second = stream(link.call(asking(r#"{"do":"question","n":1}"#, "eve", forms())).await);
    let outcome = link.call(asking("{}", "joe", forms())).await;
    assert!(matches!(outcome, Err(UpstreamError::Busy { .. })), "{outcome:?}");
    assert_eq!(starts(), before, "eve and ada still have theirs");
    drop((held, second));
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn questions_of_many_calls_at_once_leave_no_call_waiting() {
    let bench = bench();
    let link = bench.link("legacy");

    let calls = (0..20).map(|number| {
        let link = &link;
        async move {
            let call = asking(&format!(r#"{{"do":"question","n":{number}}}"#), "ada", forms());
            let Answer::Stream(mut stream) = link.call(call).await.unwrap() else { return };
            // A process's question names no call: it may reach another of the same caller, and is
            // refused when that one ends first.
            loop {
                match stream.next().await.unwrap().unwrap() {
                    Event::Question { id, .. } => {
                        stream.reply(&id, answer(json!({"action": "accept"}))).await.unwrap();
                    }
                    Event::Reply(_) => return,
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    join_all(calls).await;
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn a_watched_process_tells_of_changes_until_nobody_watches() {
    for kind in ["legacy", "modern"] {
        let bench = bench();
        let link = bench.link(kind);
        let filter = WatchFilter { tools: true, uris: ["a:/x".to_owned()].into(), ..WatchFilter::default() };
        let mut watch = link.watch(filter.clone());
        until(&link, |seen| seen["watched"] == json!(["a:/x"])).await;
        watch.change(WatchFilter { uris: ["a:/x".to_owned(), "a:/y".to_owned()].into(), ..filter });
        until(&link, |seen| seen["watched"] == json!(["a:/x", "a:/y"])).await;

        result(link.call(echo(r#"{"do":"change"}"#)).await).await;

        assert_eq!(watch.next().await, Some(Notice::ToolsChanged), "{kind}");
        for expected in ["a:/x", "a:/y"] {
            let Some(Notice::ResourceUpdated { uri, .. }) = watch.next().await else { panic!("an update") };
            assert_eq!(uri, expected);
        }
        drop(watch);
        match kind {
            "legacy" => until(&link, |seen| seen["watched"] == json!([])).await,
            _ => {
                until(&link, |seen| {
                    seen["cancelled"].as_array().is_some_and(|ids| ids.contains(&seen["listening"]))
                })
                .await
            }
        }
        bench.upstreams.shutdown().await;
    }
}

/// Asks the process about itself until what it says satisfies the condition.
async fn until(link: &Link, condition: impl Fn(&Value) -> bool) {
    loop {
        let seen = result(link.call(echo(r#"{"do":"look"}"#)).await).await;
        if condition(&seen) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_watched_process_that_dies_is_started_again_and_what_it_watches_is_told() {
    let bench = bench_with(|limits| limits.restart_pause = std::time::Duration::ZERO);
    let link = bench.link("legacy");
    let filter = WatchFilter { uris: ["a:/x".to_owned()].into(), ..WatchFilter::default() };
    let mut watch = link.watch(filter);
    until(&link, |seen| seen["watched"] == json!(["a:/x"])).await;

    link.call(echo(r#"{"do":"die"}"#)).await.unwrap_err();

    let Some(Notice::ResourceUpdated { uri, .. }) = watch.next().await else { panic!("an update") };
    assert_eq!(uri, "a:/x");
    until(&link, |seen| seen["watched"] == json!(["a:/x"])).await;
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn a_process_is_told_the_lowest_log_level_and_a_new_one_again() {
    let bench = bench_with(|limits| limits.restart_pause = std::time::Duration::ZERO);
    let link = bench.link("legacy");
    let call = |level| Call { log_level: level, ..echo(r#"{"do":"look"}"#) };

    for level in [None, Some(LogLevel::Warning), Some(LogLevel::Error)] {
        link.call(call(level)).await.unwrap().finish().await.unwrap();
    }
    let told = result(link.call(call(Some(LogLevel::Debug))).await).await;
    assert_eq!(told["levels"], json!(["warning", "debug"]));
    link.call(echo(r#"{"do":"die"}"#)).await.unwrap_err();
    let told = result(link.call(call(None)).await).await;
    assert_eq!(told["levels"], json!(["debug"]));
    bench.upstreams.shutdown().await;
}

#[tokio::test]
async fn a_process_that_says_what_no_process_should_confuses_nobody() {
    let bench = bench();
    let link = bench.link("legacy");
    let call = |what| echo(what);

    assert_eq!(result(link.call(call(r#"{"do":"twice"}"#)).await).await["n"], 1);
    assert_eq!(result(link.call(call(r#"{"do":"bytes"}"#)).await).await["text"], "größer");
    assert_eq!(result(link.call(call(r#"{"do":"no text"}"#)).await).await["n"], 1);
    assert_eq!(result(link.call(call("5")).await).await["echo"], 5);
    assert_eq!(pieces(link.call(call("6")).await).await, ["whole"]);
    bench.upstreams.shutdown().await;
}
