//! The tasks extension, modern to modern.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    door::{Ask, Door},
    script::Scripted,
};
use crate::model::{Era, KeyScope, Visibility};

fn with_tasks() -> Value {
    json!({"extensions":{"io.modelcontextprotocol/tasks":{}}})
}

fn ask(method: &str, task: &str, key: &str) -> Ask {
    Ask::modern(method, json!({"taskId":task})).header("mcp-name", task).declaring(with_tasks()).key(key)
}

#[tokio::test]
async fn a_task_is_known_by_a_name_that_leads_back_to_its_source() {
    let door = Door::open().await;
    let source = Scripted::start(Era::Modern).await;
    let selection = door.add_source("scripted", &source).await;
    door.add_preset("tools", Visibility::Public, false, vec![selection]).await;
    let key = door.key(KeyScope::Everything).await;
    let eve = door.stranger().await;
    let (_, stranger) = door.key_of(&eve, KeyScope::Everything).await;

    let begun = door.ask(&Ask::modern_call("begins_task", json!({})).declaring(with_tasks()).key(&key)).await;
    let result = &begun.answer()["result"];
    assert_eq!(
        (&result["resultType"], &result["status"]),
        (&json!("task"), &json!("working")),
        "{}",
        begun.text
    );
    let name = result["taskId"].as_str().expect("a name");
    assert_ne!(name, "t 1");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let got = door.ask(&ask(method, name, &key)).await;
        assert_eq!(got.answer()["result"]["taskId"], name, "{}", got.text);
        assert_eq!(got.answer()["result"]["resultType"], "complete");
    }
    let asked = source.script.tasks.lock().expect("no panics").clone();
    assert_eq!(asked.len(), 3);
    assert!(
        asked
            .iter()
            .all(|(headers, body)| headers["mcp-name"] == "t 1" && body.contains(r#""taskId":"t 1""#))
    );

    for wrong in
        [ask("tasks/get", name, &stranger), ask("tasks/get", "t 1", &key), ask("tasks/get", "", &key)]
    {
        let got = door.ask(&wrong).await;
        assert_eq!(got.answer()["error"]["code"], -32602, "{}", got.text);
    }
    let undeclared = door.ask(&ask("tasks/get", name, &key).declaring(json!({}))).await;
    assert_eq!(undeclared.status, StatusCode::BAD_REQUEST);
    assert_eq!(undeclared.answer()["error"]["code"], -32021);
    assert_eq!(undeclared.answer()["error"]["data"]["requiredCapabilities"], with_tasks());
    assert_eq!(source.script.tasks.lock().expect("no panics").len(), 3, "none of them reached the source");
}

#[tokio::test]
async fn a_task_begun_for_somebody_who_cannot_follow_it_is_refused() {
    let (door, source) = Door::with_source(Era::Modern).await;
    let key = door.key(KeyScope::Everything).await;
    let session = door.session(&key, "2025-11-25").await;

    let modern = door.ask(&Ask::modern_call("begins_task", json!({})).key(&key)).await;
    let legacy = Ask::legacy(Some(&session), "tools/call", json!({"name":"begins_task"})).key(&key);
    let legacy = door.ask(&legacy).await;

    assert_eq!(modern.answer()["error"]["code"], -32021, "{}", modern.text);
    assert_eq!(legacy.answer()["result"]["isError"], true, "{}", legacy.text);
    assert!(source.script.bodies().iter().all(|body| !body.contains("modelcontextprotocol/tasks")));
}

#[tokio::test]
async fn tasks_are_offered_only_where_a_modern_source_has_them() {
    for era in [Era::Modern, Era::Legacy] {
        let (door, _source) = Door::with_source(era).await;
        let key = door.key(KeyScope::Everything).await;

        let offer = door.ask(&Ask::modern("server/discover", json!({})).key(&key)).await;

        let extensions = &offer.answer()["result"]["capabilities"]["extensions"];
        match era {
            Era::Modern => assert_eq!(extensions, &json!({"io.modelcontextprotocol/tasks":{}})),
            Era::Legacy => assert_eq!(extensions, &Value::Null, "{}", offer.text),
        }
        assert!(!offer.text.contains("skills"), "nobody relays them");
    }
}

#[tokio::test]
async fn a_tool_that_must_be_a_task_is_refused_where_it_cannot_be_one() {
    let (door, _source) = Door::with_source(Era::Legacy).await;
    let key = door.key(KeyScope::Everything).await;
    let call = Ask::modern_call("wants_tasks", json!({})).key(&key);

    let able = door.ask(&call.clone().declaring(with_tasks())).await;
    let unable = door.ask(&call).await;

    assert_eq!(able.answer()["result"]["isError"], true, "it has what is missed: {}", able.text);
    assert!(able.content_text().contains("2025-11-25"), "{}", able.text);
    assert_eq!(unable.answer()["error"]["code"], -32021, "{}", unable.text);
}
