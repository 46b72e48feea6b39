//! Hearing of changes outside any call.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    echo, result,
    scripted::{NOW, Pen, Pens, Scripted, Seen, Sessions, limits, modern_answer, upstreams_with},
};
use crate::{
    clock::Clock,
    upstream::{Notice, Target, UpstreamLimits, Watch, WatchFilter},
};

fn tools() -> WatchFilter {
    WatchFilter { tools: true, ..WatchFilter::default() }
}

fn uris(uris: &[&str]) -> WatchFilter {
    WatchFilter { uris: uris.iter().map(|uri| (*uri).to_owned()).collect(), ..WatchFilter::default() }
}

fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": format!("notifications/{method}"), "params": params})
}

async fn updated(watch: &mut Watch) -> String {
    match watch.next().await {
        Some(Notice::ResourceUpdated { uri, .. }) => uri,
        other => panic!("no update: {other:?}"),
    }
}

/// A modern source whose streams of changes a test writes.
async fn modern(pens: &Arc<Pens>) -> Scripted {
    let pens = Arc::clone(pens);
    Scripted::start(move |seen| {
        let pens = Arc::clone(&pens);
        async move {
            match seen.method() {
                "subscriptions/listen" => pens.open(),
                _ => modern_answer(&seen),
            }
        }
    })
    .await
}

fn acknowledge(pen: &Pen, request: &Seen) {
    let id = request.body["id"].clone();
    pen.say(&notification(
        "subscriptions/acknowledged",
        json!({"notifications": {}, "_meta": {"io.modelcontextprotocol/subscriptionId": id}}),
    ));
}

fn is_listen(seen: &Seen) -> bool {
    seen.method() == "subscriptions/listen"
}

#[tokio::test]
async fn all_who_watch_a_modern_source_share_one_stream_that_asks_for_what_they_want() {
    let pens = Pens::new();
    let source = modern(&pens).await;
    let link = source.link();
    let mut first = link.watch(tools());
    let pen = pens.next().await;
    let request = source.wait_for(is_listen).await;
    acknowledge(&pen, &request);
    pen.say(&notification("tools/list_changed", json!({})));
    assert_eq!(first.next().await, Some(Notice::ToolsChanged));

    let mut second = link.watch(uris(&["a:/x"]));
    let wider = pens.next().await;
    let again = source.wait_for_many(2, is_listen).await;
    // The first stream is heard until the second one stands.
    pen.say(&notification("tools/list_changed", json!({})));
    assert_eq!(first.next().await, Some(Notice::ToolsChanged));
    acknowledge(&wider, &again);
    pen.left().await;
    wider.say(&notification("resources/updated", json!({"uri": "a:/x", "_meta": {"n": 1}})));

    assert_eq!(request.header("mcp-method"), "subscriptions/listen");
    assert_eq!(request.body["params"]["notifications"], json!({"toolsListChanged": true}));
    assert_eq!(
        again.body["params"]["notifications"],
        json!({"toolsListChanged": true, "resourceSubscriptions": ["a:/x"]})
    );
    let Some(Notice::ResourceUpdated { params, .. }) = second.next().await else { panic!("an update") };
    assert_eq!(serde_json::from_slice::<Value>(&params).unwrap(), json!({"uri": "a:/x", "_meta": {"n": 1}}));
    drop((first, second));
    wider.left().await;
}

#[tokio::test]
async fn a_lost_stream_comes_back_and_what_may_have_been_missed_is_told() {
    let pens = Pens::new();
    let source = modern(&pens).await;
    let link = source.link();
    let mut watch = link.watch(WatchFilter { prompts: true, ..uris(&["a:/x"]) });
    let pen = pens.next().await;
    acknowledge(&pen, &source.wait_for(is_listen).await);

    drop(pen);
    let pen = pens.next().await;
    acknowledge(&pen, &source.wait_for_many(2, is_listen).await);

    assert_eq!(watch.next().await, Some(Notice::PromptsChanged));
    assert_eq!(updated(&mut watch).await, "a:/x");
}

#[tokio::test]
async fn a_source_that_cannot_be_listened_to_is_not_pressed() {
    let source = Scripted::modern().await;
    let link = source.link();
    let watch = link.watch(tools());
    source.wait_for(is_listen).await;

    for number in 0..5 {
        result(link.call(echo(&number.to_string())).await).await;
    }

    assert_eq!(source.seen().iter().filter(|seen| is_listen(seen)).count(), 1);
    drop(watch);
}

#[tokio::test]
async fn a_watch_ends_when_its_link_is_replaced_or_closed() {
    let pens = Pens::new();
    let source = modern(&pens).await;
    let upstreams = upstreams_with(limits(), &Clock::manual(NOW));
    let mut watch = upstreams.link(&source.target()).watch(tools());
    let pen = pens.next().await;
    let target = Target { version: 2, ..source.target() };

    upstreams.shutdown().await;

    assert_eq!(watch.next().await, None);
    pen.left().await;
    let link = upstreams.link(&target);
    let mut watch = link.watch(tools());
    pens.next().await;
    upstreams.link(&Target { version: 3, ..target });
    assert_eq!(watch.next().await, None);
    assert_eq!(link.watch(tools()).next().await, None, "nor can it be watched any more");
}

/// A legacy source whose own stream a test writes.
async fn legacy(sessions: &Sessions, pens: &Arc<Pens>) -> Scripted {
    let (sessions, pens) = (sessions.clone(), Arc::clone(pens));
    Scripted::start(move |seen| {
        let answer = sessions.answer(&seen);
        let pens = Arc::clone(&pens);
        async move {
            match answer {
                Some(answer) => answer,
                None if is_get(&seen) => pens.open(),
                None => seen.result(json!({})),
            }
        }
    })
    .await
}

fn is_get(seen: &Seen) -> bool {
    seen.http_method == Method::GET
}

fn asks(method: &'static str, uri: &'static str) -> impl Fn(&Seen) -> bool {
    move |seen| seen.method() == method && seen.body["params"]["uri"] == uri
}

#[tokio::test]
async fn the_first_who_watches_a_resource_of_a_legacy_source_subscribes_and_the_last_unsubscribes() {
    let (sessions, pens) = (Sessions::default(), Pens::new());
    let source = legacy(&sessions, &pens).await;
    let link = source.link();
    let mut first = link.watch(uris(&["a:/x"]));
    let pen = pens.next().await;
    source.wait_for(asks("resources/subscribe", "a:/x")).await;
    let mut second = link.watch(uris(&["a:/x", "a:/y"]));
    source.wait_for(asks("resources/subscribe", "a:/y")).await;
    pen.say(&notification("resources/updated", json!({"uri": "a:/x"})));
    pen.say(&notification("resources/updated", json!({"uri": "a:/y"})));

    assert_eq!(updated(&mut first).await, "a:/x");
    assert_eq!(updated(&mut second).await, "a:/x");
    assert_eq!(updated(&mut second).await, "a:/y");
    second.change(uris(&["a:/x"]));
    source.wait_for(asks("resources/unsubscribe", "a:/y")).await;
    drop(first);
    second.change(uris(&["a:/x", "a:/z"]));
    source.wait_for(asks("resources/subscribe", "a:/z")).await;
    assert!(!source.seen().iter().any(asks("resources/unsubscribe", "a:/x")), "one is left");
    drop(second);
    source.wait_for(asks("resources/unsubscribe", "a:/x")).await;
    source.wait_for(asks("resources/unsubscribe", "a:/z")).await;
    pen.left().await;
    assert_eq!(source.seen().iter().filter(|seen| is_get(seen)).count(), 1);
    assert_eq!(source.seen().iter().filter(|seen| asks("resources/subscribe", "a:/x")(seen)).count(), 1);
}

#[tokio::test]
async fn who_joins_is_told_that_it_is_heard_when_the_source_was_asked_for_it() {
    let (sessions, pens) = (Sessions::default(), Pens::new());
    let source = legacy(&sessions, &pens).await;
    let link = source.link();
    let first = link.watch(tools());
    let _pen = pens.next().await;
    first.opened().await;

    let second = link.watch(uris(&["a:/x"]));
    second.opened().await;
    assert!(source.seen().iter().any(asks("resources/subscribe", "a:/x")));

    first.change(uris(&["a:/y"]));
    first.opened().await;
    assert!(source.seen().iter().any(asks("resources/subscribe", "a:/y")));
}

#[tokio::test]
async fn who_comes_back_soon_finds_the_stream_that_is_there() {
    let (sessions, pens) = (Sessions::default(), Pens::new());
    let source = legacy(&sessions, &pens).await;
    let limits = UpstreamLimits { watch_linger: Duration::from_secs(3600), ..limits() };
    let link = upstreams_with(limits, &Clock::manual(NOW)).link(&source.target());
    let watch = link.watch(uris(&["a:/x"]));
    let pen = pens.next().await;
    watch.opened().await;

    drop(watch);
    source.wait_for(asks("resources/unsubscribe", "a:/x")).await;
    let mut watch = link.watch(uris(&["a:/y"]));
    watch.opened().await;
    pen.say(&notification("resources/updated", json!({"uri": "a:/y"})));

    assert_eq!(updated(&mut watch).await, "a:/y");
    assert_eq!(source.seen().iter().filter(|seen| is_get(seen)).count(), 1);
}

#[tokio::test]
async fn a_legacy_stream_goes_on_where_it_broke_off() {
    let (sessions, pens) = (Sessions::default(), Pens::new());
    let source = legacy(&sessions, &pens).await;
    let link = source.link();
    let mut watch = link.watch(tools());
    let pen = pens.next().await;
    pen.write("id: e-7\nretry: 30\ndata:\n\n");
    pen.say(&json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}));
    source.wait_for(|seen| seen.body["id"] == "p").await;

    drop(pen);
    let pen = pens.next().await;
    pen.say(&notification("prompts/list_changed", json!({})));
    pen.say(&notification("tools/list_changed", json!({})));

    let resumed = source.wait_for_many(2, is_get).await;
    assert_eq!(resumed.header("last-event-id"), "e-7");
    assert_eq!(resumed.header("accept"), "text/event-stream");
    assert_eq!(watch.next().await, Some(Notice::ToolsChanged));
    drop(pen);
    let third = source.wait_for_many(3, is_get).await;
    assert_eq!(third.header("last-event-id"), "e-7", "no newer one was given");
}

#[tokio::test]
async fn a_session_that_the_source_has_forgotten_is_made_anew_with_its_subscriptions() {
    let (sessions, pens) = (Sessions::default(), Pens::new());
    let source = legacy(&sessions, &pens).await;
    let link = source.link();
    let mut watch = link.watch(uris(&["a:/x"]));
    let pen = pens.next().await;
    source.wait_for(asks("resources/subscribe", "a:/x")).await;
    sessions.forget_all();

    // A call finds it out first.
    result(link.call(echo("1")).await).await;
    let _pen = pens.next().await;
    let again = source.wait_for_many(2, asks("resources/subscribe", "a:/x")).await;
    assert_eq!(again.header("mcp-session-id"), "session-2");
    assert_eq!(updated(&mut watch).await, "a:/x", "it may have changed meanwhile");
    pen.left().await;

    // The stream finds it out first.
    sessions.forget_all();
    drop(_pen);
    let _pen = pens.next().await;
    let again = source.wait_for_many(3, asks("resources/subscribe", "a:/x")).await;
    assert_eq!(again.header("mcp-session-id"), "session-3");
}

#[tokio::test]
async fn a_source_without_a_stream_of_its_own_is_heard_in_those_of_calls() {
    let script = Sessions::default();
    let source = Scripted::start(move |seen| {
        let answer = script.answer(&seen);
        async move {
            let changed = notification("tools/list_changed", json!({}));
            let reply = json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": {}});
            match answer {
                Some(answer) => answer,
                None if is_get(&seen) => {
                    axum::response::IntoResponse::into_response(StatusCode::METHOD_NOT_ALLOWED)
                }
                None => super::scripted::events([&changed, &reply].map(super::scripted::event).concat()),
            }
        }
    })
    .await;
    let link = source.link();
    let mut watch = link.watch(tools());
    source.wait_for(is_get).await;

    result(link.call(echo("1")).await).await;

    assert_eq!(watch.next().await, Some(Notice::ToolsChanged));
}
