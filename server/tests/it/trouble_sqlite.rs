//! SQLite in trouble: locked by another process, and on a disk that takes nothing more.

use axum::body::Body;
use http::{Method, StatusCode, header};
use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    running::{Place, until},
    scripted::Scripted,
    trouble::{api, count, document, echo},
    world::request,
    written::CALLS,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_locked_by_another_process_holds_up_edits_and_no_calls() {
    let source = Scripted::start().await;
    let place = Place::new();
    place.prepare(&document(&source)).await;
    let key = place.key("ada.key");
    let server = place.serve().await;
    assert!(!server.send(echo(&key)).await.tool_text().1);
    let mut other = SqliteConnection::connect(place.database().to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("pragma busy_timeout = 20000; begin exclusive").execute(&mut other).await.unwrap();

    let new = json!({"slug": "late"});
    let edit = server.send(api(&key, Method::POST, "/api/v1/presets", Some(new.clone())));
    let calls = async {
        for _ in 0..20 {
            assert!(!server.send(echo(&key)).await.tool_text().1);
        }
        server.send(api(&key, Method::GET, "/api/v1/datasources", None)).await.status
    };
    let (edit, read) = tokio::join!(edit, calls);
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    other.close().await.unwrap();

    assert_eq!((edit.status, read), (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK), "{}", edit.body);
    assert!(edit.headers.contains_key(header::RETRY_AFTER), "{:?}", edit.headers);
    let again = server.send(api(&key, Method::POST, "/api/v1/presets", Some(new))).await;
    assert_eq!(again.status, StatusCode::CREATED, "nothing of the first try was saved: {}", again.body);
    until("every call is written down", async || count(&place.database(), CALLS).await == 21).await;
    server.stop().await;
    assert_eq!(count(&place.database(), CALLS).await, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_more_is_said_and_what_is_stored_stays_readable() {
    let source = Scripted::start().await;
    let mut place = Place::new();
    place.prepare(&document(&source)).await;
    let key = place.key("ada.key");
    // No file may grow beyond two mebibytes; a write that would is refused, as on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"";
    place.through = ["/bin/sh", "-c", limited].map(str::to_owned).into();
    let server = place.serve().await;

    let mut made = 0;
    let mut refused = None;
    until("the disk is full", async || {
        let new = json!({"slug": format!("p{made}"), "description": "x".repeat(4000)});
        let answer = server.send(api(&key, Method::POST, "/api/v1/presets", Some(new))).await;
        if answer.status == StatusCode::CREATED {
            made += 1;
            return false;
        }
        refused = Some(answer);
        true
    })
    .await;
    let refused = refused.unwrap();
    let listed = server.send(api(&key, Method::GET, "/api/v1/datasources", None)).await;
    let health = server.send(request(Method::GET, "/health").body(Body::empty()).unwrap()).await;

    assert!(refused.status.is_server_error(), "{} {}", refused.status, refused.body);
    assert!(
        !refused.body.contains("SQLITE") && refused.body.contains("urn:doorward:problem"),
        "{}",
        refused.body
    );
    assert_eq!((listed.status, health.status), (StatusCode::OK, StatusCode::OK), "{}", listed.body);
    server.signal(Signal::TERM);
    let mut server = server;
    server.ended().await;

    place.through.clear();
    let server = place.serve().await;
    let all = "select count(*) from presets";
    assert_eq!(count(&place.database(), all).await, 1 + made, "what was answered is there, and nothing half");
    assert!(!server.send(echo(&key)).await.tool_text().1);
    server.stop().await;
}
