//! Sources that speak the HTTP transport of revision 2024-11-05.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::response::IntoResponse;
use futures::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    answer, asking, echo, last, question, result,
    scripted::{NOW, Pen, Scripted, Seen, limits, upstreams_with, written},
    stream,
};
use crate::{
    clock::Clock,
    mcp::Revision,
    model::{Auth, EraSetting},
    secret::Secret,
    upstream::{Notice, Target, UpstreamError, WatchFilter},
};

/// An old server: a stream per connection, messages posted beside it.
#[derive(Clone, Default)]
struct OldServer {
    open: Arc<Mutex<HashMap<String, Pen>>>,
    opened: Arc<Mutex<u32>>,
    /// Where it wants messages posted, before the name of the connection.
    endpoint: Arc<Mutex<Option<String>>>,
}

impl OldServer {
    async fn start(&self) -> Scripted {
        let server = self.clone();
        let mut source = Scripted::start(move |seen| {
            let answer = server.answer(&seen);
            async move { answer }
        })
        .await;
        source.url.set_path("/sse");
        source
    }

    fn answer(&self, seen: &Seen) -> axum::response::Response {
        match (&seen.http_method, seen.path.as_str()) {
            (&Method::GET, "/sse") => {
                let mut opened = self.opened.lock().unwrap();
                *opened += 1;
                let name = opened.to_string();
                let (pen, response) = written();
                let endpoint =
                    self.endpoint.lock().unwrap().clone().unwrap_or_else(|| "/messages/".to_owned());
                pen.write(format!("event: endpoint\ndata: {endpoint}{name}\n\n"));
                self.open.lock().unwrap().insert(name, pen);
                response
            }
            (&Method::POST, path) if path.starts_with("/messages/") => {
                let name = path.trim_start_matches("/messages/");
                let Some(pen) = self.open.lock().unwrap().get(name).cloned() else {
                    return StatusCode::NOT_FOUND.into_response();
                };
                self.say(&pen, seen);
                StatusCode::ACCEPTED.into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    fn say(&self, pen: &Pen, seen: &Seen) {
        let id = seen.body["id"].clone();
        let reply = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
        let arguments = &seen.body["params"]["arguments"];
        match seen.method() {
            "initialize" => {
                pen.say(&reply(json!({
                    "protocolVersion": "2024-11-05", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "ancient", "version": "0"},
                })));
            }
            "tools/call" if arguments["ask"] == true => {
                pen.say(&json!({"jsonrpc": "2.0", "id": "q", "method": "roots/list"}));
            }
            "tools/call" if arguments["hold"] == true => {}
            "tools/call" => {
                pen.say(&reply(json!({"echo": arguments})));
            }
            // The answer to its question ends the call that asks it.
            "" => {
                let call = 2;
                pen.say(&json!({"jsonrpc": "2.0", "id": call, "result": {"roots": seen.body["result"]}}));
            }
            _ if !id.is_null() => {
                pen.say(&reply(json!({})));
            }
            _ => {}
        }
    }

    fn forget_all(&self, ends_streams: bool) {
        let mut open = self.open.lock().unwrap();
        let pens = open.drain().map(|(_, pen)| pen);
        match ends_streams {
            true => drop(pens),
            // They stay open, and nothing comes any more.
            false => pens.for_each(std::mem::forget),
        }
    }

    fn opened(&self) -> u32 {
        *self.opened.lock().unwrap()
    }
}

#[tokio::test]
async fn an_old_source_is_found_out_and_its_connection_shared_by_every_call() {
    let server = OldServer::default();
    let source = server.start().await;
    let mut target = source.target();
    target.credential.auth = Auth::Bearer(Secret::new("t0ken"));
    let link = upstreams_with(limits(), &Clock::manual(NOW)).link(&target);

    let answers = join_all((0..200).map(|number| link.call(echo(&number.to_string())))).await;

    for (number, answer) in answers.into_iter().enumerate() {
        let reply = answer.unwrap().finish().await.unwrap();
        assert_eq!(reply.revision, Revision::V2024_11_05);
        let crate::upstream::ReplyBody::Result(result) = reply.body else { panic!("a result") };
        assert_eq!(result, format!("{{\"echo\":{number}}}"));
    }
    assert_eq!(server.opened(), 1);
    assert_eq!(link.verdict().unwrap().server, "ancient 0");
    let seen = source.seen();
    assert!(seen.iter().all(|seen| seen.header("authorization") == "Bearer t0ken"));
    let initialized = seen.iter().position(|seen| seen.method() == "notifications/initialized").unwrap();
    let called = seen.iter().position(|seen| seen.method() == "tools/call").unwrap();
    assert!(initialized < called);
}

#[tokio::test]
async fn the_owner_may_say_that_a_source_is_old() {
    let server = OldServer::default();
    let source = server.start().await;
    let target = Target { era: EraSetting::Sse, ..source.target() };
    let link = upstreams_with(limits(), &Clock::manual(NOW)).link(&target);

    result(link.call(echo("1")).await).await;

    assert_eq!(source.seen()[0].http_method, Method::GET, "nothing else was tried");
    let modern = Scripted::modern().await;
    let target = Target { era: EraSetting::Sse, ..modern.target() };
    let outcome = upstreams_with(limits(), &Clock::manual(NOW)).link(&target).call(echo("1")).await;
    assert!(matches!(outcome, Err(UpstreamError::NotMcp { .. })), "{outcome:?}");
}

#[tokio::test]
async fn an_old_source_that_names_another_origin_gets_no_message_and_no_credential() {
    let stranger = Scripted::modern().await;
    let server = OldServer::default();
    *server.endpoint.lock().unwrap() = Some(stranger.url.as_str().to_owned());
    let source = server.start().await;
    let mut target = source.target();
    target.credential.auth = Auth::Bearer(Secret::new("t0ken"));

    let outcome = upstreams_with(limits(), &Clock::manual(NOW)).link(&target).call(echo("1")).await;

    assert!(
        matches!(&outcome, Err(UpstreamError::Protocol { detail }) if detail.contains("another origin")),
        "{outcome:?}"
    );
    assert!(stranger.seen().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_lost_fails_its_calls_and_the_next_opens_another() {
    let server = OldServer::default();
    let source = server.start().await;
    let link = source.link();
    result(link.call(echo("1")).await).await;
    let held = {
        let link = Arc::clone(&link);
        tokio::spawn(async move { link.call(echo(r#"{"hold":true}"#)).await.map(drop) })
    };
    source.wait_for(|seen| seen.body["params"]["arguments"]["hold"] == true).await;

    server.forget_all(true);

    let outcome = held.await.unwrap();
    assert!(matches!(outcome, Err(UpstreamError::Died { .. })), "{outcome:?}");
    assert_eq!(result(link.call(echo("2")).await).await["echo"], 2);
    assert_eq!(server.opened(), 2);
}

#[tokio::test]
async fn a_connection_that_the_source_has_forgotten_is_opened_again_and_the_call_sent_once_more() {
    let server = OldServer::default();
    let source = server.start().await;
    let link = source.link();
    result(link.call(echo("1")).await).await;

    server.forget_all(false);

    assert_eq!(result(link.call(echo("2")).await).await["echo"], 2);
    assert_eq!(server.opened(), 2);
}

#[tokio::test]
async fn an_old_source_asks_the_caller_who_can_be_asked() {
    let server = OldServer::default();
    let source = server.start().await;
    let link = source.link();

    let mut stream = stream(link.call(asking(r#"{"ask":true}"#, "ada", json!({"roots": {}}))).await);
    let (id, method, _) = question(&mut stream).await;
    stream.reply(&id, answer(json!({"roots": []}))).await.unwrap();

    assert_eq!(method, "roots/list");
    assert_eq!(last(&mut stream).await["roots"], json!({"roots": []}));
    let declared = source.wait_for(|seen| seen.method() == "initialize" && seen.path != "/sse").await;
    assert_eq!(declared.body["params"]["capabilities"], json!({"roots": {}}));
}

#[tokio::test]
async fn leaving_a_call_of_an_old_source_cancels_it() {
    let server = OldServer::default();
    let source = server.start().await;
    let link = source.link();
    let held = {
        let link = Arc::clone(&link);
        tokio::spawn(async move { link.call(echo(r#"{"hold":true}"#)).await.map(drop) })
    };
    let call = source.wait_for(|seen| seen.body["params"]["arguments"]["hold"] == true).await;

    held.abort();

    let cancelled = source.wait_for(|seen| seen.method() == "notifications/cancelled").await;
    assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
}

#[tokio::test]
async fn changes_at_an_old_source_are_heard_and_subscriptions_follow_a_new_connection() {
    let server = OldServer::default();
    let source = server.start().await;
    let link = source.link();
    let filter = WatchFilter { tools: true, uris: ["a:/x".to_owned()].into(), ..WatchFilter::default() };
    let mut watch = link.watch(filter);
    let is_subscribe = |seen: &Seen| seen.method() == "resources/subscribe";
    source.wait_for(is_subscribe).await;
    let pen = server.open.lock().unwrap().values().next().cloned().unwrap();
    pen.say(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    assert_eq!(watch.next().await, Some(Notice::ToolsChanged));
    drop(pen);

    server.forget_all(true);

    let again = source.wait_for_many(2, is_subscribe).await;
    assert_eq!(again.path, "/messages/2");
}
