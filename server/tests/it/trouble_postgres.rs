//! PostgreSQL restarted and killed under load, and fed what it does not take: a cluster of our own,
//! since the one of the other tests must not go away.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::{
    call::Call,
    cluster::Cluster,
    running::{Door, Place, until},
    scripted::Scripted,
    written::CALLS,
};

/// How many calls the plan of the one who calls has.
const CALLS_MAX: i64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn calls_recover_when_postgres_is_restarted_or_killed_and_no_quota_is_exceeded() {
    let Some(cluster) = Cluster::start().await else { return };
    let source = Scripted::start().await;
    let place = place(&cluster, &source).await;
    let key = place.key("bob.key");
    let server = place.serve().await;
    let tally = Arc::new(Tally::default());

    let load: Vec<_> = (0..4)
        .map(|_| tokio::spawn(call_until_used_up(server.door(), key.clone(), Arc::clone(&tally))))
        .collect();
    for (calls, how) in [(CALLS_MAX / 6, "fast"), (CALLS_MAX / 2, "immediate")] {
        until("calls go on", async || tally.ok.load(Ordering::Relaxed) >= calls).await;
        cluster.control(&["--mode", how, "restart"]).await;
    }
    for task in load {
        task.await.unwrap();
    }

    let (ok, written) = (tally.ok.load(Ordering::Relaxed), tally.written.load(Ordering::Relaxed));
    let reached = i64::try_from(source.calls().len()).unwrap();
    assert!(reached <= CALLS_MAX, "{reached} calls reached the source");
    // A charge whose answer was lost with the connection is kept: better than one call too many.
    assert!(ok <= reached && ok > CALLS_MAX * 3 / 4, "{ok} of {CALLS_MAX} calls were answered");
    until("every call is written down once", async || cluster.count(CALLS).await == written).await;
    server.stop().await;
    assert_eq!(cluster.count(CALLS).await, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_that_a_caller_invents_stops_the_audit_log() {
    let Some(cluster) = Cluster::start().await else { return };
    let source = Scripted::start().await;
    let place = place(&cluster, &source).await;
    let key = place.key("bob.key");
    let server = place.serve().await;
    // Longer than an index of PostgreSQL takes, and not to be compressed below that.
    let long: String = (0..400).map(|_| Uuid::new_v4().simple().to_string()).collect();

    let begin = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
        "capabilities":{},"clientInfo":{"name":format!("a\0{long}"),"version":"\u{0}"}}});
    let begun = server.send(Call::raw(begin.to_string()).key(&key).request()).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    for name in [long.as_str(), "a\0b", "\u{202e}", ""] {
        let call = json!({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":name}});
        let call = Call::raw(call.to_string()).key(&key).header("mcp-session-id", &session);
        let answer = server.send(call.request()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, Some(-32602)), "{}", answer.body);
    }
    let good = server.send(Call::tool("echo", json!({})).key(&key).request()).await;

    assert!(!good.tool_text().1, "{}", good.body);
    until("all five calls are written down", async || cluster.count(CALLS).await == 5).await;
    server.stop().await;
}

#[derive(Default)]
struct Tally {
    /// Calls that the tool answered.
    ok: AtomicI64,
    /// Calls that were answered as calls, well or not, and so must be written down.
    written: AtomicI64,
}

async fn call_until_used_up(door: Door, key: String, tally: Arc<Tally>) {
    loop {
        let call = Call::tool("echo", json!({})).key(&key).request();
        let answer = door.send(call).await.expect("the gateway itself stays");
        if answer.status != StatusCode::OK {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
            continue;
        }
        tally.written.fetch_add(1, Ordering::Relaxed);
        let (text, is_error) = answer.tool_text();
        if !is_error {
            tally.ok.fetch_add(1, Ordering::Relaxed);
        } else if text.contains("used up") {
            return;
        } else {
            assert!(text.contains("quota cannot be read"), "{text}");
        }
    }
}

/// Makes an installation on it in which bob, who has few calls, may call ada's tools.
async fn place(cluster: &Cluster, source: &Scripted) -> Place {
    let place = Place::new()
        .with("DOORWARD_DATABASE_URL", &cluster.url("doorward_app", "doorward"))
        .with("DOORWARD_DATABASE_OWNER_URL", &cluster.url("doorward_owner", "doorward"));
    let document = format!(
        "  - {{handle: bob, email: bob@example.org, password_file: password, plan: few}}
plans: [{{name: few, calls_per_month: {CALLS_MAX}}}]
sources: [{{owner: ada, name: scripted, kind: mcp_http, url: '{url}'}}]
presets: [{{owner: ada, slug: tools, visibility: public, tools: [{{source: scripted, allow: all}}]}}]
keys: [{{owner: bob, name: bob, secret_file: bob.key}}]
",
        url = source.url()
    );
    place.prepare(&document).await;
    place
}
