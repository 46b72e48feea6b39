//! How fast calls may come, as callers of both eras are told.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::json;

use super::door::{Ask, Door, Got};
use crate::{
    mcp::codes,
    model::{Action, CallRules, Era, KeyScope, Outcome, PresetId, Rate},
    presets::PresetChange,
    sources::SourceChange,
};

#[tokio::test]
async fn whoever_calls_too_fast_is_told_when_to_try_again_and_charged_nothing() {
    for era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(Era::Modern).await;
        limit(&door, "2/minute", &[]).await;
        let caller = Caller::of(&door, era).await;

        let (first, second) = (caller.call(&door, "echo").await, caller.call(&door, "echo").await);
        let third = caller.call(&door, "echo").await;
        door.engine.clock.advance(Duration::from_secs(30));
        let later = caller.call(&door, "echo").await;

        assert!(answered(&first) && answered(&second), "{} {}", first.text, second.text);
        let status = match era {
            Era::Modern => StatusCode::TOO_MANY_REQUESTS,
            Era::Legacy => StatusCode::OK,
        };
        assert_eq!(third.status, status, "{}", third.text);
        assert_eq!(third.headers[header::RETRY_AFTER], "30");
        let error = &third.answer()["error"];
        assert_eq!(error["code"], codes::TOO_FAST, "{}", third.text);
        assert_eq!(
            error["message"],
            "Too many calls: this preset takes no more than 2/minute. Try again in 30 seconds."
        );
        assert_eq!(error["data"], json!({"retryAfterMs": 30_000, "limited": "preset", "rate": "2/minute"}));
        assert!(answered(&later), "{}", later.text);
        assert_eq!(source.script.bodies().len(), 3);
        assert_eq!(door.engine.quota.usage(door.ada.user).await.unwrap().used, 3);
        assert_eq!(door.engine.quota.too_fast(), 1);
        let mut events = door.events().await;
        events.retain(|event| event.action == Action::ToolCall);
        let outcomes: Vec<_> = events.iter().map(|event| event.outcome).collect();
        assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok, Outcome::Refused, Outcome::Ok]);
        assert_eq!(events[2].reason, "this preset takes no more than 2/minute; there is room again in 30 s");
    }
}

#[tokio::test]
async fn a_tool_has_a_limit_of_its_own_beside_the_others() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    limit(&door, "100/minute", &[("echo", "1/minute")]).await;
    let caller = Caller::of(&door, Era::Modern).await;

    caller.call(&door, "echo").await;
    let again = caller.call(&door, "echo").await;
    let other = caller.call(&door, "region").await;

    assert_eq!(again.answer()["error"]["data"]["limited"], "tool", "{}", again.text);
    assert_eq!(other.status, StatusCode::OK, "{}", other.text);
}

#[tokio::test]
async fn a_limit_of_the_source_and_one_of_the_key_hold_on_the_next_call() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let (id, key) = door.key_of(&door.ada, KeyScope::Everything).await;
    let caller = Caller { era: Era::Modern, key, session: String::new() };
    assert_eq!(caller.call(&door, "echo").await.status, StatusCode::OK);

    let one = Some(Rate::parse("1/hour").unwrap());
    let source = door.engine.sources.list(&door.ada).await.unwrap().remove(0).source;
    let rules = CallRules { rate: one, ..CallRules::default() };
    let change = SourceChange { rules: Some(rules), ..SourceChange::default() };
    door.engine.sources.update(&door.ada, source.id, change, source.version).await.unwrap();
    let of_source = [caller.call(&door, "echo").await, caller.call(&door, "echo").await];
    door.engine.clock.advance(Duration::from_secs(3600));
    assert!(door.engine.identity.set_key_rate(&door.ada, id, Rate::parse("2/day").ok()).await.unwrap());
    let of_key = [caller.call(&door, "echo").await, caller.call(&door, "region").await];
    door.engine.clock.advance(Duration::from_secs(3600));
    let of_key = [of_key[0].status, of_key[1].status, caller.call(&door, "region").await.status];
    let told = caller.call(&door, "region").await;

    assert_eq!(of_source[0].status, StatusCode::OK, "{}", of_source[0].text);
    assert_eq!(of_source[1].answer()["error"]["data"]["limited"], "source", "{}", of_source[1].text);
    // The second one was refused by the source, and cost the key nothing.
    assert_eq!(of_key, [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS, StatusCode::OK]);
    assert_eq!(told.answer()["error"]["data"]["limited"], "key", "{}", told.text);
}

/// Sets the limits of the preset `tools`.
async fn limit(door: &Door, rate: &str, tools: &[(&str, &str)]) {
    let preset = door.engine.presets.list(&door.ada).await.unwrap().remove(0).preset;
    let id: PresetId = preset.id;
    let tools = tools.iter().map(|(name, rate)| ((*name).to_owned(), Rate::parse(rate).unwrap()));
    let rules = CallRules { rate: Rate::parse(rate).ok(), tools: tools.collect(), ..CallRules::default() };
    let change = PresetChange { rules: Some(rules), ..PresetChange::default() };
    door.engine.presets.update(&door.ada, id, change, preset.version).await.unwrap();
}

fn answered(got: &Got) -> bool {
    got.answer()["result"]["content"].is_array() && got.answer()["result"]["isError"] != true
}

struct Caller {
    era: Era,
    key: String,
    session: String,
}

impl Caller {
    async fn of(door: &Door, era: Era) -> Self {
        let key = door.key(KeyScope::Everything).await;
        let session = match era {
            Era::Modern => String::new(),
            Era::Legacy => door.session(&key, "2025-06-18").await,
        };
        Self { era, key, session }
    }

    async fn call(&self, door: &Door, tool: &str) -> Got {
        let arguments = json!({"n": 1});
        let ask = match self.era {
            Era::Modern => Ask::modern_call(tool, arguments),
            Era::Legacy => {
                let params = json!({"name": tool, "arguments": arguments});
                Ask::legacy(Some(&self.session), "tools/call", params)
            }
        };
        door.ask(&ask.key(&self.key)).await
    }
}
