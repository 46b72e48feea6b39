//! Bad edits: refused with a clear error, and nothing half-saved.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};
use leptos::server_fn::axum::server_fn_paths;
use serde_json::{Value, json};
use server::{config::MetricsListen, routes};

use crate::{
    bad_input::Scene,
    call::Call,
    world::{Person, World, request},
};

#[tokio::test]
async fn a_slug_is_a_slug_however_it_comes() {
    let scene = Scene::open().await;
    let world = &scene.world;
    for slug in [
        "..",
        "../ada",
        "a/../b",
        "%2e%2e",
        "a%2fb",
        ".",
        "",
        "-a",
        "a-",
        "A",
        "ä",
        "а",
        "a b",
        "a\0",
        "a\n",
        "tools\u{200b}",
    ] {
        let new = json!({"slug": slug});
        let made = world.api(&scene.ada, Method::POST, "/api/v1/presets", Some(new)).await;
        let edit = json!({"version": 1, "slug": slug});
        let path = format!("/api/v1/presets/{}", scene.preset);
        let edited = world.api(&scene.ada, Method::PATCH, &path, Some(edit)).await;
        let document = json!({"version": 1, "presets": [{"owner": "ada", "slug": slug}]});
        let applied = world.api(&scene.ada, Method::POST, "/api/v1/apply", Some(document)).await;

        for answer in [made, edited, applied] {
            assert!(answer.status.is_client_error(), "{slug:?}: {} {}", answer.status, answer.body);
        }
    }
    let list = world.api(&scene.ada, Method::GET, "/api/v1/presets", None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");

    let good = || Call::tool("echo", json!({}));
    for path in [
        "/mcp/ada/../ada/tools",
        "/mcp/./ada/tools",
        "/mcp/ada/..%2ftools",
        "/mcp/ada/%2e%2e%2fada%2ftools",
        "/mcp/ada/%2e%2e",
        "/mcp/ada//tools",
        "/mcp/ada/tools%00",
        "/mcp/ada/tools%20",
        "/mcp/ada/TOOLS",
        "/mcp/ADA/tools",
        "/mcp/ada/tools/x",
        "/mcp/ada/tools//",
        "/mcp//ada/tools",
        "//mcp/ada/tools",
        "/MCP/ada/tools",
        "/mcp/ada%2ftools",
        "/mcp/%FF/tools",
    ] {
        let answer = scene.send(good().at(path)).await;
        assert!(answer.status.is_client_error(), "{path}: {} {}", answer.status, answer.body);
    }
    assert!(scene.source.calls().is_empty());
    assert_eq!(scene.send(good().at("/mcp/ada/tools/")).await.status, StatusCode::OK);
    assert_eq!(scene.send(good().at("/mcp/%61da/tools")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_second_of_two_editors_is_told() {
    let scene = Scene::open().await;
    let world = &scene.world;
    let path = format!("/api/v1/presets/{}", scene.preset);
    let edit = |title: &str| json!({"version": 1, "title": title});

    let first = world.api(&scene.ada, Method::PATCH, &path, Some(edit("first"))).await;
    let second = world.api(&scene.ada, Method::PATCH, &path, Some(edit("second"))).await;
    let form = format!("id={}&version=1&title=third&slug=tools&description=&access=anonymous", scene.preset);
    let third = post(world, &scene.ada, "/do/preset-settings", &form).await;
    let page = follow(world, &scene.ada, &third).await;
    let read = world.api(&scene.ada, Method::GET, &path, None).await.json();

    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::CONFLICT), "{}", second.body);
    assert!(page.contains("third") && page.to_lowercase().contains("changed"), "{page}");
    assert_eq!((read["title"].as_str(), read["anonymous"].as_bool()), (Some("first"), Some(false)));
}

#[tokio::test]
async fn what_is_refused_in_the_middle_leaves_nothing_behind() {
    let scene = Scene::open().await;
    let world = &scene.world;
    let before = world.api(&scene.ada, Method::GET, "/api/v1/export", None).await.body;
    let stranger = "01890000-0000-7000-8000-000000000000";
    let many: Vec<Value> = (0..2000).map(|n| json!({"name": format!("t{n}")})).collect();

    let table = [
        ("/api/v1/presets", json!({"slug":"half","sources":[{"source":stranger,"all":true}]})),
        ("/api/v1/presets", json!({"slug":"half","anonymous":true})),
        ("/api/v1/presets", json!({"slug":"half","title":"a\nb"})),
        ("/api/v1/presets", json!({"slug":"half","description":"x".repeat(100_000)})),
        ("/api/v1/presets", json!({"slug":"tools"})),
        ("/api/v1/presets", json!({"slug":"half","sources":[{"source":stranger,"all":true,"tools":many}]})),
        ("/api/v1/datasources", json!({"name":"half","kind":"mcp_http"})),
        (
            "/api/v1/datasources",
            json!({"name":"half","kind":"mcp_http","url":"http://127.0.0.1:9/","env":{"A":"b"}}),
        ),
        (
            "/api/v1/datasources",
            json!({"name":"half","kind":"mcp_http","url":"http://127.0.0.1:9/","auth":{"header":{"name":"Host","value":"x"}}}),
        ),
        (
            "/api/v1/datasources",
            json!({"name":"half","kind":"mcp_http","url":"http://127.0.0.1:9/","auth":{"bearer":"a\r\nb: c"}}),
        ),
        ("/api/v1/keys", json!({"name":"half","presets":[stranger]})),
        ("/api/v1/keys", json!({"name":"half","presets":[]})),
        ("/api/v1/keys", json!({"name":"half","expires_in_days":0})),
        ("/api/v1/keys", json!({"name":""})),
        (
            "/api/v1/apply",
            json!({"version":1,"presets":[{"owner":"ada","slug":"half"},{"owner":"ada","slug":"other","tools":[{"source":"nothing","allow":"all"}]}]}),
        ),
        (
            "/api/v1/apply",
            json!({"version":1,"presets":[{"owner":"ada","slug":"half"},{"owner":"root","slug":"x"}]}),
        ),
        (
            "/api/v1/apply",
            json!({"version":1,"users":[{"handle":"eve","email":"eve@example.org","role":"admin"}]}),
        ),
        ("/api/v1/apply", json!({"version":1,"plans":[{"name":"free"}]})),
    ];
    for (path, body) in table {
        let shown: String = body.to_string().chars().take(120).collect();
        let answer = world.api(&scene.ada, Method::POST, path, Some(body)).await;

        assert!(answer.status.is_client_error(), "{path} {shown}: {} {}", answer.status, answer.body);
    }

    let after = world.api(&scene.ada, Method::GET, "/api/v1/export", None).await.body;
    assert_eq!(after, before);
}

#[tokio::test]
async fn no_route_answers_under_a_strange_name_or_obeys_a_strange_page() {
    let world = World::with(&[("DOORWARD_METRICS_LISTEN", "main")]).await;
    let ada = world.person("ada", InstanceRole::Admin).await;
    let id = "01890000-0000-7000-8000-000000000000";
    let rows = routes::table(MetricsListen::Main);
    let rows = rows.iter().map(|row| (row.method.clone(), row.path.replace("{id}", id)));
    let forms = server_fn_paths().map(|(path, method)| (method, path.to_owned()));
    let others = ["/mcp/ada/tools", "/mcp/ada/tools/", "/nowhere", "/api/nowhere", "/pkg/x"];
    let others = others.map(|path| (Method::POST, path.to_owned()));
    let all: Vec<_> = rows.chain(forms).chain(others).collect();
    assert!(all.len() > 30, "the forms are registered");

    for (method, path) in all {
        let ask = |host: &str, origin: &'static str| {
            let request = http::Request::builder()
                .method(method.clone())
                .uri(&path)
                .header(header::HOST, host)
                .header(header::COOKIE, &ada.cookie)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::ORIGIN, origin);
            world.send(request.body(Body::from("{}")).unwrap())
        };
        for host in
            ["evil.example", "localhost.evil.example", "localhost@evil.example", "127.0.0.1.nip.io:8080", ""]
        {
            let answer = ask(host, "http://localhost:8080").await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{method} {path} {host}");
        }
        // What programs ask the issuer, and what a payment provider posts, looks at no cookie.
        let takes_no_cookie = path.starts_with("/oauth/") || path == "/api/v1/plan-changes";
        if !method.is_safe() && !takes_no_cookie {
            for origin in [
                "https://evil.example",
                "null",
                "http://localhost:8081",
                "http://localhost:8080.evil.example",
            ] {
                let answer = ask("localhost:8080", origin).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {origin}: {}", answer.body);
            }
        }
    }
}

/// Posts a form as a page of ours does.
async fn post(world: &World, person: &Person, path: &str, form: &str) -> crate::world::Answer {
    let request = request(Method::POST, path)
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, &person.cookie)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    world.send(request.unwrap()).await
}

/// Goes where an answer leads, with the cookies it sets.
async fn follow(world: &World, person: &Person, answer: &crate::world::Answer) -> String {
    assert!(answer.status.is_redirection(), "{} {}", answer.status, answer.body);
    let set = answer.headers.get_all(header::SET_COOKIE).iter();
    let set = set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    let cookies: Vec<String> = std::iter::once(person.cookie.clone()).chain(set).collect();
    let request = request(Method::GET, answer.headers[header::LOCATION].to_str().unwrap())
        .header(header::COOKIE, cookies.join("; "))
        .body(Body::empty());
    world.send(request.unwrap()).await.body
}
