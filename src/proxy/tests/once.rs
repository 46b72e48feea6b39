//! Calls that are made once, as callers see them.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    door::{Ask, Door, Got},
    script::{Script, Scripted},
};
use crate::{
    model::{Action, CallRules, Era, KeyScope, Outcome, RetryRules},
    presets::PresetChange,
};

const KEY: &str = "idempotency-key";

#[tokio::test]
async fn a_call_with_a_key_is_made_once_and_its_repeat_is_marked_audited_and_not_charged() {
    for era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(Era::Modern).await;
        let key = door.key(KeyScope::Everything).await;
        let session = match era {
            Era::Modern => None,
            Era::Legacy => Some(door.session(&key, "2025-06-18").await),
        };
        let call = |arguments: Value, header: &str| {
            let ask = match &session {
                None => Ask::modern_call("echo", arguments),
                Some(session) => {
                    Ask::legacy(Some(session), "tools/call", json!({"name": "echo", "arguments": arguments}))
                }
            };
            ask.header(KEY, header).key(&key)
        };

        let first = door.ask(&call(json!({"n": 1}), "k-1")).await;
        let repeat = door.ask(&call(json!({"n": 1}), "\"k-1\"")).await;
        let other = door.ask(&call(json!({"n": 2}), "k-1")).await;
        let next = door.ask(&call(json!({"n": 1}), "k-2")).await;

        assert!(!is_replay(&first) && first.answer()["result"]["content"].is_array(), "{}", first.text);
        assert!(is_replay(&repeat), "{}", repeat.text);
        assert_eq!(repeat.answer()["result"]["content"], first.answer()["result"]["content"]);
        assert!(other.content_text().contains("other arguments"), "{}", other.text);
        assert!(!is_replay(&next), "{}", next.text);
        assert_eq!(source.script.bodies().len(), 2);
        assert_eq!(door.engine.quota.usage(door.ada.user).await.unwrap().used, 2);
        let mut events = door.events().await;
        events.retain(|event| event.action == Action::ToolCall);
        let told: Vec<_> = events.iter().map(|event| (event.outcome, event.reason.as_str())).collect();
        assert_eq!(told[1], (Outcome::Ok, "a replay: the call was made before"));
        assert_eq!(told[2].0, Outcome::Caller);
    }
}

#[tokio::test]
async fn a_key_in_meta_tells_a_call_too_and_what_is_no_key_is_refused() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let with = |key_member: Value| {
        let mut meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        meta["org.doorward/idempotencyKey"] = key_member;
        Ask::modern_call("echo", json!({"n": 1})).with(json!({"_meta": meta})).key(&key)
    };

    let first = door.ask(&with(json!("k"))).await;
    let repeat = door.ask(&with(json!("k"))).await;
    let wrong = door.ask(&with(json!(7))).await;
    let empty = door.ask(&Ask::modern_call("echo", json!({"n": 1})).header(KEY, "").key(&key)).await;

    assert!(!is_replay(&first) && is_replay(&repeat), "{} {}", first.text, repeat.text);
    for refused in [wrong, empty] {
        assert!(
            refused.answer()["error"]["message"].as_str().unwrap().contains("1 to 255"),
            "{}",
            refused.text
        );
    }
    assert_eq!(source.script.bodies().len(), 1);
}

#[tokio::test]
async fn marked_tools_are_called_once_for_the_same_arguments() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let call = async |tool: &str, n: u32| door.ask(&Ask::modern_call(tool, json!({"n": n})).key(&key)).await;
    protect(&door, &["echo"], false).await;

    let marked = [call("echo", 1).await, call("echo", 1).await, call("echo", 2).await];
    let plain = [call("region", 1).await, call("region", 1).await];
    let before = source.script.bodies().len();
    protect(&door, &[], true).await;
    let all = [call("region", 1).await, call("region", 1).await];

    assert_eq!(marked.each_ref().map(is_replay), [false, true, false]);
    assert_eq!(plain.each_ref().map(is_replay), [false, false]);
    assert_eq!(before, 4);
    assert_eq!(all.each_ref().map(is_replay), [false, true], "{}", all[1].text);
}

#[tokio::test]
async fn a_repeat_waits_for_the_first_and_a_lost_answer_is_named_and_not_sought_again() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let door = Arc::new(door);
    let key = door.key(KeyScope::Everything).await;
    let ask = |tool: &str, id: &str| Ask::modern_call(tool, json!({})).header(KEY, id).key(&key);
    let send = |ask: Ask| {
        let door = Arc::clone(&door);
        tokio::spawn(async move { door.ask(&ask).await })
    };

    let first = send(ask("waits", "w"));
    Script::wait(&source.script.waiting).await;
    let repeat = send(ask("waits", "w"));
    source.script.go_on.notify_one();
    let (first, repeat) = (first.await.unwrap(), repeat.await.unwrap());
    let died = door.ask(&ask("dies", "d")).await;
    let again = door.ask(&ask("dies", "d")).await;

    assert_eq!(first.status, StatusCode::OK);
    assert!(!is_replay(&first) && is_replay(&repeat), "{} {}", first.text, repeat.text);
    assert!(died.content_text().contains("went away"), "{}", died.text);
    assert!(again.content_text().contains("is not known"), "{}", again.text);
    assert_eq!(source.script.bodies().len(), 2);
}

#[tokio::test]
async fn whoever_is_nobody_gets_no_answers_of_others() {
    let door = Door::open().await;
    let source = Scripted::start(Era::Modern).await;
    let selection = door.add_source("scripted", &source).await;
    door.add_preset("tools", crate::model::Visibility::Public, true, vec![selection]).await;

    for _ in 0..2 {
        let got = door.ask(&Ask::modern_call("echo", json!({"n": 1})).header(KEY, "k")).await;
        assert!(!is_replay(&got), "{}", got.text);
    }
    assert_eq!(source.script.bodies().len(), 2);
}

fn is_replay(got: &Got) -> bool {
    got.answer()["result"]["_meta"]["org.doorward/replayed"] == true
}

async fn protect(door: &Door, tools: &[&str], by_annotations: bool) {
    let preset = door.engine.presets.list(&door.ada).await.unwrap().remove(0).preset;
    let retries = RetryRules { tools: tools.iter().map(|tool| (*tool).to_owned()).collect(), by_annotations };
    let change = PresetChange {
        rules: Some(CallRules { retries, ..CallRules::default() }),
        ..PresetChange::default()
    };
    door.engine.presets.update(&door.ada, preset.id, change, preset.version).await.unwrap();
}
