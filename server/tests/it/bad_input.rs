//! Bad calls: a clear error, and nothing reached, charged or held on to. Bad addresses are tried in
//! `bad_addresses.rs`, bad edits in `bad_edits.rs`.

use axum::body::Body;
use doorward::{model::InstanceRole, store::EventFilter};
use http::{Method, StatusCode, header};
use serde_json::json;

use crate::{
    call::Call,
    scripted::{Scripted, give_tools},
    world::{Person, World, request},
};

/// An installation in which ada has the preset `tools` of a scripted source.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) ada: Person,
    pub(crate) source: Scripted,
    pub(crate) preset: String,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        let variables = [("DOORWARD_CALL_TIMEOUT_MS", "300"), ("DOORWARD_RESPONSE_BYTES_MAX", "100000")];
        let world = World::with(&variables).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let source = Scripted::start().await;
        let (_, preset) = give_tools(&world, &ada, &source, json!({})).await;
        Self { world, ada, source, preset }
    }

    /// Sends a call with ada's key.
    pub(crate) async fn send(&self, call: Call) -> crate::world::Answer {
        self.world.send(call.key(&self.ada.key).request()).await
    }

    pub(crate) async fn used(&self) -> i64 {
        let usage = self.world.api(&self.ada, Method::GET, "/api/v1/usage", None).await;
        usage.json()["calls_used"].as_i64().unwrap()
    }

    /// Returns subject, outcome and reason of what happened, newest first.
    pub(crate) async fn events(&self) -> Vec<(String, String, String)> {
        self.world.engine.audit.flush().await;
        let filter = EventFilter { limit: 100, ..EventFilter::default() };
        let events = self.world.engine.audit.search(&self.ada.member, &filter).await.unwrap();
        events
            .into_iter()
            .map(|event| (event.subject, event.outcome.word().to_owned(), event.reason))
            .collect()
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_before_anything_is_done() {
    let scene = Scene::open().await;
    let deep = |open: &str, close: &str| {
        let value = format!("{}{}", open.repeat(10_000), close.repeat(10_000));
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{value}}}}}"#
        )
    };
    let good = Call::tool("echo", json!({})).body;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    let table = [
        (String::new(), -32700),
        ("{".to_owned(), -32700),
        ("\u{feff}{}".to_owned(), -32700),
        (format!("{good} {good}"), -32700),
        (format!("{good}\0"), -32700),
        ("null".to_owned(), -32600),
        ("\"tools/call\"".to_owned(), -32600),
        ("{}".to_owned(), -32600),
        (format!("[{good}]"), -32600),
        ("[]".to_owned(), -32600),
        (format!("[{call},{call}]"), -32600),
        (call.replace("2.0", "1.0"), -32600),
        (call.replace("\"id\":1", "\"id\":1,\"id\":2"), -32600),
        (call.replace("\"id\":1", "\"id\":null"), -32600),
        (call.replace("\"id\":1", "\"id\":1.5"), -32600),
        (call.replace("\"id\":1", "\"id\":{}"), -32600),
        (call.replace("\"id\":1", "\"id\":[1]"), -32600),
        (call.replace("\"tools/call\"", "7"), -32600),
        (call.replace("\"method\"", "\"method\":\"ping\",\"method\""), -32600),
        (call.replace("{\"name\":\"echo\"}", "[\"echo\"]"), -32602),
        (call.replace("\"name\":\"echo\"", "\"name\":\"echo\",\"name\":\"slow\""), -32600),
        (deep("[", "]"), -32600),
        (deep("{\"a\":", "}"), -32600),
        (deep("[", ""), -32600),
    ];

    for (body, code) in table {
        let shown: String = body.chars().take(100).collect();
        let answer = scene.send(Call::raw(body)).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, Some(code)),
            "{shown}: {}",
            answer.body
        );
    }
    assert!(scene.source.calls().is_empty());
    assert_eq!(scene.used().await, 0);
}

#[tokio::test]
async fn headers_that_contradict_the_body_or_each_other_are_refused() {
    let scene = Scene::open().await;
    let call = || Call::tool("echo", json!({}));
    let table = [
        ("no revision", call().without("mcp-protocol-version")),
        (
            "another revision",
            call().without("mcp-protocol-version").header("mcp-protocol-version", "2025-11-25"),
        ),
        ("two revisions", call().header("mcp-protocol-version", "2026-07-28")),
        ("no method", call().without("mcp-method")),
        ("another method", call().without("mcp-method").header("mcp-method", "tools/list")),
        ("two methods", call().header("mcp-method", "tools/call")),
        ("no name", call().without("mcp-name")),
        ("another name", call().without("mcp-name").header("mcp-name", "slow")),
        ("a name in other letters", call().without("mcp-name").header("mcp-name", "Echo")),
        ("two names", call().header("mcp-name", "echo")),
        ("two names that differ", call().header("mcp-name", "slow")),
        ("a name and a list", call().without("mcp-name").header("mcp-name", "echo, slow")),
        ("a name that is no text", call().without("mcp-name").header("mcp-name", "=?base64?/////w==?=")),
    ];

    for (what, call) in table {
        let answer = scene.send(call).await;

        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, Some(-32020)),
            "{what}: {}",
            answer.body
        );
    }
    let future = call().body.replace("2026-07-28", "2027-01-01");
    let future = Call::raw(future).header("mcp-protocol-version", "2027-01-01");
    let future = scene.send(future.header("mcp-method", "tools/call").header("mcp-name", "echo")).await;
    assert_eq!((future.status, future.code()), (StatusCode::BAD_REQUEST, Some(-32022)), "{}", future.body);
    assert!(scene.source.calls().is_empty());
    assert_eq!(scene.used().await, 0);
}

#[tokio::test]
async fn two_credentials_are_none() {
    let scene = Scene::open().await;
    let key = &scene.ada.key;
    let bob = scene.world.person("bob", InstanceRole::Member).await;
    let call = || Call::tool("echo", json!({}));
    let table = [
        ("the same twice", call().key(key).key(key)),
        ("the right one second", call().key(&bob.key).key(key)),
        ("the right one first", call().key(key).header("authorization", "Basic YTpi")),
        ("a list", call().header("authorization", &format!("Bearer {key}, Bearer {key}"))),
        ("another scheme", call().header("authorization", &format!("Basic {key}"))),
        ("no scheme", call().header("authorization", key)),
        ("nothing", call().header("authorization", "")),
        ("a proxy's header", call().header("proxy-authorization", &format!("Bearer {key}"))),
        ("a header of some other gateway", call().header("x-api-key", key).header("secret-api-key", key)),
        ("a name instead", call().header("x-forwarded-user", "ada").header("x-remote-user", "ada")),
        ("a cookie of the console", call().header("cookie", &scene.ada.cookie)),
        ("in the address", call().at(&format!("/mcp/ada/tools?api_key={key}&access_token={key}"))),
    ];

    for (what, call) in table {
        let answer = scene.world.send(call.request()).await;

        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.body);
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE), "{what}");
    }
    assert!(scene.source.calls().is_empty());
}

#[tokio::test]
async fn five_mebibytes_are_too_much_for_everything_that_takes_a_body() {
    let scene = Scene::open().await;
    let large = "x".repeat(5 * 1024 * 1024);

    let call = scene.send(Call::tool("echo", json!({ "text": large }))).await;
    let mut answers = vec![("a call", call)];
    for (path, kind) in [
        ("/api/v1/presets", "application/json"),
        ("/api/v1/apply", "application/yaml"),
        ("/do/preset-create", "application/x-www-form-urlencoded"),
        ("/do/sign-in", "application/x-www-form-urlencoded"),
    ] {
        let request = request(Method::POST, path)
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, &scene.ada.cookie)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(format!("slug={large}")));
        answers.push((path, scene.world.send(request.unwrap()).await));
    }

    for (what, answer) in answers {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{what}: {}", answer.body);
        assert!(answer.body.len() < 10_000, "{what} quotes what it refuses");
    }
}

#[tokio::test]
async fn documents_that_nest_or_multiply_are_refused() {
    let scene = Scene::open().await;
    let deep = "[".repeat(10_000);
    let bomb: String =
        (1..30).map(|n| format!("k{n}: &a{n} [*a{p},*a{p},*a{p},*a{p}]\n", p = n - 1)).collect();
    let table = [
        ("/api/v1/presets", "application/json", format!("{{\"slug\":{deep}")),
        (
            "/api/v1/presets",
            "application/json",
            format!("{{\"slug\":\"a\",\"sources\":{deep}{}}}", "]".repeat(10_000)),
        ),
        ("/api/v1/apply", "application/yaml", format!("version: 1\nusers: {deep}{}", "]".repeat(10_000))),
        ("/api/v1/apply", "application/yaml", format!("version: 1\nusers: {deep}")),
        ("/api/v1/apply", "application/yaml", format!("k0: &a0 [x]\n{bomb}version: *a29\n")),
        (
            "/api/v1/apply",
            "application/yaml",
            format!(
                "version: 1\nusers:\n{}",
                (0..10_000).map(|n| format!("{}-\n", " ".repeat(n % 500))).collect::<String>()
            ),
        ),
    ];

    for (path, kind, body) in table {
        let shown: String = body.chars().take(40).collect();
        let request = request(Method::POST, path)
            .header(header::AUTHORIZATION, format!("Bearer {}", scene.ada.key))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body));
        let answer = scene.world.send(request.unwrap()).await;

        assert!(answer.status.is_client_error(), "{path} {shown}: {} {}", answer.status, answer.body);
        assert!(answer.body.len() < 2_000, "{path} {shown} quotes what it refuses");
    }
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_named_briefly_and_written_down_briefly() {
    let scene = Scene::open().await;
    let long = "\u{202e}é".repeat(500_000);

    let short = scene.send(Call::tool("nothing", json!({}))).await;
    let long = scene
        .send(
            Call::raw(Call::tool(&long, json!({})).body)
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", "x"),
        )
        .await;
    let session = scene.send(Call::raw(json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}).to_string())).await;
    let session = session.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let name = "\u{202e}é".repeat(500_000);
    let legacy = json!({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":name}}).to_string();
    let legacy = scene.send(Call::raw(legacy).header("mcp-session-id", &session)).await;
    let method = json!({"jsonrpc":"2.0","id":1,"method":name}).to_string();
    let method = scene.send(Call::raw(method).header("mcp-session-id", &session)).await;

    assert_eq!((short.status, short.code()), (StatusCode::OK, Some(-32602)), "{}", short.body);
    assert_eq!(long.code(), Some(-32020), "{}", long.body);
    assert_eq!((legacy.code(), method.code()), (Some(-32602), Some(-32601)));
    assert!(
        legacy.body.len() < 2_000 && method.body.len() < 2_000,
        "{} {}",
        legacy.body.len(),
        method.body.len()
    );
    assert!(!legacy.body.contains('\u{202e}'), "what turns text around is written as its number");
    let events = scene.events().await;
    assert!(events.iter().all(|(subject, _, reason)| subject.len() <= 512 && reason.len() <= 512));
    assert_eq!(events.iter().filter(|(_, outcome, _)| outcome == "caller").count(), 2, "{events:?}");
    assert_eq!(scene.used().await, 0);
}

#[tokio::test]
async fn arguments_that_break_the_schema_do_not_reach_the_source() {
    let scene = Scene::open().await;

    for arguments in
        [json!({}), json!({"n": "secret-word"}), json!({"n": 1.5}), json!([1]), json!("n"), json!(null)]
    {
        let (text, is_error) = scene.send(Call::tool("strict", arguments.clone())).await.tool_text();
        assert!(is_error && !text.is_empty(), "{arguments}: {text}");
    }
    let fits = scene.send(Call::tool("strict", json!({"n": 1}))).await.tool_text();

    assert_eq!(fits, (r#"{"n":1}"#.to_owned(), false));
    assert_eq!(scene.source.calls().len(), 1);
    let events = scene.events().await;
    assert!(events.iter().all(|(_, _, reason)| !reason.contains("secret-word")), "{events:?}");
}

#[tokio::test]
async fn a_source_that_misbehaves_fails_its_own_call_only() {
    let scene = Scene::open().await;
    let table = [
        ("silent", "did not answer within"),
        ("html", "does not answer as an MCP server"),
        ("garbage", "does not answer as an MCP server"),
        ("dies", "went away in the middle"),
        ("huge", "more than the 100000 bytes"),
    ];

    for (tool, words) in table {
        let answer = scene.send(Call::tool(tool, json!({}))).await;
        let (text, is_error) = answer.tool_text();
        assert!(
            answer.status == StatusCode::OK && is_error && text.contains(words),
            "{tool}: {}",
            answer.body
        );
        assert!(!answer.body.contains("<script") && !answer.body.contains(&scene.source.address.to_string()));
        let after = scene.send(Call::tool("echo", json!({"after": tool}))).await.tool_text();
        assert_eq!(after, (json!({"after": tool}).to_string(), false));
    }

    let events = scene.events().await;
    for (tool, _) in table {
        let ended: Vec<_> = events.iter().filter(|(subject, _, _)| subject == tool).collect();
        assert_eq!(ended.len(), 1, "{tool} is written down once: {events:?}");
        assert_eq!(ended[0].1, "upstream");
    }
    assert_eq!(scene.used().await, 10);
}

#[tokio::test]
async fn nothing_of_the_caller_travels_to_the_source() {
    let scene = Scene::open().await;
    let call = Call::tool("echo", json!({"a": 1}))
        .header("cookie", &scene.ada.cookie)
        .header("x-forwarded-for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9")
        .header("x-forwarded-host", "evil.example")
        .header("x-original-url", "/admin")
        .header("x-upstream-host", "evil.example")
        .header("proxy-authorization", "Basic c2VjcmV0")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "secret-hop")
        .header("mcp-session-id", "0123456789abcdef0123456789abcdef");

    let answer = scene.send(call).await;

    assert!(!answer.tool_text().1, "{}", answer.body);
    let key_secret = scene.ada.key.rsplit('_').next().unwrap();
    let cookie = scene.ada.cookie.split('=').nth(1).unwrap();
    for head in scene.source.heads() {
        let text = format!("{head:?}");
        for secret in
            [key_secret, cookie, "203.0.113.9", "evil.example", "c2VjcmV0", "secret-hop", "0123456789abcdef"]
        {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        assert!(!head.contains_key(header::AUTHORIZATION) && !head.contains_key(header::COOKIE), "{text}");
    }
}
