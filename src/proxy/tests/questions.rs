//! Questions in the middle of a call, for modern callers.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    asking::{answer, form},
    door::{Ask, Door, Got},
    script::{Script, Scripted},
};
use crate::model::{Era, KeyScope, Outcome, Visibility};

fn can() -> Value {
    json!({"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{}})
}

fn call(key: &str, tool: &str) -> Ask {
    Ask::modern_call(tool, json!({"n":1})).declaring(can()).key(key)
}

/// Returns the state of an answer that asks.
fn state(got: &Got) -> &Value {
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    assert_eq!(got.answer()["result"]["resultType"], "input_required", "{}", got.text);
    &got.answer()["result"]["requestState"]
}

fn retry(ask: Ask, state: &Value, answers: Value) -> Ask {
    ask.with(json!({"requestState":state,"inputResponses":answers}))
}

fn is_refused(got: &Got) -> bool {
    got.answer()["error"]["code"] == -32602
}

async fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_modern_sources_questions_are_relayed_with_its_state_sealed() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_form")).await;
    let sealed = state(&first).clone();
    let second =
        door.ask(&retry(call(&key, "asks_form"), &sealed, json!({"name":{"action":"accept"}}))).await;

    assert_eq!(first.answer()["result"]["inputRequests"]["name"]["params"], form("Who?"));
    assert!(!sealed.as_str().is_some_and(|sealed| sealed.contains("inner")));
    assert_eq!(second.content_text(), r#"{"name":{"action":"accept"}}"#, "{}", second.text);
    assert!(source.script.bodies()[1].contains(r#""requestState":"inner 1""#));
    let outcomes: Vec<_> = door.events().await.into_iter().map(|event| event.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok]);
}

#[tokio::test]
async fn a_modern_source_may_ask_again_and_again() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_twice")).await;
    let second = door.ask(&retry(call(&key, "asks_twice"), state(&first), json!({"a":{}}))).await;
    let third = door.ask(&retry(call(&key, "asks_twice"), state(&second), json!({"b":{}}))).await;

    assert_eq!(third.content_text(), r#"{"b":{}}"#, "{}", third.text);
}

#[tokio::test]
async fn a_state_is_good_for_its_caller_and_its_request_only() {
    for era in [Era::Modern, Era::Legacy] {
        let door = Door::open().await;
        let source = Scripted::start(era).await;
        let selection = door.add_source("scripted", &source).await;
        door.add_preset("other", Visibility::Public, false, vec![selection.clone()]).await;
        door.add_preset("tools", Visibility::Public, false, vec![selection]).await;
        let key = door.key(KeyScope::Everything).await;
        let eve = door.stranger().await;
        let (_, stranger) = door.key_of(&eve, KeyScope::Everything).await;

        let first = door.ask(&call(&key, "asks_form")).await;
        let sealed = state(&first).clone();
        let name =
            first.answer()["result"]["inputRequests"].as_object().and_then(|all| all.keys().next().cloned());
        let answers = json!({ name.expect("one question"): {"action":"accept"} });
        let text = sealed.as_str().expect("text");
        let altered = format!("{}{}", if text.starts_with('A') { 'B' } else { 'A' }, &text[1..]);
        let wrong = [
            retry(call(&stranger, "asks_form"), &sealed, answers.clone()),
            retry(call(&key, "asks_form"), &sealed, answers.clone()).at("ada", "other"),
            retry(call(&key, "asks_two"), &sealed, answers.clone()),
            retry(
                Ask::modern_call("asks_form", json!({"n":2})).declaring(can()).key(&key),
                &sealed,
                answers.clone(),
            ),
            retry(call(&key, "asks_form"), &json!(altered), answers.clone()),
            retry(call(&key, "asks_form"), &json!("inner 1"), answers.clone()),
            retry(call(&key, "asks_form"), &json!(7), answers.clone()),
            retry(call(&key, "asks_form"), &sealed, json!([])),
        ];
        for ask in wrong {
            let got = door.ask(&ask).await;
            assert!(is_refused(&got), "{era:?}: {}", got.text);
        }
        assert_eq!(source.script.bodies().len(), 1, "none of them reached the source");

        let right = door.ask(&retry(call(&key, "asks_form"), &sealed, answers)).await;
        assert!(right.content_text().contains("accept"), "{}", right.text);
    }
}

#[tokio::test]
async fn a_call_of_a_legacy_source_waits_for_its_modern_callers_answer() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_form")).await;
    let sealed = state(&first).clone();
    assert_eq!(
        first.answer()["result"]["inputRequests"],
        json!({"q1":{"method":"elicitation/create","params":form("Who?")}}),
        "what belongs to the link to the source stays there"
    );
    assert_eq!(door.proxy().parked(), 1);
    let answers = json!({"q1":{"action":"accept","content":{"name":"x"}}});
    let second = door.ask(&retry(call(&key, "asks_form"), &sealed, answers.clone())).await;
    let replayed = door.ask(&retry(call(&key, "asks_form"), &sealed, answers)).await;

    assert_eq!(second.content_text(), r#"[{"action":"accept","content":{"name":"x"}}]"#, "{}", second.text);
    assert!(is_refused(&replayed), "{}", replayed.text);
    assert_eq!(source.script.bodies().len(), 1, "the source was called once");
    assert_eq!(door.engine.quota.usage(door.ada.user).await.expect("a store").used, 1, "and charged once");
    assert_eq!(door.proxy().parked(), 0);
    assert_eq!(door.events().await.len(), 3, "every request is written down");
}

#[tokio::test]
async fn several_questions_are_asked_together_and_those_left_open_again() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_two")).await;
    let asked = first.answer()["result"]["inputRequests"].as_object().cloned().expect("questions");
    assert_eq!(asked.len(), 2, "{}", first.text);
    let second = door.ask(&retry(call(&key, "asks_two"), state(&first), json!({"q2":{"roots":[]}}))).await;
    let open = second.answer()["result"]["inputRequests"].as_object().cloned().expect("questions");
    assert_eq!(open.keys().collect::<Vec<_>>(), ["q1"]);
    let third =
        door.ask(&retry(call(&key, "asks_two"), state(&second), json!({"q1":{"action":"decline"}}))).await;

    assert_eq!(third.content_text(), r#"[{"action":"decline"},{"roots":[]}]"#, "{}", third.text);
}

#[tokio::test]
async fn a_legacy_source_may_ask_again_after_an_answer() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_twice")).await;
    let second =
        door.ask(&retry(call(&key, "asks_twice"), state(&first), json!({"q1":{"action":"accept"}}))).await;
    let asked = second.answer()["result"]["inputRequests"].as_object().cloned().expect("a question");
    let (name, question) = asked.into_iter().next().expect("one");
    assert_eq!(question["method"], "roots/list");
    let third =
        door.ask(&retry(call(&key, "asks_twice"), state(&second), json!({ name: {"roots":[]} }))).await;

    assert_eq!(third.content_text(), r#"[{"action":"accept"},{"roots":[]}]"#, "{}", third.text);
}

#[tokio::test]
async fn a_caller_who_never_comes_back_is_given_up_and_the_source_told() {
    let (mut door, source) = Door::with_source(Era::Legacy).await;
    door.replace_proxy(|patience| patience.parked = Duration::from_millis(20));
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_form")).await;
    let sealed = state(&first).clone();

    assert_eq!(answer(&source.script, 900).await, json!({"action":"cancel"}));
    wait_until(|| door.proxy().parked() == 0).await;
    Script::wait(&source.script.cancelled).await;
    let late = door.ask(&retry(call(&key, "asks_form"), &sealed, json!({"q1":{"action":"accept"}}))).await;
    assert!(is_refused(&late), "{}", late.text);
}

#[tokio::test]
async fn a_restart_in_the_middle_is_told_and_keeps_the_state_of_modern_sources() {
    let (mut door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let first = door.ask(&call(&key, "asks_form")).await;
    let sealed = state(&first).clone();
    door.replace_proxy(|_| {});
    let got = door.ask(&retry(call(&key, "asks_form"), &sealed, json!({"q1":{}}))).await;
    assert!(is_refused(&got), "{}", got.text);
    assert!(got.text.contains("restarted"), "{}", got.text);

    let (mut door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let first = door.ask(&call(&key, "asks_form")).await;
    let sealed = state(&first).clone();
    door.replace_proxy(|_| {});
    let got = door.ask(&retry(call(&key, "asks_form"), &sealed, json!({"name":{}}))).await;
    assert_eq!(got.content_text(), r#"{"name":{}}"#, "{}", got.text);
}

#[tokio::test]
async fn a_revoked_key_ends_the_calls_that_wait_for_its_answers() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let (id, key) = door.key_of(&door.ada, KeyScope::Everything).await;
    let first = door.ask(&call(&key, "asks_form")).await;
    state(&first);

    assert!(door.engine.identity.revoke_key(&door.ada, id).await.expect("a store"));

    assert_eq!(answer(&source.script, 900).await, json!({"action":"cancel"}));
    wait_until(|| door.proxy().parked() == 0).await;
}

#[tokio::test]
async fn a_caller_who_did_not_declare_it_is_not_asked() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;

    let got = door.ask(&call(&key, "asks_two").declaring(json!({"elicitation":{}}))).await;

    assert_eq!(got.status, StatusCode::BAD_REQUEST, "{}", got.text);
    assert_eq!(got.answer()["error"]["code"], -32021);
    assert_eq!(got.answer()["error"]["data"], json!({"requiredCapabilities":{"roots":{}}}));
    assert_eq!(got.answer()["id"], 7);

    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let got = door.ask(&call(&key, "asks_form").declaring(json!({}))).await;
    assert!(got.content_text().contains("-32601"), "the source is told at once: {}", got.text);
}

#[tokio::test]
async fn pages_that_a_legacy_source_wants_visited_are_shown_first() {
    let (door, source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&call(&key, "asks_pages")).await;
    let page = &first.answer()["result"]["inputRequests"]["url1"]["params"];
    assert_eq!(page["url"], "https://a.example/x", "{}", first.text);
    assert_eq!(page.get("elicitationId"), None);
    let answers = json!({"url1":{"action":"accept"}});
    let second = door.ask(&retry(call(&key, "asks_pages"), state(&first), answers)).await;

    assert_eq!(second.content_text(), r#"{"n":1}"#, "{}", second.text);
    assert_eq!(source.script.bodies().len(), 2);
}

#[tokio::test]
async fn the_calls_that_wait_have_a_bound() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    for _ in 0..crate::proxy::PARKED_PER_HOLDER_MAX {
        state(&door.ask(&call(&key, "asks_form")).await);
    }

    let one_more = door.ask(&call(&key, "asks_form")).await;

    assert_eq!(one_more.answer()["result"]["isError"], true, "{}", one_more.text);
    assert!(one_more.content_text().contains("Too many"), "{}", one_more.text);
}
