//! Below a path of a host that others share: clients find, register, sign in and call, and pages lead to pages,
//! whether or not the reverse proxy takes the path off.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    call::Call,
    oauth_stage::{
        ALL, CALLBACK, VERIFIER, consent, decide, location, parameter, post_form, post_json, query, tokens,
    },
    scripted::{Scripted, give_tools},
    world::{Answer, Person, World, request},
};

const BASE: &str = "http://localhost:8080/doorward";
const TOOLS: &str = "http://localhost:8080/doorward/mcp/ada/tools";

struct Below {
    world: World,
    ada: Person,
    /// Keeps the source there.
    _source: Scripted,
}

impl Below {
    async fn open() -> Self {
        let world =
            World::with(&[("DOORWARD_PUBLIC_URL", BASE), ("DOORWARD_EGRESS_ALLOW", "127.0.0.0/8")]).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let source = Scripted::start().await;
        give_tools(&world, &ada, &source, json!({})).await;
        Self { world, ada, _source: source }
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.world.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.json()
    }

    async fn page(&self, path: &str) -> Answer {
        let request = request(Method::GET, path)
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, &self.ada.cookie);
        self.world.send(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn clients_find_everything_where_they_look_and_sign_in() {
    let below = Below::open().await;
    let world = &below.world;
    let call = |path: &str| Call::tool("echo", json!({})).at(path);
    for taken_off in [false, true] {
        let at = |path: &str| if taken_off { path.to_owned() } else { format!("/doorward{path}") };

        let refused = world.send(call(&at("/mcp/ada/tools")).request()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
        let named =
            format!("resource_metadata=\"{BASE}/.well-known/oauth-protected-resource/mcp/ada/tools\"");
        assert!(challenge.contains(&named), "{challenge}");
        let inserted = "/.well-known/oauth-protected-resource/doorward/mcp/ada/tools".to_owned();
        for path in [at("/.well-known/oauth-protected-resource/mcp/ada/tools"), inserted] {
            let resource = below.json(&path).await;
            assert_eq!(
                (&resource["resource"], &resource["authorization_servers"][0]),
                (&json!(TOOLS), &json!(BASE))
            );
        }
        let mut found = Vec::new();
        for path in [
            "/.well-known/oauth-authorization-server/doorward".to_owned(),
            "/.well-known/openid-configuration/doorward".to_owned(),
            at("/.well-known/openid-configuration"),
            at("/.well-known/oauth-authorization-server"),
        ] {
            found.push(below.json(&path).await);
        }
        assert!(found.iter().all(|one| *one == found[0]), "{found:#?}");
        let endpoint = |name: &str| {
            let address = found[0][name].as_str().unwrap();
            at(address.strip_prefix(BASE).unwrap_or_else(|| panic!("{address}")))
        };

        let metadata = json!({"client_name": "Test client", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
        let client = post_json(world, &endpoint("registration_endpoint"), &metadata).await.json();
        let client = client["client_id"].as_str().unwrap();
        let asked = query(client, &[("resource", TOOLS)]);
        let page = below.page(&format!("{}?{asked}", endpoint("authorization_endpoint"))).await;
        assert!(page.body.contains("action=\"/doorward/do/consent\""), "{}", page.body);
        let allowed = decide(world, &below.ada, &asked, "allow", ALL).await;
        let back = location(&allowed);
        assert_eq!(
            (back.starts_with(CALLBACK), parameter(&back, "iss").as_deref()),
            (true, Some(BASE)),
            "{back}"
        );
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", &parameter(&back, "code").unwrap()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("resource", TOOLS),
        ];
        let (access, _) = tokens(&post_form(world, &endpoint("token_endpoint"), &form).await);
        let called = world.send(call(&at("/mcp/ada/tools")).key(&access).request()).await;
        assert_eq!(called.status, StatusCode::OK, "{}", called.body);
    }
    // Of another path of the same host nothing is ours.
    let metadata = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
    let client = post_json(world, "/doorward/oauth/register", &metadata).await.json();
    let client = client["client_id"].as_str().unwrap();
    for (resource, status) in
        [(TOOLS, StatusCode::OK), ("http://localhost:8080/mcp/ada/tools", StatusCode::BAD_REQUEST)]
    {
        let asked = query(client, &[("resource", resource)]);
        assert_eq!(consent(world, Some(&below.ada), &asked).await.status, status, "{resource}");
    }
}

#[tokio::test]
async fn pages_lead_to_pages_and_forms_to_forms() {
    let below = Below::open().await;
    let world = &below.world;
    assert!(location(&world.get("/doorward/").await).starts_with("/doorward/sign-in"));
    assert!(location(&world.get("/").await).starts_with("/doorward/sign-in"));
    let page = below.page("/doorward/presets").await;
    assert_eq!(page.status, StatusCode::OK);
    let mut links = Vec::new();
    for part in page.body.split_once("<head>").unwrap().1.split("=\"/").skip(1) {
        links.push(format!("/{}", part.split('"').next().unwrap()));
    }
    assert!(links.len() > 10 && links.iter().all(|link| link.starts_with("/doorward/")), "{links:?}");
    for link in links.iter().filter(|link| !link.contains("/do/") && !link.contains("/pkg/")) {
        let there = below.page(&link.replace("&amp;", "&")).await;
        assert!(there.status.is_success(), "{link}: {}", there.status);
    }
    let sent = request(Method::POST, "/doorward/do/preset-create")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, &below.ada.cookie)
        .header("sec-fetch-site", "same-origin");
    let sent = sent.body(Body::from("title=More&slug=more&access=private")).unwrap();
    let onward = location(&world.send(sent).await);
    assert!(onward.starts_with("/doorward/presets/") && onward.ends_with("/connect"), "{onward}");
    let next = below.page(&onward).await;
    assert!(next.body.contains(&format!("{BASE}/mcp/ada/more")), "{}", next.body);
}
