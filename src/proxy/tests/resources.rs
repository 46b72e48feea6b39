//! Resources, prompts and completions, in all four pairs of eras, and news of them.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    door::{Ask, Door, Events, Got},
    script::Scripted,
};
use crate::model::{Action, Era, KeyScope, Selection, Take, Visibility};

struct Scene {
    door: Door,
    source: Scripted,
    key: String,
    session: String,
}

impl Scene {
    /// Opens a preset with everything of one source.
    async fn of(era: Era) -> Self {
        let door = Door::open().await;
        let source = Scripted::start(era).await;
        let selection = door.add_source("scripted", &source).await;
        let selection = Selection { resources: Take::All, prompts: Take::All, ..selection };
        door.add_preset("tools", Visibility::Private, false, vec![selection]).await;
        let key = door.key(KeyScope::Everything).await;
        let session = door.session(&key, "2025-11-25").await;
        Self { door, source, key, session }
    }

    fn modern(&self, method: &str, params: Value) -> Ask {
        let ask = match params["uri"].as_str() {
            Some(uri) => Ask::modern(method, params.clone()).header("mcp-name", uri),
            None => Ask::modern(method, params),
        };
        ask.key(&self.key)
    }

    fn legacy(&self, method: &str, params: Value) -> Ask {
        Ask::legacy(Some(&self.session), method, params).key(&self.key)
    }

    /// Asks the same in both eras.
    async fn both(&self, method: &str, params: Value) -> (Got, Got) {
        let modern = self.door.ask(&self.modern(method, params.clone())).await;
        (modern, self.door.ask(&self.legacy(method, params)).await)
    }
}

fn result(got: &Got) -> &Value {
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    &got.answer()["result"]
}

#[tokio::test]
async fn what_a_preset_publishes_is_listed_in_both_eras() {
    for era in [Era::Modern, Era::Legacy] {
        let scene = Scene::of(era).await;
        let lists = [
            ("resources/list", "resources", json!([{"uri":"test://a","name":"a","x":1.5}])),
            (
                "resources/templates/list",
                "resourceTemplates",
                json!([{"uriTemplate":"test://item/{id}","name":"item"}]),
            ),
            ("prompts/list", "prompts", json!([{"name":"greet","arguments":[{"name":"who"}]}])),
        ];
        for (method, member, entries) in lists {
            let (modern, legacy) = scene.both(method, json!({})).await;
            assert_eq!(result(&modern)[member], entries, "{}", modern.text);
            assert_eq!(result(&modern)["cacheScope"], "private", "whatever the source says");
            assert_eq!(result(&legacy), &json!({ member: entries }));
            let wrong = scene.door.ask(&scene.modern(method, json!({"cursor":"x"}))).await;
            assert_eq!(wrong.answer()["error"]["code"], -32602);
        }
        let discover = scene.door.ask(&scene.modern("server/discover", json!({}))).await;
        let can = &result(&discover)["capabilities"];
        assert_eq!(can["resources"]["subscribe"], true, "{}", discover.text);
        assert!(can["prompts"].is_object() && can["completions"].is_object(), "{}", discover.text);
    }
}

#[tokio::test]
async fn a_resource_is_read_a_prompt_filled_in_and_an_argument_completed() {
    for era in [Era::Modern, Era::Legacy] {
        let scene = Scene::of(era).await;

        let (modern, legacy) = scene.both("resources/read", json!({"uri":"test://item/7"})).await;
        assert_eq!(result(&modern)["contents"][0]["uri"], "test://item/7");
        assert_eq!(result(&modern)["cacheScope"], "private");
        assert_eq!(result(&modern)["resultType"], "complete");
        assert!(modern.text.contains(r#""n":1.0"#));
        assert_eq!(result(&legacy).as_object().map(|members| members.len()), Some(1), "{}", legacy.text);

        let (modern, legacy) =
            scene.both("prompts/get", json!({"name":"greet","arguments":{"who":"x"}})).await;
        for got in [&modern, &legacy] {
            assert_eq!(result(got)["messages"][0]["content"]["text"], r#"{"who":"x"}"#);
        }
        let reference = json!({"type":"ref/prompt","name":"greet"});
        let argument = json!({"name":"who","value":""});
        let (modern, legacy) =
            scene.both("completion/complete", json!({"ref":reference,"argument":argument})).await;
        for got in [&modern, &legacy] {
            let values = result(got)["completion"]["values"].to_string();
            assert!(values.contains("greet"), "{}", got.text);
        }

        let (modern, legacy) = scene.both("resources/read", json!({"uri":"test://item/missing"})).await;
        assert_eq!(modern.answer()["error"]["code"], -32602, "{}", modern.text);
        let code = if era == Era::Legacy { -32002 } else { -32602 };
        assert_eq!(legacy.answer()["error"]["code"], code, "{}", legacy.text);

        scene.door.engine.audit.flush().await;
        let usage = scene.door.engine.quota.usage(scene.door.ada.user).await.expect("a store");
        assert_eq!(usage.used, 0, "only calls of tools are charged");
        for (action, subject, count) in [
            (Action::ResourceRead, "test://item/7", 4),
            (Action::PromptGet, "greet", 2),
            (Action::Completion, "greet", 2),
        ] {
            let filter = crate::store::EventFilter { action: Some(action), ..Default::default() };
            let events = scene.door.engine.audit.search(&scene.door.ada, &filter).await.expect("a store");
            assert_eq!(events.len(), count, "{action:?}");
            assert!(events.iter().any(|event| event.subject == subject && event.source_name == "scripted"));
        }
    }
}

#[tokio::test]
async fn what_a_preset_does_not_publish_reaches_no_source() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;
    let uri = json!({"uri":"test://a"});

    let read = Ask::modern("resources/read", uri.clone()).header("mcp-name", "test://a").key(&key);
    let get = Ask::modern("prompts/get", json!({"name":"greet"})).key(&key);
    let complete = json!({"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"a","value":""}});
    let complete = Ask::modern("completion/complete", complete).key(&key);
    for ask in [read, get, complete] {
        let got = door.ask(&ask).await;
        assert_eq!(got.answer()["error"]["code"], -32602, "{}", got.text);
    }
    let wanted = json!({"notifications":{"resourceSubscriptions":["test://a"],"resourcesListChanged":true}});
    let mut listening = Events::of(door.send(&Ask::modern("subscriptions/listen", wanted).key(&key)).await);
    let first = listening.message().await.expect("the acknowledgement");
    assert_eq!(first["params"]["notifications"], json!({}));
    for method in ["resources/read", "resources/subscribe"] {
        let got = door.ask(&Ask::legacy(Some(&session), method, uri.clone()).key(&key)).await;
        assert_eq!(got.answer()["error"]["code"], -32002, "{}", got.text);
    }
    assert!(source.script.watched.borrow().is_empty());
}

#[tokio::test]
async fn a_resource_may_ask_before_it_is_read() {
    let scene = Scene::of(Era::Modern).await;
    let read = || {
        let can = json!({"elicitation":{}});
        scene.modern("resources/read", json!({"uri":"test://item/asks"})).declaring(can)
    };

    let first = scene.door.ask(&read()).await;
    assert_eq!(result(&first)["resultType"], "input_required", "{}", first.text);
    let state = result(&first)["requestState"].clone();
    let second = scene.door.ask(&read().with(json!({"requestState":state,"inputResponses":{"a":{}}}))).await;
    assert!(second.text.contains(r#"\"requestState\":\"inner\""#), "{}", second.text);
    let undeclared = scene.door.ask(&read().declaring(json!({}))).await;
    assert_eq!(undeclared.status, StatusCode::BAD_REQUEST);
    let legacy = scene.door.ask(&scene.legacy("resources/read", json!({"uri":"test://item/asks"}))).await;
    assert_eq!(legacy.answer()["error"]["code"], -32603, "{}", legacy.text);
}

#[tokio::test]
async fn a_watched_resource_is_told_of_on_either_kind_of_stream() {
    for era in [Era::Modern, Era::Legacy] {
        let scene = Scene::of(era).await;
        let say = || {
            let told = json!({"uri":"test://a","x":1.5});
            let news = ("notifications/resources/updated".to_owned(), told);
            scene.source.script.news.send(news).expect("the source is listened to");
        };
        let get = Ask::get(Some(&scene.session)).key(&scene.key);
        let mut legacy = Events::of(scene.door.send(&get).await);
        let wanted = json!({"notifications":{"resourceSubscriptions":["test://a"]}});
        let mut modern = Events::of(scene.door.send(&scene.modern("subscriptions/listen", wanted)).await);
        let first = modern.message().await.expect("the acknowledgement");
        assert_eq!(first["params"]["notifications"], json!({"resourceSubscriptions":["test://a"]}));

        // Whoever is told that it listens misses nothing from there on.
        say();
        let news = modern.message().await.expect("news");
        assert_eq!(news["method"], "notifications/resources/updated");
        assert_eq!((&news["params"]["uri"], &news["params"]["x"]), (&json!("test://a"), &json!(1.5)));
        assert_eq!(news["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
        let subscribed =
            scene.door.ask(&scene.legacy("resources/subscribe", json!({"uri":"test://a"}))).await;
        assert_eq!(result(&subscribed), &json!({}));
        say();
        let news = legacy.message().await.expect("news");
        assert_eq!(news["method"], "notifications/resources/updated");
        assert_eq!(news["params"], json!({"uri":"test://a","x":1.5}), "no sign of another stream");

        let mut watched = scene.source.script.watched.subscribe();
        drop(modern);
        scene.door.ask(&scene.legacy("resources/unsubscribe", json!({"uri":"test://a"}))).await;
        if era == Era::Legacy {
            watched.wait_for(Vec::is_empty).await.expect("the last one who watches ends it");
        }
    }
}

#[tokio::test]
async fn what_changes_while_a_stream_is_broken_is_told_once_to_whoever_comes_back() {
    let scene = Scene::of(Era::Legacy).await;
    let say = |n: i32| {
        let part = json!({"uri": format!("test://a/{n}")});
        let news = ("notifications/resources/updated".to_owned(), part);
        scene.source.script.news.send(news).expect("the source is listened to");
    };
    scene.door.ask(&scene.legacy("resources/subscribe", json!({"uri":"test://a"}))).await;
    let get = Ask::get(Some(&scene.session)).key(&scene.key);
    let mut broken = Events::of(scene.door.send(&get).await);
    assert!(broken.next().await.is_some_and(|primed| primed.data.is_empty()));
    say(1);
    let seen = broken.next().await.expect("news").id.expect("an id to come back with");

    drop(broken);
    say(2);
    say(3);
    let mut resumed = Events::of(scene.door.send(&get.header("last-event-id", &seen)).await);
    let mut told = Vec::new();
    for n in 4..7 {
        told.push(resumed.message().await.expect("news")["params"]["uri"].clone());
        say(n);
    }
    told.push(resumed.message().await.expect("news")["params"]["uri"].clone());

    assert_eq!(told, [2, 3, 4, 5].map(|n| format!("test://a/{n}")));
}

#[tokio::test]
async fn whoever_was_away_for_long_is_told_that_everything_may_have_changed() {
    let mut scene = Scene::of(Era::Legacy).await;
    scene.door.replace_proxy(|patience| patience.back = Duration::ZERO);
    scene.session = scene.door.session(&scene.key, "2025-11-25").await;
    scene.door.ask(&scene.legacy("resources/subscribe", json!({"uri":"test://a"}))).await;
    let mut watched = scene.source.script.watched.subscribe();
    let get = Ask::get(Some(&scene.session)).key(&scene.key);
    let mut broken = Events::of(scene.door.send(&get).await);
    let seen = broken.next().await.expect("it opens").id.expect("an id to come back with");

    drop(broken);
    watched.wait_for(Vec::is_empty).await.expect("nobody watches any more");
    let mut resumed = Events::of(scene.door.send(&get.header("last-event-id", &seen)).await);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(resumed.message().await.expect("news")["method"].as_str().expect("a name").to_owned());
    }

    told.sort();
    let list = |kind: &str| format!("notifications/{kind}/list_changed");
    let updated = "notifications/resources/updated".to_owned();
    assert_eq!(told, [list("prompts"), list("resources"), updated, list("tools")]);
}

#[tokio::test]
async fn a_list_that_really_changed_is_told_and_no_other() {
    for era in [Era::Modern, Era::Legacy] {
        let scene = Scene::of(era).await;
        let wanted = json!({"notifications":{"resourcesListChanged":true,"toolsListChanged":true}});
        let mut modern = Events::of(scene.door.send(&scene.modern("subscriptions/listen", wanted)).await);
        assert!(modern.message().await.is_some());
        let get = Ask::get(Some(&scene.session)).key(&scene.key);
        let mut legacy = Events::of(scene.door.send(&get).await);
        // The source is listened to before that is acknowledged, so nothing is waited for here.
        let say = |method: &str| {
            scene.source.script.news.send((method.to_owned(), json!({}))).expect("a listener");
        };

        say("notifications/tools/list_changed");
        *scene.source.script.grown.lock().expect("no panics") = true;
        say("notifications/resources/list_changed");
        say("notifications/resources/list_changed");

        for events in [&mut modern, &mut legacy] {
            let news = events.message().await.expect("news");
            assert_eq!(news["method"], "notifications/resources/list_changed", "the tools are the same");
        }
        let (list, _) = scene.both("resources/list", json!({})).await;
        assert_eq!(result(&list)["resources"].as_array().map(Vec::len), Some(2));
    }
}
