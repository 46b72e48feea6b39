//! What each setting does: one test for each, named after it. One that is added and not tested fails
//! the first test here.

use std::{convert::Infallible, os::unix::fs::PermissionsExt as _, time::Duration};

use axum::body::{Body, Bytes};
use doorward::{model::InstanceRole, tunnel::KeyPair};
use futures::StreamExt as _;
use http::{Method, StatusCode, header};
use rustix::process::Signal;
use serde_json::{Value, json};
use server::{
    config::{ENTRIES, Settings},
    state::engine_settings,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    call::Call,
    ports::free_address,
    running::Place,
    scripted::{Scripted, give_tools},
    world::{Person, World, request},
};

/// Settings that other files test: where, and by which test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("database_url", include_str!("readme.rs"), README),
    ("database_owner_url", include_str!("readme.rs"), README),
    ("mail_server", MAIL, "mail_server_and_mail_from_send_invitations_to_their_address"),
    (
        "warning_webhook",
        WARNINGS,
        "warning_webhook_and_its_secret_say_where_warnings_go_and_how_they_are_signed",
    ),
    (
        "warning_webhook_secret",
        WARNINGS,
        "warning_webhook_and_its_secret_say_where_warnings_go_and_how_they_are_signed",
    ),
    ("plan_webhook_secret", include_str!("plan_changes.rs"), "a_signed_change_holds_at_once_and_is_audited"),
    ("audit_export_folder", EXPORTS, EXPORT_FOLDER),
    ("audit_export_every", EXPORTS, EXPORT_FOLDER),
    ("audit_export_s3_endpoint", EXPORTS, EXPORT_S3),
    ("audit_export_s3_bucket", EXPORTS, EXPORT_S3),
    ("audit_export_s3_region", EXPORTS, EXPORT_S3),
    ("audit_export_s3_prefix", EXPORTS, EXPORT_S3),
    ("audit_export_s3_access_key", EXPORTS, EXPORT_S3),
    ("audit_export_s3_secret_key", EXPORTS, EXPORT_S3),
    ("otlp_logs_url", OTLP, OTLP_LOGS),
    ("otlp_logs_headers", OTLP, OTLP_LOGS),
    ("analysis_timeout_ms", ANALYSES, "analysis_timeout_ms_bounds_how_long_reading_takes"),
    ("model_url", ANALYSES, "model_url_model_name_and_model_key_say_who_rewrites_reports"),
    ("model_name", ANALYSES, "model_url_model_name_and_model_key_say_who_rewrites_reports"),
    ("model_key", ANALYSES, "model_url_model_name_and_model_key_say_who_rewrites_reports"),
    ("mail_from", MAIL, "mail_server_and_mail_from_send_invitations_to_their_address"),
    ("mail_password", MAIL, "mail_password_is_sent_over_tls_alone"),
    ("stdio_processes_max", PROCESSES, "stdio_processes_max_bounds_the_processes_of_sources"),
    ("stdio_idle_secs", PROCESSES, "stdio_idle_secs_ends_a_process_nobody_uses"),
    (
        "public_gallery",
        include_str!("gallery.rs"),
        "people_who_are_not_signed_in_see_what_needs_no_key_where_the_operator_lets_them",
    ),
    ("logins_file", LOGINS, "somebody_new_makes_an_account_and_signs_in_by_the_provider_from_then_on"),
    ("sign_up", LOGINS, "who_may_make_an_account_is_the_policy_s_to_say"),
    (
        "replica_address",
        include_str!("replicas/hops.rs"),
        "replica_address_says_where_the_others_reach_a_process",
    ),
    ("rate_limit_key", LIMITS, "rate_limits_of_the_settings_hold_for_each_of_their_kind"),
    ("rate_limit_person", LIMITS, "rate_limits_of_the_settings_hold_for_each_of_their_kind"),
    ("rate_limit_organisation", LIMITS, "rate_limits_of_the_settings_hold_for_each_of_their_kind"),
    ("rate_limit_preset", LIMITS, "rate_limits_of_the_settings_hold_for_each_of_their_kind"),
    ("rate_limit_source", LIMITS, "rate_limits_of_the_settings_hold_for_each_of_their_kind"),
    ("rate_limit_tool", LIMITS, "rate_limits_of_the_settings_hold_for_each_of_their_kind"),
    ("retries_kept_secs", LIMITS, "retries_kept_secs_is_how_long_a_repeat_gets_the_first_answer"),
    ("redis_url", LIMITS, "redis_url_keeps_what_is_left_beyond_the_process_and_away_it_opens_or_closes"),
    (
        "rate_limit_when_redis_is_away",
        LIMITS,
        "redis_url_keeps_what_is_left_beyond_the_process_and_away_it_opens_or_closes",
    ),
    ("rate_limit_rest", LIMITS, "rate_limit_rest_bounds_the_requests_of_a_person_to_the_rest_api"),
    ("trusted_proxies", include_str!("../../src/layers/address.rs"), "only_trusted_proxies_are_believed"),
];
const EXPORTS: &str = include_str!("audit_export.rs");
const EXPORT_FOLDER: &str = "audit_export_folder_and_audit_export_every_say_where_files_go_and_how_many";
const OTLP: &str = include_str!("otlp_logs.rs");
const OTLP_LOGS: &str = "otlp_logs_url_and_otlp_logs_headers_say_where_run_events_go_as_logs";
const EXPORT_S3: &str = "the_settings_of_s3_name_the_storage_that_takes_files_signed_with_its_key";
const ANALYSES: &str = include_str!("analyses.rs");
const LIMITS: &str = include_str!("limits.rs");
const WARNINGS: &str = include_str!("warnings.rs");
const MAIL: &str = include_str!("settings_mail.rs");
const PROCESSES: &str = include_str!("settings_processes.rs");
const LOGINS: &str = include_str!("logins.rs");
const README: &str = "the_statements_of_the_readme_prepare_postgres_and_its_line_serves";

#[test]
fn every_setting_is_tested() {
    for entry in ENTRIES {
        let here = include_str!("settings.rs").contains(&format!("\nasync fn {}_", entry.name));
        let elsewhere = ELSEWHERE
            .iter()
            .any(|(name, text, test)| *name == entry.name && text.contains(&format!("fn {test}()")));
        assert!(here || elsewhere, "no test says what `{}` does", entry.name);
    }
}

#[tokio::test]
async fn listen_is_where_the_program_answers() {
    let place = Place::new().with("DOORWARD_LISTEN", "127.0.0.2:0");

    let server = place.serve().await;
    let health = server.send(request(Method::GET, "/health").body(Body::empty()).unwrap()).await;

    assert!(server.address().starts_with("127.0.0.2:"), "{}", server.address());
    assert_eq!(health.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn public_url_is_in_addresses_cookies_and_names() {
    let world = World::with(&[("DOORWARD_PUBLIC_URL", "https://door.example.org")]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let under = |host: &'static str| {
        let request = http::Request::builder().uri("/sign-in").header(header::HOST, host);
        world.send(request.body(Body::empty()).unwrap())
    };

    let made = world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": "notes"}))).await;
    let page = under("door.example.org").await;

    assert_eq!(made.json()["address"], "https://door.example.org/mcp/ada/notes");
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    assert_eq!(world.state.cookie_name(), "__Host-doorward");
    assert_eq!(under("other.example.org").await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn allowed_hosts_are_answered_to() {
    let named = World::with(&[("DOORWARD_ALLOWED_HOSTS", "doorward.internal:8080")]).await;
    let plain = World::open().await;
    for (world, status) in [(named, StatusCode::OK), (plain, StatusCode::MISDIRECTED_REQUEST)] {
        let request = http::Request::builder().uri("/health").header(header::HOST, "doorward.internal:8080");

        let answer = world.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn allowed_origins_may_call_presets() {
    let origin = "https://inspector.example.org";
    let named = World::with(&[("DOORWARD_ALLOWED_ORIGINS", origin)]).await;
    let plain = World::open().await;
    let ask = async |world: &World| {
        let request = request(Method::OPTIONS, "/mcp/ada/tools").header(header::ORIGIN, origin);
        world.send(request.body(Body::empty()).unwrap()).await
    };

    let (allowed, refused) = (ask(&named).await, ask(&plain).await);

    assert_eq!(allowed.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn metrics_listen_says_where_metrics_are() {
    let own = free_address().to_string();
    for (value, path, address, status) in [
        (own.as_str(), "/metrics", Some(own.as_str()), StatusCode::OK),
        ("main", "/metrics/prometheus", None, StatusCode::OK),
        ("off", "/metrics/prometheus", None, StatusCode::NOT_FOUND),
    ] {
        let place = Place::new().with("DOORWARD_METRICS_LISTEN", value);
        place.prepare("keys: [{owner: ada, name: ada, secret_file: ada.key}]\n").await;
        let server = place.serve().await;
        let door = address.map_or_else(|| server.door(), crate::running::Door::at);
        let request = request(Method::GET, path)
            .header(header::AUTHORIZATION, format!("Bearer {}", place.key("ada.key")))
            .body(Body::empty());

        let answer = door.send(request.unwrap()).await.unwrap();

        assert_eq!(answer.status, status, "{value}: {}", answer.body);
        assert_eq!(
            answer.body.contains("doorward_audit_waiting"),
            status == StatusCode::OK,
            "{}",
            answer.body
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn data_dir_holds_all_state() {
    let place = Place::new();
    let folder = place.path("elsewhere/deep").display().to_string();
    let place = place.with("DOORWARD_DATA_DIR", &folder);

    place.prepare("keys: [{owner: ada, name: ada, secret_file: ada.key}]\n").await;

    for name in ["doorward.db", "vault.key"] {
        assert!(place.path("elsewhere/deep").join(name).exists(), "{name}");
    }
    let mut beside: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().flatten().collect();
    beside.retain(|entry| !["password", "door.yaml", "ada.key"].map(Into::into).contains(&entry.file_name()));
    assert_eq!(beside.len(), 1, "{beside:?}");
}

#[tokio::test]
async fn vault_key_file_is_made_where_it_is_named() {
    let place = Place::new();
    let file = place.path("keys/vault").display().to_string();
    std::fs::create_dir(place.path("keys")).unwrap();
    let place = place.with("DOORWARD_VAULT_KEY_FILE", &file);

    place.serve().await.stop().await;

    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!place.path("data/vault.key").exists());
}

#[tokio::test]
async fn vault_key_opens_what_it_sealed_and_no_other_does() {
    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let source = Scripted::start().await;
    let place = Place::new().with("DOORWARD_VAULT_KEY", ONE);
    place.prepare(&tools(&source, ", auth: {bearer: kept-secret}")).await;

    let server = place.serve().await;
    let answer = server.send(echo(&place.key("ada.key"))).await;
    server.stop().await;
    let place = place.with("DOORWARD_VAULT_KEY", OTHER);
    let refused = place.try_serve().await.err().expect("a refusal");

    assert!(!answer.tool_text().1, "{}", answer.body);
    assert_eq!(source.calls()[0].0[header::AUTHORIZATION], "Bearer kept-secret");
    assert!(!place.path("data/vault.key").exists());
    assert!(refused.contains("sealed with key"), "{refused}");
}

#[tokio::test]
async fn egress_allow_says_which_addresses_sources_may_have() {
    let source = Scripted::start().await;
    for (value, passed) in [("127.0.0.1", true), ("none", false), ("10.0.0.0/8", false)] {
        let world = World::with(&[("DOORWARD_EGRESS_ALLOW", value)]).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let new = json!({"name": "scripted", "kind": "mcp_http", "url": source.url()});

        let made = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await;

        assert_eq!(made.json()["report"]["passed"], passed, "{value}: {}", made.body);
    }
}

#[tokio::test]
async fn tunnel_passwords_says_whether_tunnels_sign_in_with_passwords() {
    for (value, status) in [("true", StatusCode::CREATED), ("false", StatusCode::UNPROCESSABLE_ENTITY)] {
        let world = World::with(&[("DOORWARD_TUNNEL_PASSWORDS", value)]).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let hop = json!({"host": "bastion.example.org", "user": "ada", "auth": {"password": "hunter2"}});
        let new = json!({"name": "bastion", "hops": [hop], "destinations": ["history.internal:18080"]});

        let made = world.api(&ada, Method::POST, "/api/v1/tunnels", Some(new)).await;

        assert_eq!(made.status, status, "{value}: {}", made.body);
        assert!(!made.body.contains("hunter2"));
    }
}

#[tokio::test]
async fn tunnel_known_hosts_names_the_host_keys_that_need_no_confirmation() {
    let (folder, (pair, _)) = (tempfile::tempdir().unwrap(), KeyPair::generate("host").unwrap());
    let file = folder.path().join("known_hosts");
    std::fs::write(&file, format!("[bastion.example.org]:2222 {}\n", pair.public_line())).unwrap();
    let world = World::with(&[("DOORWARD_TUNNEL_KNOWN_HOSTS", file.to_str().unwrap())]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let hop = |port: u16| json!({"host": "bastion.example.org", "port": port, "user": "ada"});
    let new =
        json!({"name": "bastion", "hops": [hop(22), hop(2222)], "destinations": ["history.internal:18080"]});

    let made = world.api(&ada, Method::POST, "/api/v1/tunnels", Some(new)).await;
    let path = format!("/api/v1/tunnels/{}", made.json()["id"].as_str().unwrap());
    let seen = world.api(&ada, Method::GET, &path, None).await.json();

    let key = pair.fingerprint().unwrap();
    assert_eq!(seen["known_hosts"], json!([{"hop": 1, "keys": [key], "authorities": []}]));
    let page = request(Method::GET, &path.replace("/api/v1", "")).header(header::COOKIE, &ada.cookie);
    let page = world.send(page.body(Body::empty()).unwrap()).await;
    assert!(page.body.contains("Known here") && page.body.contains(key.as_str()), "{}", page.body);

    std::fs::write(&file, "# one\nbastion.example.org nonsense\n").unwrap();
    let variable = ("DOORWARD_TUNNEL_KNOWN_HOSTS".to_owned(), file.display().to_string());
    let refused = Settings::load(None, [variable]).unwrap_err().to_string();
    assert!(refused.contains("known_hosts`, which does not hold: line 2: "), "{refused}");
}

#[tokio::test]
async fn analysis_thresholds_file_says_from_where_on_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thresholds.toml");
    let load = || {
        Settings::load(None, [("DOORWARD_ANALYSIS_THRESHOLDS_FILE".to_owned(), file.display().to_string())])
    };
    std::fs::write(&file, "# stricter\ngc_share = 0.05\nskew_tasks_min = 4\n").unwrap();

    let thresholds = engine_settings(&load().unwrap().settings).analyses.thresholds;

    let json = serde_json::to_value(&thresholds).unwrap();
    assert_eq!((&json["gc_share"], &json["skew_tasks_min"]), (&json!(0.05), &json!(4)));
    assert_eq!(json["spill_bytes"], 100 * 1024 * 1024);
    for (wrong, says) in [
        ("gc_share = 5", "`gc_share` is a share, from 0 to 1"),
        ("gc_shar = 0.5", "unknown field `gc_shar`"),
        ("gc_share = 'much'", "invalid type"),
    ] {
        std::fs::write(&file, wrong).unwrap();
        let refused = load().unwrap_err().to_string();
        assert!(
            refused.contains("thresholds.toml`, which does not hold: ") && refused.contains(says),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn body_timeout_ms_bounds_every_body() {
    let world = World::with(&[("DOORWARD_BODY_TIMEOUT_MS", "100")]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    // One that never goes on, and one that always does.
    let silent = || futures::stream::pending::<Result<Bytes, Infallible>>();
    let dripping = || {
        futures::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b" "))).then(async |piece| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            piece
        })
    };
    let post = |path: &str, person: Option<&Person>| {
        let request = request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("sec-fetch-site", "same-origin");
        match person {
            Some(person) => request.header(header::AUTHORIZATION, format!("Bearer {}", person.key)),
            None => request,
        }
    };
    let api = |person| post("/api/v1/presets", person);
    let preset = |person| post("/mcp/ada/tools", person);
    let form = || {
        request(Method::POST, "/do/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
    };

    let made = world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": "tools"}))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);

    for request in [
        preset(Some(&ada)).body(Body::from_stream(silent())),
        preset(Some(&ada)).body(Body::from_stream(Box::pin(dripping()))),
        api(Some(&ada)).body(Body::from_stream(silent())),
        api(Some(&ada)).body(Body::from_stream(Box::pin(dripping()))),
        form().body(Body::from_stream(silent())),
        form().body(Body::from_stream(Box::pin(dripping()))),
    ] {
        let answer = world.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{}", answer.body);
    }
    for request in [api(None), preset(None)] {
        let unknown = world.send(request.body(Body::from_stream(silent())).unwrap()).await;
        assert_eq!(unknown.status, StatusCode::UNAUTHORIZED, "whoever is unknown is not waited for");
    }
}

#[tokio::test]
async fn connect_timeout_ms_bounds_the_wait_for_a_connection() {
    let world = World::with(&[("DOORWARD_CONNECT_TIMEOUT_MS", "150")]).await;

    let limits = engine_settings(world.state.settings()).egress_limits;

    // That `egress` keeps to it is tested there.
    assert_eq!(limits.connect_timeout, Duration::from_millis(150));
}

#[tokio::test]
async fn call_timeout_ms_bounds_the_wait_for_an_answer() {
    let (world, ada, _source) = with_tools(&[("DOORWARD_CALL_TIMEOUT_MS", "1000")]).await;

    let answer = world.send(Call::tool("silent", json!({})).key(&ada.key).request()).await;

    let (text, is_error) = answer.tool_text();
    assert!(is_error && text.contains("did not answer within 1 second"), "{}", answer.body);
}

#[tokio::test]
async fn request_bytes_max_bounds_the_body_of_a_call() {
    let (world, ada, source) = with_tools(&[("DOORWARD_REQUEST_BYTES_MAX", "1000")]).await;
    let call = |size: usize| Call::tool("echo", json!({"text": "x".repeat(size)})).key(&ada.key).request();

    let (small, large) = (world.send(call(100)).await, world.send(call(1000)).await);

    assert_eq!((small.status, large.status), (StatusCode::OK, StatusCode::PAYLOAD_TOO_LARGE));
    assert!(large.body.contains("at most 1000 bytes"), "{}", large.body);
    assert_eq!(source.calls().len(), 1);
}

#[tokio::test]
async fn response_bytes_max_bounds_the_answer_of_a_source() {
    for (limit, fails) in [("200000", true), ("400000", false)] {
        let (world, ada, _source) = with_tools(&[("DOORWARD_RESPONSE_BYTES_MAX", limit)]).await;

        let answer = world.send(Call::tool("huge", json!({})).key(&ada.key).request()).await;

        assert_eq!(answer.tool_text().1, fails, "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_max_lets_the_next_one_wait() {
    let source = Scripted::start().await;
    let place = Place::new().with("DOORWARD_CONNECTIONS_MAX", "1");
    place.prepare(&tools(&source, "")).await;
    let server = place.serve().await;
    let slow = Call::tool("slow", json!({})).key(&place.key("ada.key")).request();
    let (door, other) = (server.door(), server.door());
    let slow = tokio::spawn(async move { door.send(slow).await });
    source.slow_call_arrived().await;

    let health = request(Method::GET, "/health").body(Body::empty()).unwrap();
    let mut health = tokio::spawn(async move { other.send(health).await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut health).await;
    source.let_slow_call_end();

    assert!(early.is_err(), "there was a second place");
    assert!(!slow.await.unwrap().unwrap().tool_text().1);
    assert_eq!(health.await.unwrap().unwrap().status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test is a caller")]
async fn keep_alive_secs_bounds_the_wait_for_the_next_request() {
    let source = Scripted::start().await;
    for (seconds, closes) in [("1", true), ("18446744073709551615", false)] {
        let place = Place::new().with("DOORWARD_KEEP_ALIVE_SECS", seconds);
        place.prepare(&tools(&source, "")).await;
        let server = place.serve().await;
        let mut kept = TcpStream::connect(server.address()).await.unwrap();
        kept.write_all(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.unwrap();

        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(2), kept.read_to_end(&mut answer)).await;

        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(closed.is_ok(), closes, "{seconds}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_secs_bounds_the_wait_for_calls_at_the_end() {
    let source = Scripted::start().await;
    let place = Place::new().with("DOORWARD_DRAIN_SECS", "1");
    place.prepare(&tools(&source, "")).await;
    let mut server = place.serve().await;
    let slow = Call::tool("slow", json!({})).key(&place.key("ada.key")).request();
    let door = server.door();
    let slow = tokio::spawn(async move { door.send(slow).await });
    source.slow_call_arrived().await;

    server.signal(Signal::TERM);
    let status = server.ended().await;

    assert!(status.success(), "{status}");
    assert!(server.log().contains("still open at the deadline"), "{}", server.log());
    assert!(slow.await.unwrap().is_none(), "nobody let the call end");
}

#[tokio::test]
async fn log_says_how_much_is_logged() {
    for (filter, debug, info) in
        [("warn", false, false), ("info", false, true), ("info,server=debug", true, true)]
    {
        let place = Place::new().with("DOORWARD_LOG", filter);
        let mut server = place.serve().await;
        server.send(request(Method::GET, "/health").body(Body::empty()).unwrap()).await;
        server.signal(Signal::TERM);
        server.ended().await;

        let log = server.log();
        assert_eq!((log.contains("DEBUG"), log.contains(" INFO ")), (debug, info), "{filter}: {log}");
    }
}

#[tokio::test]
async fn log_format_is_text_or_an_object_a_line() {
    let place = Place::new().with("DOORWARD_LOG_FORMAT", "json");
    let mut server = place.serve().await;
    server.signal(Signal::TERM);
    server.ended().await;
    let log = server.log();
    let lines = log.lines().filter(|line| !line.starts_with("Doorward") && !line.starts_with("Make "));
    let objects: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();

    assert!(objects.iter().any(|object| object["message"] == "stopped"), "{log}");
}

/// Opens an installation in which ada has the preset `tools` of a scripted source.
async fn with_tools(variables: &[(&str, &str)]) -> (World, Person, Scripted) {
    let world = World::with(variables).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let source = Scripted::start().await;
    give_tools(&world, &ada, &source, json!({})).await;
    (world, ada, source)
}

/// Declares the same for the program, with `ada.key`.
fn tools(source: &Scripted, more: &str) -> String {
    format!(
        "sources: [{{owner: ada, name: scripted, kind: mcp_http, url: '{}'{more}}}]
presets: [{{owner: ada, slug: tools, tools: [{{source: scripted, allow: all}}]}}]
keys: [{{owner: ada, name: ada, secret_file: ada.key}}]
",
        source.url()
    )
}

fn echo(key: &str) -> http::Request<Body> {
    Call::tool("echo", json!({})).key(key).request()
}
