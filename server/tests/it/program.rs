//! The program itself: started, driven from the command line, called through, and stopped.

#![expect(clippy::disallowed_methods, reason = "the program under test is a process")]

use std::{
    io::{BufRead, BufReader, Write},
    net::Ipv4Addr,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How long anything of this may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn from_a_document_to_a_call_through_connect_and_an_orderly_end() {
    let source = scripted_source().await;
    let tried = tokio::task::spawn_blocking(move || story(&source)).await;
    tried.unwrap();
}

fn story(source: &str) {
    let shop = Shop::new();
    shop.write("ada.password", "correct horse battery");
    shop.write(
        "door.yaml",
        &format!(
            "version: 1\nusers: [{{handle: ada, email: ada@example.org, password_file: ada.password, role: admin}}]\n\
             sources: [{{owner: ada, name: echo, kind: mcp_http, url: '{source}'}}]\n\
             presets: [{{owner: ada, slug: tools, tools: [{{source: echo, allow: all}}]}}]\n\
             keys: [{{owner: ada, name: agent, secret_file: agent.key}}]\n"
        ),
    );

    let dry = shop.run(&["apply", "door.yaml", "--dry-run"]);
    assert!(text(&dry).contains("4 would be added"), "{}", text(&dry));
    let applied = shop.run(&["apply", "door.yaml"]);
    assert!(applied.status.success() && text(&applied).contains("4 added"), "{}", text(&applied));
    let again = shop.run(&["apply", "door.yaml"]);
    assert!(text(&again).contains("4 as declared"), "{}", text(&again));

    let mut server = Server::start(&shop);
    let running = shop.run(&["apply", "door.yaml"]);
    assert!(!running.status.success() && text(&running).contains("is running"), "{}", text(&running));
    shop.write(
        "more.yaml",
        "version: 1\npresets: [{owner: ada, slug: more, tools: [{source: echo, allow: [echo]}]}]\n",
    );
    let more = ["apply", "more.yaml", "--url", &server.url, "--key-file", "agent.key"];
    let more = shop.run(&more);
    assert!(text(&more).contains("+ preset  ada/more"), "{}", text(&more));

    let mut agent = Agent::connect(&shop, &format!("{}/mcp/ada/more", server.url));
    let begin =
        json!({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}});
    let begun = agent.ask(&json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":begin}));
    assert_eq!(begun["result"]["protocolVersion"], "2025-11-25", "{begun}");
    agent.say(&json!({"jsonrpc":"2.0","method":"notifications/initialized"}));
    let listed = agent.ask(&json!({"jsonrpc":"2.0","id":2,"method":"tools/list"}));
    assert_eq!(listed["result"]["tools"][0]["name"], "echo", "{listed}");
    let call = json!({"name":"echo","arguments":{"n":1.50}});
    let called = agent.ask(&json!({"jsonrpc":"2.0","id":3,"method":"tools/call","params":call}));
    assert_eq!(called["result"]["content"][0]["text"], "heard", "{called}");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = json!({"name":"echo","arguments":{},"_meta":meta});
    let modern = agent.ask(&json!({"jsonrpc":"2.0","id":4,"method":"tools/call","params":call}));
    assert_eq!(modern["result"]["resultType"], "complete", "{modern}");
    drop(agent);

    let stopped = server.stop();
    assert!(stopped, "the program did not end in order");
    let doctor = shop.run(&["doctor"]);
    assert!(doctor.status.success() && text(&doctor).contains("ada/echo"), "{}", text(&doctor));
}

#[test]
fn the_first_start_prints_a_link_and_mistakes_in_settings_name_their_place() {
    let shop = Shop::new();
    let mut server = Server::start(&shop);
    assert!(server.greeting.contains("/setup?token="), "{}", server.greeting);
    assert!(server.stop());

    shop.write("wrong.toml", "\nlissten = \"127.0.0.1:1\"\n");
    let wrong = shop.run(&["--config", "wrong.toml", "serve"]);
    assert!(!wrong.status.success());
    assert!(
        text(&wrong).contains("wrong.toml:2") && text(&wrong).contains("did you mean `listen`"),
        "{}",
        text(&wrong)
    );
}

#[test]
fn accounts_and_keys_are_managed_at_the_shell() {
    let shop = Shop::new();
    shop.write("password", "correct horse battery");

    let added =
        shop.run(&["user", "add", "ada", "ada@example.org", "--admin", "--password-file", "password"]);
    let listed = shop.run(&["user", "list"]);
    let changed = shop.run(&["user", "set-password", "ada", "--password-file", "password"]);
    let key = shop.run(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let keys = shop.run(&["key", "list", "--user", "ada"]);
    let id = text(&keys).split_whitespace().next().unwrap().to_owned();
    let revoked = shop.run(&["key", "revoke", "--user", "ada", &id]);
    let rotated = shop.run(&["vault", "rotate"]);
    let exported = shop.run(&["export"]);

    for output in [&added, &listed, &changed, &key, &keys, &revoked, &rotated, &exported] {
        assert!(output.status.success(), "{}", text(output));
    }
    assert!(text(&listed).contains("ada@example.org"));
    assert!(text(&key).starts_with("dw_"));
    assert!(text(&exported).contains("handle: ada"));
}

struct Shop {
    folder: TempDir,
}

impl Shop {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("DOORWARD_LISTEN", "127.0.0.1:0")
            .env("DOORWARD_METRICS_LISTEN", "off")
            .env_remove("DOORWARD_CONFIG")
            .env_remove("DOORWARD_DATA_DIR")
            .env_remove("DOORWARD_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

struct Server {
    child: Child,
    url: String,
    greeting: String,
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(shop: &Shop) -> Self {
        let mut child = shop.command(&["serve"]).stderr(Stdio::inherit()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        output.read_line(&mut greeting).unwrap();
        let url = greeting.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{greeting}");
        if !shop.folder.path().join("ada.password").exists() {
            output.read_line(&mut greeting).unwrap();
        }
        Self { child, url, greeting, _output: output }
    }

    /// Asks it to stop, and says whether it did so in order and in time.
    fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::yield_now();
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that only speaks to processes.
struct Agent {
    child: Child,
    answers: mpsc::Receiver<Value>,
}

impl Agent {
    fn connect(shop: &Shop, url: &str) -> Self {
        let mut command = shop.command(&["connect", url, "--key-file", "agent.key"]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if send.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, answers }
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, message: &Value) -> Value {
        self.say(message);
        self.answers.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// Starts an MCP server of the legacy era with one tool, and returns its address.
async fn scripted_source() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(
        async move { axum::serve(listener, Router::new().route("/mcp", post(source_answer))).await },
    );
    url
}

async fn source_answer(body: String) -> (http::StatusCode, Json<Value>) {
    let message: Value = serde_json::from_str(&body).unwrap();
    let result = match message["method"].as_str().unwrap() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "echo", "version": "1"},
        }),
        "tools/list" => {
            json!({"tools": [{"name": "echo", "description": "hears", "inputSchema": {"type": "object"}}]})
        }
        "tools/call" => json!({"content": [{"type": "text", "text": "heard"}]}),
        _ if message["id"].is_null() => return (http::StatusCode::ACCEPTED, Json(Value::Null)),
        _ => {
            let error = json!({"code": -32601, "message": "no such method"});
            return (
                http::StatusCode::OK,
                Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})),
            );
        }
    };
    (http::StatusCode::OK, Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})))
}
