//! What the settings of sources that are processes do.

use doorward::model::InstanceRole;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    call::Call,
    running::{lives, until},
    world::{Person, World},
};

/// An MCP server in the shell that writes down its process.
const PROCESS: &str = r#"
echo $$ >> "$1"
while read -r line; do
  id=$(echo "$line" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
  case "$line" in
    *server/discover*) echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"no"}}' ;;
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}' ;;
    *tools/list*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}' ;;
    *tools/call*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"content":[{"type":"text","text":"from the shell"}]}}' ;;
  esac
done
"#;

#[tokio::test]
async fn stdio_processes_max_bounds_the_processes_of_sources() {
    let world = World::with(&[("DOORWARD_STDIO_PROCESSES_MAX", "1")]).await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;

    let (first, second) = (process(&world, &root, "first").await, process(&world, &root, "second").await);
    let sources = [&first, &second].map(|made| made["source"]["id"].clone());
    for (slug, source) in ["one", "two"].into_iter().zip(&sources) {
        let new = json!({"slug": slug, "sources": [{"source": source, "all": true}]});
        let made = world.api(&root, Method::POST, "/api/v1/presets", Some(new)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let call = async |path: &str| {
        let call = Call::tool("echo", json!({})).at(path).key(&root.key);
        world.send(call.request()).await.tool_text()
    };

    let one = call("/mcp/root-of-all/one").await;
    let (said, two_fails) = call("/mcp/root-of-all/two").await;

    assert_eq!(one, ("from the shell".to_owned(), false));
    assert!(two_fails && said.contains("too much to do"), "{said}");
}

#[tokio::test]
async fn stdio_idle_secs_ends_a_process_nobody_uses() {
    let world = World::with(&[("DOORWARD_STDIO_IDLE_SECS", "1")]).await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;
    let made = process(&world, &root, "first").await;
    let new = json!({"slug": "one", "sources": [{"source": made["source"]["id"], "all": true}]});
    world.api(&root, Method::POST, "/api/v1/presets", Some(new)).await;
    let call = Call::tool("echo", json!({})).at("/mcp/root-of-all/one").key(&root.key);
    assert!(!world.send(call.request()).await.tool_text().1);
    let pids = std::fs::read_to_string(world.folder.path().join("pids")).unwrap();

    assert!(pids.lines().any(|pid| lives(pid.parse().unwrap())), "it is kept for the next call");

    until("no process is left", async || {
        world.engine.upstreams.end_idle();
        pids.lines().all(|pid| !lives(pid.parse().unwrap()))
    })
    .await;
}

/// Adds a source that is a process, and returns what the API says of it.
async fn process(world: &World, root: &Person, name: &str) -> Value {
    let script = world.folder.path().join("source.sh");
    std::fs::write(&script, PROCESS).unwrap();
    let pids = world.folder.path().join("pids");
    let new = json!({
        "name": name, "kind": "mcp_stdio", "command": ["/bin/sh", script, pids],
        "env": {"PATH": "/usr/bin:/bin"},
    });
    let made = world.api(root, Method::POST, "/api/v1/datasources", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.json()
}
