//! Who gets in, and in which form.

use http::{Method, StatusCode};
use serde_json::json;

use super::door::{Ask, Door, Got};
use crate::model::{Era, KeyScope, Visibility};

fn discover() -> Ask {
    Ask::modern("server/discover", json!({}))
}

#[tokio::test]
async fn a_missing_preset_and_a_forbidden_one_answer_alike() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let eve = door.stranger().await;
    let (_, stranger) = door.key_of(&eve, KeyScope::Everything).await;
    let other = door.add_preset("other", Visibility::Private, false, Vec::new()).await;
    let limited = door.key(KeyScope::Presets(vec![other.id])).await;
    let callers = [
        (None, StatusCode::UNAUTHORIZED),
        (Some("dw_nonsense"), StatusCode::UNAUTHORIZED),
        (Some(limited.as_str()), StatusCode::UNAUTHORIZED),
        (Some(stranger.as_str()), StatusCode::NOT_FOUND),
    ];
    for (key, status) in callers {
        let ask = |ask: Ask| match key {
            Some(key) => ask.key(key),
            None => ask,
        };

        let forbidden = door.ask(&ask(discover())).await;
        let missing = door.ask(&ask(discover().at("ada", "missing"))).await;
        let nobody = door.ask(&ask(discover().at("nobody", "..%2f"))).await;

        assert_eq!(forbidden.status, status, "{key:?}");
        assert_eq!(forbidden.headers.contains_key("www-authenticate"), status == StatusCode::UNAUTHORIZED);
        // A challenge names the address that was asked, whether there is something at it or not.
        let headers = |answer: &Got, path: &str| format!("{:?}", answer.headers).replace(path, "PATH");
        for (other, path) in [(missing, "/mcp/ada/missing"), (nobody, "/mcp/nobody/..%252f")] {
            assert_eq!(other.status, forbidden.status);
            assert_eq!(headers(&other, path), headers(&forbidden, "/mcp/ada/tools"));
            assert_eq!(other.text, forbidden.text);
        }
    }
}

#[tokio::test]
async fn a_revoked_key_fails_on_the_next_call() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let (id, key) = door.key_of(&door.ada, KeyScope::Everything).await;
    assert_eq!(door.ask(&discover().key(&key)).await.status, StatusCode::OK);

    assert!(door.engine.identity.revoke_key(&door.ada, id).await.expect("a store"));

    assert_eq!(door.ask(&discover().key(&key)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_open_preset_asks_for_no_key_but_refuses_a_wrong_one() {
    let door = Door::open().await;
    door.add_preset("tools", Visibility::Public, true, Vec::new()).await;

    assert_eq!(door.ask(&discover()).await.status, StatusCode::OK);
    assert_eq!(door.ask(&discover().key("dw_nonsense")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        door.ask(&discover().header("authorization", "Basic YTpi")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_its_own_way() {
    let door = Door::open().await;
    door.add_preset("tools", Visibility::Public, true, Vec::new()).await;
    let large = format!("\"{}\"", "x".repeat(5 << 20));
    let cases = [
        (Ask::raw(large), StatusCode::PAYLOAD_TOO_LARGE),
        (Ask::raw("{"), StatusCode::BAD_REQUEST),
        (Ask::raw("[".repeat(10_000)), StatusCode::BAD_REQUEST),
        (Ask::raw(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), StatusCode::BAD_REQUEST),
        (discover().header("content-type", "text/plain"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (discover().header("accept", "text/html"), StatusCode::NOT_ACCEPTABLE),
        (discover().header("origin", "https://evil.example"), StatusCode::FORBIDDEN),
        (discover().header("mcp-method", "tools/list"), StatusCode::BAD_REQUEST),
        (discover().by(Method::GET), StatusCode::METHOD_NOT_ALLOWED),
        (discover().by(Method::PUT), StatusCode::METHOD_NOT_ALLOWED),
        (Ask::modern("ping", json!({})), StatusCode::NOT_FOUND),
        (Ask::modern("initialize", json!({})), StatusCode::NOT_FOUND),
        (Ask::modern("logging/setLevel", json!({})), StatusCode::NOT_FOUND),
        (Ask::modern("resources/subscribe", json!({"uri":"a:b"})), StatusCode::NOT_FOUND),
        (Ask::modern("tasks/list", json!({})), StatusCode::NOT_FOUND),
    ];
    for (ask, status) in cases {
        let got = door.ask(&ask).await;
        assert_eq!(got.status, status, "{}: {}", &ask.body[..ask.body.len().min(80)], got.text);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            assert_eq!(got.headers["allow"], "POST, GET, DELETE");
        }
    }
}

#[tokio::test]
async fn callers_who_take_only_one_form_get_it() {
    let door = Door::open().await;
    door.add_preset("tools", Visibility::Public, true, Vec::new()).await;

    let stream = door.ask(&discover().header("accept", "text/event-stream")).await;
    let json = door.ask(&discover().header("accept", "application/json")).await;

    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    assert_eq!(stream.headers["cache-control"], "no-cache, no-transform");
    assert_eq!(json.headers["content-type"], "application/json");
    assert_eq!(stream.answer(), json.answer());
    assert_eq!(json.answer()["id"], 7);
    assert_eq!(json.answer()["result"]["supportedVersions"][0], "2026-07-28");
    assert_eq!(json.answer()["result"]["instructions"], "For tests");
}

#[tokio::test]
async fn a_legacy_session_lives_from_initialize_to_delete() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        door.session(&key, revision).await;
    }
    let session = door.session(&key, "2025-11-25").await;
    let ping = |session: Option<&str>| Ask::legacy(session, "ping", json!({})).key(&key);

    let pong = door.ask(&ping(Some(&session))).await;
    assert_eq!(pong.answer(), &json!({"jsonrpc":"2.0","id":"a","result":{}}));
    assert_eq!(door.ask(&ping(None)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(door.ask(&ping(Some(&"0".repeat(32)))).await.status, StatusCode::NOT_FOUND);
    let unknown = door.ask(&Ask::legacy(Some(&session), "tasks/list", json!({})).key(&key)).await;
    assert_eq!((unknown.status, &unknown.answer()["error"]["code"]), (StatusCode::OK, &json!(-32601)));
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let notified = Ask::raw(notification).header("mcp-session-id", &session).key(&key);
    assert_eq!(door.ask(&notified).await.status, StatusCode::ACCEPTED);

    let eve = door.stranger().await;
    let (_, stranger) = door.key_of(&eve, KeyScope::Everything).await;
    door.add_preset("public", Visibility::Public, false, Vec::new()).await;
    let stolen = Ask::legacy(Some(&session), "ping", json!({})).key(&stranger).at("ada", "public");
    assert_eq!(door.ask(&stolen).await.status, StatusCode::NOT_FOUND);

    let elsewhere = Ask::legacy(Some(&session), "ping", json!({})).key(&key).at("ada", "public");
    assert_eq!(door.ask(&elsewhere).await.status, StatusCode::NOT_FOUND, "its own preset only");

    let delete = Ask::raw("").header("mcp-session-id", &session).key(&key).by(Method::DELETE);
    assert_eq!(door.ask(&delete).await.status, StatusCode::NO_CONTENT);
    assert_eq!(door.ask(&delete).await.status, StatusCode::NOT_FOUND);
    assert_eq!(door.ask(&ping(Some(&session))).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tools_are_listed_as_each_era_expects_them() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-06-18").await;

    let modern = door.ask(&Ask::modern("tools/list", json!({})).key(&key)).await;
    let legacy = door.ask(&Ask::legacy(Some(&session), "tools/list", json!({})).key(&key)).await;
    let wrong = door.ask(&Ask::modern("tools/list", json!({"cursor":""})).key(&key)).await;

    assert_eq!(modern.answer()["result"]["cacheScope"], "private");
    assert!(modern.text.contains(r#""x-kept":1.0"#), "{}", modern.text);
    assert_eq!(modern.answer()["result"]["tools"].as_array().map(Vec::len), Some(17));
    let list = |got: &Got| {
        let tools = got.answer()["result"]["tools"].as_array().cloned().unwrap_or_default();
        tools.into_iter().find(|tool| tool["name"] == "list").expect("it is listed")
    };
    assert_eq!(list(&modern)["outputSchema"]["type"], "array");
    assert_eq!(list(&legacy)["outputSchema"]["properties"]["result"]["type"], "array");
    assert!(legacy.answer()["result"].get("resultType").is_none());
    assert_eq!(wrong.answer()["error"]["code"], -32602);
}
