//! `subscriptions/listen`.

use http::StatusCode;
use serde_json::{Value, json};

use super::door::{Ask, Door, Events};
use crate::model::{Era, KeyScope};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn listen(key: &str, notifications: Value) -> Ask {
    Ask::modern("subscriptions/listen", json!({"notifications":notifications})).key(key)
}

#[tokio::test]
async fn the_first_message_says_what_is_told() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let door = door.impatient();
    let key = door.key(KeyScope::Everything).await;
    let wanted = json!({"toolsListChanged":true,"promptsListChanged":false,"taskIds":["nobody's"],
        "resourceSubscriptions":["nowhere:1"],"unknown":true});

    let mut events = Events::of(door.send(&listen(&key, wanted)).await);
    let first = events.message().await.expect("the acknowledgement");

    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(first["params"]["notifications"], json!({"toolsListChanged":true}));
    assert_eq!(first["params"]["_meta"][SUBSCRIPTION], 7, "of the same type as the request's id");
    assert_eq!(door.proxy().listening(), 1);
}

#[tokio::test]
async fn a_stream_ends_in_order_when_the_gateway_does_and_when_the_key_is_revoked() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let (id, key) = door.key_of(&door.ada, KeyScope::Everything).await;
    let other = door.key(KeyScope::Everything).await;
    let wanted = json!({"toolsListChanged":true});
    let mut revoked = Events::of(door.send(&listen(&key, wanted.clone())).await);
    let mut drained = Events::of(door.send(&listen(&other, wanted)).await);
    assert!(revoked.next().await.is_some() && drained.next().await.is_some());

    assert!(door.engine.identity.revoke_key(&door.ada, id).await.expect("a store"));
    let last = revoked.message().await.expect("a result");
    assert_eq!(last["id"], 7);
    assert_eq!(last["result"]["resultType"], "complete");
    assert_eq!(last["result"]["_meta"][SUBSCRIPTION], 7);
    assert!(revoked.next().await.is_none());

    door.proxy().drain();
    assert_eq!(drained.message().await.expect("a result")["result"]["resultType"], "complete");
    assert!(drained.next().await.is_none());
}

#[tokio::test]
async fn a_request_that_cannot_be_listened_to_is_refused() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;

    let nothing = door.ask(&Ask::modern("subscriptions/listen", json!({})).key(&key)).await;
    let wrong = door.ask(&listen(&key, json!({"toolsListChanged":"yes"}))).await;
    let json_only = door.ask(&listen(&key, json!({})).header("accept", "application/json")).await;

    for refused in [nothing, wrong] {
        assert_eq!(refused.answer()["error"]["code"], -32602, "{}", refused.text);
    }
    assert_eq!(json_only.status, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(door.proxy().listening(), 0);
}
