//! What every request meets: names, pages of strangers, headers, health, files.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};

use crate::world::{World, request};

#[tokio::test]
async fn a_request_to_a_strange_name_is_refused_everywhere() {
    let world = World::open().await;
    for path in
        ["/", "/health", "/ready", "/api/v1/datasources", "/favicon.svg", "/mcp/ada/tools", "/nowhere"]
    {
        let request = http::Request::builder().uri(path).header(header::HOST, "evil.example");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;

        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_a_stranger_cannot_change_anything() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    for path in ["/do/sign-out", "/api/v1/presets", "/nowhere"] {
        for (name, value) in
            [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("x-none", "")]
        {
            let request = request(Method::POST, path)
                .header(header::COOKIE, &ada.cookie)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(name, value);
            let answer = world.send(request.body(Body::empty()).unwrap()).await;

            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {name}");
        }
    }
}

#[tokio::test]
async fn every_answer_is_strict_with_browsers_and_carries_an_id() {
    let world = World::open().await;
    for path in ["/health", "/sign-in", "/api/v1/openapi.json", "/api/v1/nothing", "/favicon.svg"] {
        let answer = world.get(path).await;

        let header =
            |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("x-request-id").len(), 32, "{path}");
        assert!(!header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn readiness_names_its_checks() {
    let world = World::open().await;

    let ready = world.get("/ready").await;
    world.engine.store.close().await;
    let closed = world.get("/ready").await;

    assert_eq!(
        (ready.status, ready.json()["checks"][0]["name"].as_str()),
        (StatusCode::OK, Some("database"))
    );
    assert_eq!(closed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.get("/health").await.status, StatusCode::OK);
}

#[tokio::test]
async fn programs_get_problems_and_people_get_pages() {
    let world = World::open().await;

    let problem = world.get("/api/v1/nothing").await;
    let page = request(Method::DELETE, "/health")
        .header("sec-fetch-site", "none")
        .header(header::ACCEPT, "text/html");
    let page = world.send(page.body(Body::empty()).unwrap()).await;
    let nowhere = world.get("/nowhere").await;

    assert_eq!(problem.headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!((problem.status, problem.json()["status"].as_i64()), (StatusCode::NOT_FOUND, Some(404)));
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.body.starts_with("<!DOCTYPE html>"), "{}", nowhere.body);
}

#[tokio::test]
async fn the_sheet_a_page_names_is_there_and_kept_for_good() {
    let world = World::open().await;

    let page = world.get("/sign-in").await;
    let path = page
        .body
        .split("href=\"")
        .find_map(|part| part.split('"').next().filter(|path| path.ends_with(".css")));
    let sheet = world.get(path.unwrap()).await;

    assert_eq!(sheet.status, StatusCode::OK);
    assert!(sheet.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn a_body_that_is_too_large_or_of_another_type_is_refused() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let post = |path: &str, kind: &str| {
        request(Method::POST, path)
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.key))
            .header(header::CONTENT_TYPE, kind)
            .header(header::ACCEPT, "application/json")
    };

    let large = post("/api/v1/presets", "application/json").body(Body::from(vec![b' '; 2 * 1024 * 1024]));
    let large = world.send(large.unwrap()).await;
    let form = world.send(post("/api/v1/presets", "text/plain").body(Body::from("{}")).unwrap()).await;
    let unknown = post("/api/v1/presets", "application/json").body(Body::from(r#"{"slug":"a","colour":1}"#));
    let unknown = world.send(unknown.unwrap()).await;
    // A large body of who may not call is not read, so there is a preset to call.
    let preset = post("/api/v1/presets", "application/json").body(Body::from(r#"{"slug":"tools"}"#));
    assert_eq!(world.send(preset.unwrap()).await.status, StatusCode::CREATED);
    let call = post("/mcp/ada/tools", "application/json").body(Body::from(vec![b' '; 5 * 1024 * 1024]));
    let call = world.send(call.unwrap()).await;

    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.body.contains("colour"), "{}", unknown.body);
    assert_eq!(call.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn metrics_beside_the_console_are_for_those_who_manage_the_instance() {
    let world = World::with(&[("DOORWARD_METRICS_LISTEN", "main")]).await;
    let root = world.person("root-of-all", InstanceRole::Admin).await;
    let ada = world.person("ada", InstanceRole::Member).await;

    let nobody = world.get("/metrics/prometheus").await;
    let member = world.api(&ada, Method::GET, "/metrics/prometheus", None).await;
    let admin = world.api(&root, Method::GET, "/metrics/prometheus", None).await;

    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(member.status, StatusCode::FORBIDDEN);
    assert!(admin.body.contains("doorward_calls_total"), "{}", admin.body);
}

#[tokio::test]
async fn scripts_of_a_named_page_may_ask_whether_they_may_call() {
    let world = World::with(&[("DOORWARD_ALLOWED_ORIGINS", "https://inspector.example")]).await;
    let ask = |origin: &str| {
        let request = request(Method::OPTIONS, "/mcp/ada/tools").header(header::ORIGIN, origin);
        world.send(request.body(Body::empty()).unwrap())
    };

    let friend = ask("https://inspector.example").await;
    let stranger = ask("https://evil.example").await;

    assert_eq!(friend.status, StatusCode::NO_CONTENT);
    assert_eq!(friend.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://inspector.example");
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
    assert!(!stranger.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn scripts_may_send_the_headers_of_a_tools_own_parameters() {
    let origin = "https://inspector.example";
    let world = World::with(&[("DOORWARD_ALLOWED_ORIGINS", origin)]).await;
    let allowed = async |asked: &[&str]| -> Vec<String> {
        let mut request = request(Method::OPTIONS, "/mcp/ada/tools").header(header::ORIGIN, origin);
        for line in asked {
            request = request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, *line);
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        let names = answer.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
        let names = names.split(", ").filter(|name| name.starts_with("mcp-param"));
        names.map(str::to_owned).collect()
    };
    let many: Vec<String> = (0..100).map(|number| format!("mcp-param-{number}")).collect();

    let some = allowed(&["content-type,Mcp-Param-Region , x-other", "mcp-param-n"]).await;
    let wrong = allowed(&["mcp-param-, mcp-param-a b, mcp-param-ä, mcp-param-a;b, mcp-params, ,"]).await;
    let too_many = allowed(&[&many.join(",")]).await;

    assert_eq!(some, ["mcp-param-region", "mcp-param-n"]);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(too_many, many[..64]);
}
