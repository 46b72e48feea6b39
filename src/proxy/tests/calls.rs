//! Calls that are answered at once, in all four pairs of eras, and calls that fail.

use http::StatusCode;
use serde_json::json;

use super::{
    door::{Ask, Door},
    script::Scripted,
};
use crate::{
    model::{Era, KeyScope, Outcome, Plan, PlanName, PresetTool, Visibility},
    policy,
};

#[tokio::test]
async fn a_source_that_changes_its_era_on_a_restart_goes_on_answering() {
    for (before, after) in [(Era::Modern, Era::Legacy), (Era::Legacy, Era::Modern)] {
        let (door, source) = Door::with_source(before).await;
        let key = door.key(KeyScope::Everything).await;
        let session = door.session(&key, "2025-11-25").await;
        let arguments = json!({"n":1});
        let asks = [
            Ask::modern_call("echo", arguments.clone()),
            Ask::modern_call("echo", arguments.clone()).declaring(json!({"roots":{}})),
            Ask::legacy(Some(&session), "tools/call", json!({"name":"echo","arguments":arguments})),
        ];
        for ask in asks.clone() {
            assert_eq!(door.ask(&ask.key(&key)).await.content_text(), r#"{"n":1}"#);
        }

        let source = source.restart(after).await;

        for ask in asks {
            let got = door.ask(&ask.key(&key)).await;
            assert_eq!(got.content_text(), r#"{"n":1}"#, "{before:?}: {}", got.text);
        }
        assert_eq!(source.script.bodies().len(), 3, "nothing was done twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_who_use_the_same_ids_get_their_own_answers() {
    /// How many of them are under way at the same time in one session, and with each id.
    const CALLS: usize = 100;
    for era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(era).await;
        let key = door.key(KeyScope::Everything).await;
        let mut sessions = Vec::new();
        for _ in 0..5 {
            sessions.push(door.session(&key, "2025-11-25").await);
        }
        let calls = (0..1000_usize).map(|n| {
            let (id, caller) = (n % CALLS, n / CALLS);
            let arguments = json!({"n":n});
            let ask = match sessions.get(caller) {
                Some(session) => {
                    Ask::legacy(Some(session), "tools/call", json!({"name":"echo","arguments":arguments}))
                }
                None => Ask::modern_call("echo", arguments),
            };
            let (door, ask) = (&door, ask.numbered(id).key(&key));
            async move { (n, id, door.ask(&ask).await) }
        });

        for (n, id, got) in futures::future::join_all(calls).await {
            assert_eq!(got.answer()["id"], id, "{}", got.text);
            assert_eq!(got.content_text(), json!({"n":n}).to_string(), "{}", got.text);
        }
        assert_eq!(source.script.bodies().len(), 1000);
    }
}

#[tokio::test]
async fn every_pair_of_eras_understands_each_other() {
    for source_era in [Era::Modern, Era::Legacy] {
        let (door, source) = Door::with_source(source_era).await;
        let key = door.key(KeyScope::Everything).await;
        let session = door.session(&key, "2025-11-25").await;
        let arguments = json!({"n":1});
        let legacy = |tool: &str| {
            let params = json!({"name":tool,"arguments":arguments.clone()});
            Ask::legacy(Some(&session), "tools/call", params).key(&key)
        };
        let modern = |tool: &str| Ask::modern_call(tool, arguments.clone()).key(&key);

        let (new, old) = (door.ask(&modern("echo")).await, door.ask(&legacy("echo")).await);
        for got in [&new, &old] {
            assert_eq!(got.status, StatusCode::OK, "{}", got.text);
            assert_eq!(got.content_text(), r#"{"n":1}"#);
            assert_eq!(got.answer()["result"]["kept"], 1.5);
        }
        assert_eq!(new.answer()["result"]["resultType"], "complete");
        assert_eq!(new.answer()["id"], 7);
        assert_eq!(old.answer()["id"], "a");
        assert!(old.answer()["result"].get("resultType").is_none());

        let (new, old) = (door.ask(&modern("list")).await, door.ask(&legacy("list")).await);
        assert_eq!(new.answer()["result"]["structuredContent"], json!([1, 2]));
        assert_eq!(old.answer()["result"]["structuredContent"], json!({"result":[1, 2]}));
        assert_eq!(old.content_text(), "[1,2]");

        for ask in [modern("refuses"), legacy("refuses")] {
            let got = door.ask(&ask).await;
            assert_eq!(got.answer()["error"], json!({"code":-32602,"message":"not these"}));
        }
        assert_eq!(source.script.bodies().len(), 6, "one upstream request per call");
        let events = door.events().await;
        assert_eq!(events.len(), 6, "one event per call");
        assert_eq!(events[0].outcome, Outcome::Ok);
        assert_eq!((events[0].client.as_str(), events[0].revision.as_str()), ("test 7", "2026-07-28"));
        assert_eq!((events[1].client.as_str(), events[1].revision.as_str()), ("old 1", "2025-11-25"));
        assert_eq!(events[1].subject, "echo");
        assert_eq!(events[1].source_name, "scripted");
        assert_eq!(events[5].outcome, Outcome::Caller);
    }
}

#[tokio::test]
async fn arguments_arrive_as_they_were_written() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let arguments = r#"{"z": 1.0,"a":9007199254740993, "n":1e2,"é":"\u00e9"}"#;
    let body = Ask::modern_call("echo", json!("HERE")).body.replace("\"HERE\"", arguments);
    let mut ask = Ask::modern_call("echo", json!("HERE")).key(&key);
    ask.body = body;

    assert_eq!(door.ask(&ask).await.status, StatusCode::OK);

    let sent = source.script.bodies().pop().expect("one call");
    assert!(sent.contains(arguments), "{sent}");
    assert!(!sent.contains("test"), "the caller's own client info stays here: {sent}");
    let (headers, _) = source.script.calls.lock().expect("no panics").pop().expect("one call");
    assert_eq!(headers["mcp-name"], "echo");
    assert!(headers.get("authorization").is_none());
}

#[tokio::test]
async fn a_renamed_tool_is_called_by_the_name_its_source_knows() {
    let door = Door::open().await;
    let source = Scripted::start(Era::Modern).await;
    let selection = door.add_source("scripted", &source).await;
    let renamed = PresetTool {
        name: "echo".into(),
        enabled: true,
        exposed_name: Some("say_again".into()),
        exposed_description: Some("Another".into()),
        check_arguments: true,
    };
    door.add_preset("tools", Visibility::Private, false, vec![Door::say(selection, renamed)]).await;
    let key = door.key(KeyScope::Everything).await;

    let got = door.ask(&Ask::modern_call("say_again", json!({"n":1})).key(&key)).await;
    let wrong = door.ask(&Ask::modern_call("say_again", json!({"n":"one"})).key(&key)).await;
    let old_name = door.ask(&Ask::modern_call("echo", json!({})).key(&key)).await;

    assert_eq!(got.content_text(), r#"{"n":1}"#);
    assert_eq!(wrong.answer()["result"]["isError"], true, "{}", wrong.text);
    assert!(wrong.content_text().contains("/n"), "{}", wrong.text);
    assert_eq!(old_name.answer()["error"]["code"], -32602);
    assert_eq!(source.script.bodies().len(), 1);
    let outcomes: Vec<_> = door.events().await.into_iter().map(|event| event.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Caller, Outcome::Caller]);
}

#[tokio::test]
async fn mirrored_arguments_are_checked_and_sent_on() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let call = || Ask::modern_call("region", json!({"region":"eu"})).key(&key);

    let missing = door.ask(&call()).await;
    let wrong = door.ask(&call().header("mcp-param-region", "us")).await;
    let right = door.ask(&call().header("mcp-param-region", "eu")).await;

    for refused in [missing, wrong] {
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.answer()["error"]["code"], -32020);
    }
    assert_eq!(right.status, StatusCode::OK, "{}", right.text);
    let (headers, _) = source.script.calls.lock().expect("no panics").pop().expect("one call");
    assert_eq!(headers["mcp-param-region"], "eu");
}

#[tokio::test]
async fn what_goes_wrong_at_a_source_is_told_as_the_tools_error() {
    let (door, _source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let cases = [
        ("fails", "no", Outcome::ToolError),
        ("unauthorized", "`scripted` does not accept the credential", Outcome::Upstream),
        ("dies", "went away", Outcome::Upstream),
    ];
    for (tool, words, outcome) in cases {
        let got = door.ask(&Ask::modern_call(tool, json!({})).key(&key)).await;

        assert_eq!(got.status, StatusCode::OK, "{tool}: {}", got.text);
        assert_eq!(got.answer()["result"]["isError"], true, "{tool}: {}", got.text);
        assert!(got.content_text().contains(words), "{tool}: {}", got.text);
        let last = door.events().await.pop().expect("an event");
        assert_eq!((last.subject.as_str(), last.outcome), (tool, outcome), "{}", last.reason);
        assert!(!last.reason.is_empty());
    }
}

#[tokio::test]
async fn one_dead_source_leaves_the_others_alone() {
    let door = Door::open().await;
    let (alive, dead) = (Scripted::start(Era::Modern).await, Scripted::start(Era::Legacy).await);
    let first = door.add_source("alive", &alive).await;
    let mut second = door.add_source("dead", &dead).await;
    second.all = false;
    let tool = PresetTool {
        name: "echo".into(),
        enabled: true,
        exposed_name: Some("dead_echo".into()),
        exposed_description: None,
        check_arguments: false,
    };
    let id = second.source;
    door.add_preset("tools", Visibility::Private, false, vec![first, Door::say(second, tool)]).await;
    let key = door.key(KeyScope::Everything).await;
    door.engine.sources.set_enabled(&door.ada, id, false).await.expect("a source");

    let broken = door.ask(&Ask::modern_call("dead_echo", json!({})).key(&key)).await;
    let working = door.ask(&Ask::modern_call("echo", json!({})).key(&key)).await;
    let listed = door.ask(&Ask::modern("tools/list", json!({})).key(&key)).await;

    assert_eq!(broken.answer()["result"]["isError"], true, "{}", broken.text);
    assert!(broken.content_text().contains("`dead` is switched off"), "{}", broken.text);
    assert_eq!(working.answer()["result"].get("isError"), None, "{}", working.text);
    assert!(listed.text.contains("dead_echo"), "a dead source's tools stay listed");
}

#[tokio::test]
async fn an_exhausted_quota_names_its_limit_and_is_audited() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let permit = policy::may_administer(&door.ada).expect("ada manages");
    let plan = Plan {
        name: PlanName::parse("tiny").expect("a name"),
        calls_per_month: Some(1),
        analyses_per_month: None,
        concurrent_analyses: None,
        sources_max: None,
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    };
    door.engine.identity.save_plan(&permit, &plan).await.expect("a plan");
    let change = crate::identity::UserChange { plan: Some(plan.name.clone()), ..Default::default() };
    door.engine.identity.update_user(&permit, door.ada.user, change).await.expect("an account");
    let key = door.key(KeyScope::Everything).await;

    let first = door.ask(&Ask::modern_call("echo", json!({})).key(&key)).await;
    let second = door.ask(&Ask::modern_call("echo", json!({})).key(&key)).await;

    assert_eq!(first.answer()["result"].get("isError"), None, "{}", first.text);
    assert_eq!(second.answer()["result"]["isError"], true, "{}", second.text);
    assert!(second.content_text().contains("quota of 1 tool calls"), "{}", second.text);
    assert!(second.content_text().contains("2026-12-01"), "{}", second.text);
    assert_eq!(source.script.bodies().len(), 1);
    let last = door.events().await.pop().expect("an event");
    assert_eq!(last.outcome, Outcome::Refused);
}

#[tokio::test]
async fn anonymous_calls_are_charged_and_audited_too() {
    let door = Door::open().await;
    let source = Scripted::start(Era::Modern).await;
    let selection = door.add_source("scripted", &source).await;
    door.add_preset("tools", Visibility::Public, true, vec![selection]).await;

    let got = door.ask(&Ask::modern_call("echo", json!({}))).await;

    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    let last = door.events().await.pop().expect("an event");
    assert_eq!((last.principal.as_str(), last.user), ("anonymous", None));
    assert_eq!(door.engine.quota.usage(door.ada.user).await.expect("a store").used, 1);
}
