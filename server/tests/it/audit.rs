//! The audit log over REST: searched, page by page, and as a file.

use doorward::{
    clock::Ms,
    model::{Action, InstanceRole, RunEvent},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Person, World};

async fn get(world: &World, person: &Person, path: &str) -> (StatusCode, String) {
    let answer = world.api(person, Method::GET, path, None).await;
    (answer.status, answer.body)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test]
async fn what_happened_is_found_by_filter_and_page_by_page() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Admin).await;
    for slug in ["a", "b", "c"] {
        world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": slug}))).await;
    }
    world.engine.audit.flush().await;

    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/audit?action=preset_change&limit=2{after}");
        let page: Value = serde_json::from_str(&get(&world, &ada, &path).await.1).unwrap();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|event| event["preset_slug"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["c", "b", "a"], "the newest first, each once");

    let (_, found) = get(&world, &ada, "/api/v1/audit?text=B&action=preset_change").await;
    let found: Value = serde_json::from_str(&found).unwrap();
    let event = &found["items"][0];
    assert_eq!((&event["principal"], &event["outcome"]), (&json!("ada"), &json!("ok")), "{found}");
    let path = format!("/api/v1/audit/{}", event["id"].as_str().unwrap());
    assert_eq!(serde_json::from_str::<Value>(&get(&world, &ada, &path).await.1).unwrap(), *event);
    assert_eq!(get(&world, &bob, &path).await.0, StatusCode::NOT_FOUND, "of another organisation");
    let (_, others) = get(&world, &bob, "/api/v1/audit/export.jsonl?action=preset_change").await;
    assert_eq!(others, "");
}

#[tokio::test]
async fn a_question_that_is_not_understood_is_refused_with_what_would_be_right() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    for (query, right) in [
        ("outcome=splendid", "`ok`"),
        ("action=dance", "`tool_call`"),
        ("from=yesterday", "2026-11-21T06:30:00Z"),
        ("preset=x", "the id of a preset"),
        ("after=x", "the `next` of a page"),
        ("span=1h", "unknown field"),
    ] {
        for path in ["/api/v1/audit", "/api/v1/audit/export.csv", "/api/v1/audit/export.jsonl"] {
            let (status, body) = get(&world, &ada, &format!("{path}?{query}")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}?{query}: {body}");
            assert!(body.contains(right), "{path}?{query}: {body}");
        }
    }
    let (status, body) = get(&world, &ada, "/api/v1/audit?limit=201").await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("from 1 to 200"), "{body}");
}

#[tokio::test]
async fn a_file_holds_every_event_once() {
    const CALLS: usize = 2100;
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let begin = world.engine.clock.now();
    for number in 0..CALLS {
        let at = Ms(begin.0 + i64::try_from(number).unwrap());
        let event = RunEvent::new(ada.member.tenant, at, Action::ToolCall);
        world.engine.audit.record(RunEvent { subject: format!("tool-{number}"), ..event });
    }
    world.engine.audit.flush().await;

    let (status, file) = get(&world, &ada, "/api/v1/audit/export.jsonl?action=tool_call").await;
    let events = lines(&file);
    assert_eq!((status, events.len()), (StatusCode::OK, CALLS));
    let subjects: Vec<_> = events.iter().map(|event| event["subject"].as_str().unwrap().to_owned()).collect();
    let newest_first: Vec<_> = (0..CALLS).rev().map(|number| format!("tool-{number}")).collect();
    assert_eq!(subjects, newest_first);

    let (_, table) = get(&world, &ada, "/api/v1/audit/export.csv?action=tool_call&limit=1500").await;
    assert_eq!(table.lines().count(), 1 + 1500);
    assert!(table.starts_with("at,action,outcome,reason,"), "{}", &table[..80]);
    let path =
        format!("/api/v1/audit/export.jsonl?action=tool_call&after={}", events[2097]["id"].as_str().unwrap());
    assert_eq!(lines(&get(&world, &ada, &path).await.1), events[2098..]);
    let (_, empty) = get(&world, &ada, "/api/v1/audit/export.csv?tool=none").await;
    assert_eq!(empty.lines().count(), 1, "the names of the columns");
}
