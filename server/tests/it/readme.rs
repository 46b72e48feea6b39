//! What README.md tells people to type, taken from it and typed.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::{
    call::Call,
    cluster::Cluster,
    running::{Place, until},
    world::PASSWORD,
};

const README: &str = include_str!("../../../README.md");

/// Stands for the package runner, which would ask the network, where the document looks for it first:
/// an MCP server in the shell that only runs when it is asked for what the document asks for.
const NPX: &str = r#"#!/bin/sh
[ "$*" = "-y @modelcontextprotocol/server-everything" ] || exit 64
while read -r line; do
  id=$(echo "$line" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
  case "$line" in
    *server/discover*) echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"no"}}' ;;
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}' ;;
    *tools/list*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}' ;;
    *tools/call*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"content":[{"type":"text","text":"from the document"}]}}' ;;
  esac
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_the_readme_applies_and_its_key_calls() {
    let place = Place::new();
    let bin = place.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("npx"), NPX).unwrap();
    std::fs::set_permissions(bin.join("npx"), PermissionsExt::from_mode(0o755)).unwrap();
    let printed = block("yaml", "version: 1");
    let document = printed.replace("\"/usr/local/bin:", &format!("\"{}:", bin.display()));
    assert_ne!(document, printed, "the document says where programs are");
    std::fs::write(place.path("door.yaml"), document).unwrap();
    std::fs::write(place.path("ada.password"), format!("{PASSWORD}\n")).unwrap();

    let (status, said) = place.run(&["apply", "door.yaml"]).await;
    assert!(status.success() && said.contains("4 added") && said.contains("1 tools"), "{said}");
    let (status, said) = place.run(&["apply", "door.yaml"]).await;
    assert!(status.success() && said.contains("4 as declared"), "{said}");
    let server = place.serve().await;
    let call = Call::tool("echo", json!({})).at("/mcp/ada/everything").key(&place.key("laptop.key"));
    let answer = server.send(call.request()).await;
    server.stop().await;

    assert_eq!(answer.tool_text(), ("from the document".to_owned(), false), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_the_readme_prepare_postgres_and_its_line_serves() {
    let Some(cluster) = Cluster::start_with_passwords().await else { return };
    let statements = block("sql", "create role");
    for statement in statements.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        cluster.execute(statement).await;
    }
    let line = block("sh", "DOORWARD_DATABASE_URL=");
    let here = line.replace("@db/", &format!("@127.0.0.1:{}/", cluster.port()));
    assert_ne!(here, line, "the line names the machine of the database");

    let mut place = Place::new();
    std::fs::create_dir(place.path("bin")).unwrap();
    let program = env!("CARGO_BIN_EXE_doorward");
    std::os::unix::fs::symlink(program, place.path("bin/doorward")).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    // The line itself, in place of what the test would start. `exec`, so that it is what is stopped.
    place.through = ["/bin/sh".to_owned(), "-c".to_owned(), format!("exec env {}", here.trim())].into();
    let place = place.with("PATH", &path);
    let server = place.serve().await;
    let ready = async || {
        let request = crate::world::request(http::Method::GET, "/ready");
        server.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    until("it is ready", async || ready().await.status.is_success()).await;
    server.stop().await;

    assert!(!place.database().exists(), "nothing is kept in a file");
    let migrated = "select count(*) from pg_tables where tablename = 'audit_blocks'";
    assert_eq!(cluster.count(migrated).await, 1);
}

/// Returns the block of code of this language that begins so.
fn block(language: &str, begins: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let blocks = README.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next());
    let mut fitting = blocks.filter(|block| block.starts_with(begins));
    let block =
        fitting.next().unwrap_or_else(|| panic!("README.md has no {language} that begins `{begins}`"));
    assert!(fitting.next().is_none(), "README.md has two of them");
    block
}
