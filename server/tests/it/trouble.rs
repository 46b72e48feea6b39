//! Trouble: the program as a process, killed, stopped, with the wrong key. Databases that fail have files
//! of their own.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Body;
use doorward::{audit::COMMIT_INTERVAL, store::Store};
use http::{Method, StatusCode, header};
use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    call::Call,
    running::{Door, Place, lives, until},
    scripted::Scripted,
    world::{PASSWORD, request},
    written::CALLS,
};

/// How many commits are watched before the process is killed.
const COMMITS_MIN: usize = 6;

pub(crate) fn document(source: &Scripted) -> String {
    format!(
        "  - {{handle: bob, email: bob@example.org, password_file: password, plan: few}}
plans: [{{name: few, calls_per_month: 200}}]
sources:
  - {{owner: ada, name: scripted, kind: mcp_http, url: '{url}', auth: {{bearer: 'source-secret-4711'}}}}
presets:
  - {{owner: ada, slug: tools, visibility: public, tools: [{{source: scripted, allow: all}}]}}
keys:
  - {{owner: ada, name: ada, secret_file: ada.key}}
  - {{owner: bob, name: bob, secret_file: bob.key}}
",
        url = source.url()
    )
}

pub(crate) fn echo(key: &str) -> http::Request<Body> {
    Call::tool("echo", json!({"word": "argument-secret-4712"})).key(key).request()
}

pub(crate) fn api(
    key: &str,
    method: Method,
    path: &str,
    body: Option<serde_json::Value>,
) -> http::Request<Body> {
    request(method, path)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
        .unwrap()
}

/// Calls `echo` until told to stop or the door is gone, and takes down when each answer came.
async fn load(door: Door, key: String, answered: Arc<Mutex<Vec<Instant>>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Some(answer) = door.send(echo(&key)).await else { return };
        if answer.status == StatusCode::OK && !answer.tool_text().1 {
            answered.lock().unwrap().push(Instant::now());
        }
    }
}

/// Counts rows of a database that nobody else has open, or only readers have.
pub(crate) async fn count(database: &Path, of: &'static str) -> i64 {
    let mut connection = SqliteConnection::connect(database.to_str().unwrap()).await.unwrap();
    let count = sqlx::query_scalar(of).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    count
}

/// A commit of calls that was seen.
#[derive(Clone, Copy)]
struct Commit {
    /// A moment at which it did not hold yet.
    not_before: Instant,
    /// How many calls are written down with it.
    calls: usize,
}

/// Watches the database until told to stop, and takes down each commit of calls.
async fn watch(database: PathBuf, commits: Arc<Mutex<Vec<Commit>>>, stop: Arc<AtomicBool>) {
    let mut connection = SqliteConnection::connect(database.to_str().unwrap()).await.unwrap();
    let mut before = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let calls: i64 = sqlx::query_scalar(CALLS).fetch_one(&mut connection).await.unwrap();
        let calls = usize::try_from(calls).unwrap();
        if calls != before.1 {
            commits.lock().unwrap().push(Commit { not_before: before.0, calls });
        }
        before = (asked, calls);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_lost_nothing_but_the_last_moments() {
    let source = Scripted::start().await;
    let place = Place::new();
    place.prepare(&document(&source)).await;
    let (ada, bob) = (place.key("ada.key"), place.key("bob.key"));
    let mut server = place.serve().await;
    let (by_ada, by_bob) = (Arc::default(), Arc::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (key, answered) in [(&ada, &by_ada), (&ada, &by_ada), (&bob, &by_bob)] {
        tasks.push(tokio::spawn(load(server.door(), key.clone(), Arc::clone(answered), Arc::clone(&stop))));
    }

    let commits = Arc::default();
    let seen = Arc::clone(&commits);
    tasks.push(tokio::spawn(watch(place.database(), Arc::clone(&commits), Arc::clone(&stop))));

    let mut made = 0;
    until("calls are answered and presets made", async || {
        made += 1;
        let new = json!({"slug": format!("made-{made}")});
        let answer = server.send(api(&ada, Method::POST, "/api/v1/presets", Some(new))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let calls = by_ada.lock().unwrap().len() > 150 && by_bob.lock().unwrap().len() > 40;
        calls && commits.lock().unwrap().len() >= COMMITS_MIN
    })
    .await;
    server.signal(Signal::KILL);
    assert!(!server.ended().await.success());
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }

    let (by_ada, by_bob) = (by_ada.lock().unwrap().clone(), by_bob.lock().unwrap().clone());
    let kept = usize::try_from(count(&place.database(), CALLS).await).unwrap();
    let mut all: Vec<Instant> = by_ada.iter().chain(&by_bob).copied().collect();
    all.sort();
    let commits: Vec<Commit> = seen.lock().unwrap().clone();
    // What a commit holds was gathered after the one before it held, so what was answered before the
    // last but one held is in the last.
    let last_but_one = commits.iter().rfind(|commit| commit.calls < kept).unwrap();
    let must_be_kept = all.partition_point(|answered| *answered < last_but_one.not_before);
    assert!(must_be_kept > 0 && kept >= must_be_kept, "{kept} of {must_be_kept} were kept");
    // How far apart two commits are is up to the machine as well; how close they come is not.
    let apart = commits.windows(2).map(|pair| pair[1].not_before - pair[0].not_before).min().unwrap();
    assert!(apart < 2 * COMMIT_INTERVAL, "commits are {apart:?} apart");
    let whole = "select count(*) from pragma_integrity_check where integrity_check = 'ok'";
    assert_eq!(count(&place.database(), whole).await, 1);
    let store = Store::open_sqlite(&place.database()).await.unwrap();
    let mut tx = store.system().await.unwrap();
    for user in tx.list_users(None, 10).await.unwrap() {
        assert_eq!(tx.verify_chain(user.tenant, &[]).await.unwrap().flaw, None);
    }
    drop(tx);
    store.close().await;

    let server = place.serve().await;
    let presets = server.send(api(&ada, Method::GET, "/api/v1/presets?limit=200", None)).await.json();
    let usage = server.send(api(&bob, Method::GET, "/api/v1/usage", None)).await.json();
    let used = usize::try_from(usage["calls_used"].as_i64().unwrap()).unwrap();
    assert_eq!(
        presets["items"].as_array().unwrap().len(),
        1 + made,
        "every preset that was answered is there"
    );
    assert!(
        used >= by_bob.len(),
        "{used} charged, {} answered: a crash may not give calls away",
        by_bob.len()
    );
    assert!(!server.send(echo(&ada)).await.tool_text().1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_of_a_document_holds_though_the_process_is_killed_in_the_middle() {
    // Takes connections and never answers, so that the process waits at the source.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    let document = format!(
        "version: 1
plans: [{{name: few, calls_per_month: 5}}]
users: [{{handle: ada, email: ada@example.org, password_file: password, role: admin}}]
sources: [{{owner: ada, name: silent, kind: mcp_http, url: 'http://{}/mcp'}}]
presets: [{{owner: ada, slug: tools, tools: [{{source: silent, allow: all}}]}}]
keys: [{{owner: ada, name: ada, secret_file: ada.key}}]
",
        silent.local_addr().unwrap()
    );
    std::fs::write(place.path("door.yaml"), document).unwrap();

    let mut process = place.start(&["apply", "door.yaml"]);
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    while told.len() < 2 {
        told.push(lines.next_line().await.unwrap().expect("a line for each thing that holds"));
    }
    process.kill().await.unwrap();
    drop(silent);

    assert_eq!(told, ["+ plan    few", "+ user    ada"]);
    for (of, there) in [
        ("select count(*) from plans where name = 'few'", 1),
        ("select count(*) from users", 1),
        ("select count(*) from sources", 0),
        ("select count(*) from presets", 0),
        ("select count(*) from api_keys", 0),
    ] {
        assert_eq!(count(&place.database(), of).await, there, "{of}");
    }
    let kept = place.key("ada.key");
    let (status, said) = place.run(&["apply", "door.yaml"]).await;
    assert!(status.success() && said.contains("3 added, 0 changed, 2 as declared"), "{said}");
    assert_eq!(place.key("ada.key"), kept, "the key that was made opens the door");
    let server = place.serve().await;
    let listed = server.send(api(&kept, Method::GET, "/api/v1/presets", None)).await;
    assert_eq!(listed.status, StatusCode::OK, "{}", listed.body);
    server.stop().await;
}

/// An MCP server in the shell, with children of its own: one in its group, one that left it.
const STDIO_SOURCE: &str = r#"
/bin/sleep 1000 & echo $! >> pids
/usr/bin/setsid /bin/sh -c 'echo $$ >> pids; /bin/sleep 1000 & echo $! >> pids; wait' < /dev/null > /dev/null &
echo $$ >> pids
while read -r line; do
  id=$(echo "$line" | /bin/sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
  case "$line" in
    *server/discover*) echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"no"}}' ;;
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}' ;;
    *tools/list*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}' ;;
    *tools/call*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"content":[{"type":"text","text":"from the shell"}]}}' ;;
  esac
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_process_of_a_source_outlives_the_server_however_it_ends() {
    for signal in [Signal::KILL, Signal::TERM] {
        let place = Place::new();
        std::fs::write(place.path("source.sh"), STDIO_SOURCE).unwrap();
        place
            .prepare(&format!(
                "sources:
  - owner: ada
    name: shell
    kind: mcp_stdio
    command: [/bin/sh, source.sh]
    working_dir: {folder}
    env: {{SOURCE_TOKEN: env-secret-4713}}
presets: [{{owner: ada, slug: tools, tools: [{{source: shell, allow: all}}]}}]
keys: [{{owner: ada, name: ada, secret_file: ada.key}}]
",
                folder = place.folder.path().display()
            ))
            .await;
        std::fs::write(place.path("pids"), "").unwrap();
        let mut server = place.serve().await;

        let answer = server.send(echo(&place.key("ada.key"))).await;
        assert_eq!(answer.tool_text(), ("from the shell".to_owned(), false), "{}", answer.body);
        let mut pids = Vec::new();
        until("all four processes run", async || {
            let text = std::fs::read_to_string(place.path("pids")).unwrap();
            pids = text.lines().filter_map(|line| line.parse::<u32>().ok()).collect();
            pids.len() == 4
        })
        .await;
        assert!(pids.iter().all(|pid| lives(*pid)));
        let environment = std::fs::read(format!("/proc/{}/environ", pids[0])).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        assert!(environment.contains("SOURCE_TOKEN") && !environment.contains("DOORWARD"), "{environment}");
        for pid in pids.iter().chain([&server.pid()]) {
            let shown = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            assert!(!String::from_utf8_lossy(&shown).contains("secret"), "a secret is shown by ps");
        }

        server.signal(signal);
        server.ended().await;
        until("every process has ended", async || pids.iter().all(|pid| !lives(*pid))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_asked_to_stop_finishes_what_it_is_doing_and_writes_it_down() {
    let source = Scripted::start().await;
    let place = Place::new();
    place.prepare(&document(&source)).await;
    let server = place.serve().await;
    let slow = Call::tool("slow", json!({})).key(&place.key("ada.key")).request();
    let door = server.door();
    let slow = tokio::spawn(async move { door.send(slow).await });
    source.slow_call_arrived().await;

    server.signal(Signal::TERM);
    let door = server.door();
    until("no new connection is taken", async || door.send(echo("x")).await.is_none()).await;
    assert!(!slow.is_finished());
    source.let_slow_call_end();
    let answer = slow.await.unwrap().expect("a whole answer");
    server.stop().await;

    assert_eq!(answer.tool_text(), ("at last".to_owned(), false));
    assert_eq!(count(&place.database(), CALLS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_vault_key_is_refused_at_the_start() {
    let source = Scripted::start().await;
    let (place, other) = (Place::new(), Place::new());
    place.prepare(&document(&source)).await;
    other.prepare("").await;
    let file = place.path("data/vault.key");
    let right = std::fs::read(&file).unwrap();

    std::fs::copy(other.path("data/vault.key"), &file).unwrap();
    let wrong = place.try_serve().await.err().expect("a refusal");
    std::fs::write(&file, "nonsense").unwrap();
    let damaged = place.try_serve().await.err().expect("a refusal");
    std::fs::remove_file(&file).unwrap();
    let gone = place.try_serve().await.err().expect("a refusal");
    assert!(!file.exists(), "no other key was made in its place");
    std::fs::write(&file, &right).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let open = place.try_serve().await.err().expect("a refusal");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();

    for (said, words) in
        [(wrong, "sealed with key"), (damaged, "is damaged"), (gone, "does not exist"), (open, "chmod 600")]
    {
        assert!(said.contains(words), "{said}");
    }
    let server = place.serve().await;
    assert!(!server.send(echo(&place.key("ada.key"))).await.tool_text().1, "the right key opens again");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_or_the_process_list() {
    let source = Scripted::start().await;
    let place = Place::new().with("DOORWARD_LOG", "trace");
    place.prepare(&document(&source)).await;
    let key = place.key("ada.key");
    let server = place.serve().await;
    let form = format!("login=ada&password={}", PASSWORD.replace(' ', "+"));
    let sign_in = |form: &str| {
        request(Method::POST, "/do/sign-in")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap()
    };

    let signed_in = server.send(sign_in(&form)).await;
    let cookie =
        signed_in.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    server.send(sign_in("login=ada&password=wrong-secret-4714")).await;
    let page = request(Method::GET, "/keys").header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    assert_eq!(server.send(page).await.status, StatusCode::OK);
    for tool in ["echo", "html", "dies", "garbage", "nothing"] {
        let call = Call::tool(tool, json!({"word": "argument-secret-4712"})).key(&key);
        server.send(call.request()).await;
    }
    server.send(Call::tool("echo", json!({})).key("dw_secret-4715").request()).await;
    let new = json!({"name":"made","kind":"mcp_http","url":"http://127.0.0.1:9/","auth":{"header":{"name":"x-key","value":"header-secret-4716"}}});
    let made = server.send(api(&key, Method::POST, "/api/v1/datasources", Some(new))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let shown = std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
    let mut server = server;
    server.signal(Signal::TERM);
    server.ended().await;
    let log = server.log();

    assert!(
        source.calls().iter().all(|(head, _)| head[header::AUTHORIZATION] == "Bearer source-secret-4711")
    );
    assert!(log.contains("DEBUG"), "the log is a full one");
    let cookie = cookie.split('=').nth(1).unwrap();
    let key = key.rsplit('_').next().unwrap();
    for secret in ["secret-47", PASSWORD, &PASSWORD.replace(' ', "+"), cookie, key] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "`{secret}` is in the log: {line:?}");
        assert!(!String::from_utf8_lossy(&shown).contains(secret));
    }
}
