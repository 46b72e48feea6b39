//! What legacy sources remember is kept apart, bounded, and ended.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{
    asking, echo, result,
    scripted::{NOW, Scripted, Sessions, limits, modern_answer, upstreams_with, verdict},
};
use crate::{
    clock::Clock,
    mcp::LogLevel,
    model::Era,
    upstream::{Call, Target, UpstreamError, UpstreamLimits},
};

fn sessions_of(source: &Scripted) -> Vec<String> {
    let calls = source.seen().into_iter().filter(|seen| seen.method() == "tools/call");
    calls.map(|seen| seen.header("mcp-session-id").to_owned()).collect()
}

#[tokio::test]
async fn sessions_are_kept_apart_by_what_can_be_asked_and_by_whose_call_it_is() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let link = source.link();
    let forms = || json!({"elicitation": {}});

    for call in [
        echo("1"),
        asking("2", "ada", forms()),
        asking("3", "bob", forms()),
        asking("4", "ada", json!({"sampling": {}})),
        asking("5", "ada", json!({"elicitation": {"form": {}}})),
        echo("6"),
    ] {
        result(link.call(call).await).await;
    }

    assert_eq!(
        sessions_of(&source),
        ["session-1", "session-2", "session-3", "session-4", "session-2", "session-1"]
    );
    // The era is found out once.
    assert_eq!(source.methods().iter().filter(|method| *method == "server/discover").count(), 1);
}

#[tokio::test]
async fn a_modern_source_is_told_with_each_call_and_keeps_nothing_apart() {
    let source = Scripted::modern().await;
    let link = source.link();

    result(link.call(asking("1", "ada", json!({"elicitation": {}, "roots": {}}))).await).await;
    result(link.call(asking("2", "bob", json!({}))).await).await;

    assert_eq!(source.methods(), ["server/discover", "tools/call", "tools/call"]);
    let declared = |seen: &super::scripted::Seen| {
        seen.body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone()
    };
    let seen = source.seen();
    assert_eq!(declared(&seen[1]), json!({"elicitation": {"form": {}}, "roots": {}}));
    assert_eq!(declared(&seen[2]), json!({}));
}

#[tokio::test]
async fn the_least_recently_used_session_makes_room_and_is_deleted() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let clock = Clock::manual(NOW);
    let link = upstreams_with(UpstreamLimits { sessions_max: 2, ..limits() }, &clock).link(&source.target());
    let call = |who| asking("{}", who, json!({"elicitation": {}}));

    for who in ["ada", "bob", "ada", "eve"] {
        result(link.call(call(who)).await).await;
        clock.advance(Duration::from_secs(1));
    }

    let deleted = source.wait_for(|seen| seen.http_method == Method::DELETE).await;
    assert_eq!(deleted.header("mcp-session-id"), "session-2", "bob's");
    result(link.call(call("ada")).await).await;
    assert_eq!(sessions_of(&source).last().map(String::as_str), Some("session-1"));
}

#[tokio::test]
async fn sessions_that_are_all_in_use_make_no_room() {
    let sessions = Sessions::default();
    let script = sessions.clone();
    let source = Scripted::start(move |seen| {
        let answer = script.answer(&seen);
        async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }
    })
    .await;
    let clock = Clock::manual(NOW);
    let link = upstreams_with(UpstreamLimits { sessions_max: 1, ..limits() }, &clock).link(&source.target());
    let call = |who| asking("{}", who, json!({"elicitation": {}}));
    let busy = {
        let (link, call) = (std::sync::Arc::clone(&link), call("ada"));
        tokio::spawn(async move { link.call(call).await.map(drop) })
    };
    source.wait_for(|seen| seen.method() == "tools/call").await;

    let outcome = link.call(call("bob")).await;

    assert!(matches!(outcome, Err(UpstreamError::Busy { .. })), "{outcome:?}");
    busy.abort();
}

#[tokio::test]
async fn sessions_nobody_uses_are_deleted_and_opened_again_when_needed() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let clock = Clock::manual(NOW);
    let upstreams = upstreams_with(limits(), &clock);
    let link = upstreams.link(&source.target());
    result(link.call(echo("1")).await).await;
    result(link.call(asking("2", "ada", json!({"roots": {}}))).await).await;

    clock.advance(limits().session_idle - Duration::from_secs(1));
    upstreams.end_idle();
    result(link.call(echo("3")).await).await;
    clock.advance(Duration::from_secs(1));
    upstreams.end_idle();

    let deleted = source.wait_for(|seen| seen.http_method == Method::DELETE).await;
    assert_eq!(deleted.header("mcp-session-id"), "session-2");
    clock.advance(limits().session_idle);
    upstreams.end_idle();
    source.wait_for_many(2, |seen| seen.http_method == Method::DELETE).await;
    result(link.call(echo("4")).await).await;
    assert_eq!(sessions.opened(), 3);
}

#[tokio::test]
async fn closing_a_link_ends_every_session() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let upstreams = upstreams_with(limits(), &Clock::manual(NOW));
    let link = upstreams.link(&source.target());
    result(link.call(echo("1")).await).await;
    result(link.call(asking("2", "ada", json!({"roots": {}}))).await).await;

    upstreams.shutdown().await;

    assert_eq!(sessions.open(), 0);
}

#[tokio::test]
async fn the_lowest_log_level_asked_for_is_told_once_and_again_to_a_new_session() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let link = source.link();
    let call = |level| Call { log_level: level, ..echo("{}") };
    let levels = || -> Vec<String> {
        let told = source.seen().into_iter().filter(|seen| seen.method() == "logging/setLevel");
        told.map(|seen| seen.body["params"]["level"].as_str().unwrap().to_owned()).collect()
    };

    for level in [None, Some(LogLevel::Warning), Some(LogLevel::Error), Some(LogLevel::Info), None] {
        result(link.call(call(level)).await).await;
    }
    assert_eq!(levels(), ["warning", "info"]);

    sessions.forget_all();
    result(link.call(call(None)).await).await;
    assert_eq!(levels(), ["warning", "info", "info"]);
}

#[tokio::test]
async fn a_session_kept_apart_is_opened_again_when_the_source_has_forgotten_it() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let link = source.link();
    let call = |n: u32| asking(&n.to_string(), "ada", json!({"elicitation": {}}));
    result(link.call(call(1)).await).await;
    sessions.forget_all();

    let answers = futures::future::join_all((0..20).map(|n| link.call(call(n)))).await;

    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(result(answer).await["echo"], n);
    }
    assert_eq!(sessions.opened(), 2);
}

#[tokio::test]
async fn a_source_that_leaves_the_modern_era_gets_sessions_apart_from_then_on() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let target = Target { verdict: Some(verdict("modern", "2026-07-28", NOW)), ..source.target() };
    let link = upstreams_with(limits(), &Clock::manual(NOW)).link(&target);

    result(link.call(asking("1", "ada", json!({"elicitation": {}}))).await).await;
    result(link.call(asking("2", "bob", json!({"elicitation": {}}))).await).await;
    result(link.call(echo("3")).await).await;

    let used: Vec<String> = sessions_of(&source).into_iter().filter(|id| !id.is_empty()).collect();
    assert_eq!(used, ["session-1", "session-2", "session-3"]);
}

#[tokio::test]
async fn a_source_that_enters_the_modern_era_on_a_restart_is_noticed() {
    let sessions = Sessions::default();
    let script = sessions.clone();
    let is_modern = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&is_modern);
    let source = Scripted::start(move |seen| {
        let modern = flag.load(std::sync::atomic::Ordering::SeqCst);
        let answer = if modern { Some(modern_answer(&seen)) } else { script.answer(&seen) };
        async move {
            let echo = json!({"echo": seen.body["params"]["arguments"]});
            match answer {
                // A modern server does not know what sessions are.
                Some(_)
                    if modern && seen.method() == "tools/call" && seen.header("mcp-method").is_empty() =>
                {
                    seen.error(400, -32600, "Bad Request: no session")
                }
                Some(answer) => answer,
                None => seen.result(echo),
            }
        }
    })
    .await;
    let link = source.link();
    result(link.call(asking("1", "ada", json!({"elicitation": {}}))).await).await;
    is_modern.store(true, std::sync::atomic::Ordering::SeqCst);

    let answer = result(link.call(asking("2", "ada", json!({"elicitation": {}}))).await).await;

    assert_eq!(answer["echo"], 2);
    assert_eq!(link.verdict().unwrap().era, Era::Modern);
}
