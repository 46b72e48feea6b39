//! Attacks on sign-in with OAuth that worked on others, tried against the running issuer.

use std::time::Duration;

use axum::body::Body;
use doorward::{
    clock::{Clock, Ms},
    issuer::{ACCESS_AGE_MAX, CODE_AGE_MAX, REFRESH_AGE_MAX, REFRESH_GRACE, UNUSED_CLIENT_AGE_MAX},
    model::{Action, InstanceRole},
    secret::Secret,
};
use http::{Method, StatusCode, header};
use serde_json::json;

use crate::{
    call::Call,
    oauth_stage::{
        ALL, BASE, CALLBACK, Stage, TOOLS, VERIFIER, consent, decide, error, location, parameter, post_form,
        post_json, query, tokens,
    },
    world::{PASSWORD, World, origin, request},
};

const NOW: Ms = Ms(1_795_233_963_183);

#[tokio::test]
async fn mix_up_every_answer_names_its_issuer() {
    let stage = Stage::open().await;
    let client = stage.client().await;

    let allowed = stage.decide(&stage.ada, &query(&client, &[]), "allow", ALL).await;
    let refused = stage.decide(&stage.ada, &query(&client, &[]), "refuse", &[]).await;
    let wrong = stage.consent(Some(&stage.ada), &query(&client, &[("code_challenge", "")])).await;

    for answer in [&allowed, &refused] {
        assert_eq!(parameter(&location(answer), "iss").as_deref(), Some(BASE), "{}", location(answer));
        assert_eq!(parameter(&location(answer), "state").as_deref(), Some("the-state"));
    }
    assert_eq!(parameter(&location(&refused), "error").as_deref(), Some("access_denied"));
    assert!(parameter(&location(&refused), "code").is_none());
    assert!(wrong.body.contains("iss=http%3A%2F%2Flocalhost%3A8080"), "{}", wrong.body);
}

#[tokio::test]
async fn code_injection_a_code_is_of_use_to_its_own_client_with_its_own_proof() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let thief = stage.client().await;
    let code = stage.code(&stage.ada, &client).await;
    let redeem = async |client: &str, verifier: &str, redirect: &str, resource: &str| {
        let form: &[(&str, &str)] = &[
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", &code),
            ("code_verifier", verifier),
            ("redirect_uri", redirect),
            ("resource", resource),
        ];
        stage.token(form).await
    };

    let another = "another-verifier-of-somebody-else-1234567890123";
    for (who, answer) in [
        ("another client", redeem(&thief, VERIFIER, CALLBACK, TOOLS).await),
        ("another proof", redeem(&client, another, CALLBACK, TOOLS).await),
        ("another address", redeem(&client, VERIFIER, "http://127.0.0.1:33418/other", TOOLS).await),
    ] {
        assert_eq!(
            (answer.status, error(&answer)),
            (StatusCode::BAD_REQUEST, "invalid_grant".into()),
            "{who}"
        );
    }
    let other = redeem(&client, VERIFIER, CALLBACK, "http://localhost:8080/mcp/ada/other").await;
    assert_eq!(error(&other), "invalid_target");
    let without: &[(&str, &str)] =
        &[("grant_type", "authorization_code"), ("client_id", &*client), ("code", &*code)];
    assert_eq!(error(&stage.token(without).await), "invalid_request");
    // None of this took it from the one it is for.
    tokens(&redeem(&client, VERIFIER, CALLBACK, TOOLS).await);
}

#[tokio::test]
async fn pkce_downgrade_only_s256_is_taken_and_nothing_is_given_without() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    for otherwise in [
        [("code_challenge", ""), ("code_challenge_method", "")],
        [("code_challenge", ""), ("code_challenge_method", "S256")],
        [("code_challenge", VERIFIER), ("code_challenge_method", "plain")],
        [("code_challenge", VERIFIER), ("code_challenge_method", "")],
        [("code_challenge", "short"), ("code_challenge_method", "S256")],
    ] {
        let query = query(&client, &otherwise);
        let page = stage.consent(Some(&stage.ada), &query).await;
        let posted = stage.decide(&stage.ada, &query, "allow", ALL).await;

        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{otherwise:?}");
        assert!(parameter(&location(&posted), "code").is_none(), "{otherwise:?}: {}", location(&posted));
    }
}

#[tokio::test]
async fn redirect_tricks_lead_nowhere() {
    let stage = Stage::open().await;
    let metadata = json!({
        "client_name": "Web", "token_endpoint_auth_method": "none",
        "redirect_uris": ["https://client.example/callback", CALLBACK],
    });
    let client = stage.register(metadata).await["client_id"].as_str().unwrap().to_owned();
    for uri in [
        "https://client.example/callback/",
        "https://client.example/callback?x=1",
        "https://client.example/callback/../evil",
        "https://client.example/callback%2f..%2fevil",
        "https://client.example.evil.example/callback",
        "https://client.example:8443/callback",
        "https://client.example@evil.example/callback",
        "https://client.example/callback#x",
        "https://client.example/callback\r\nset-cookie: x",
        "http://client.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1:33418/other",
        "http://localhost:33418/callback",
        "javascript:alert(1)",
        "//evil.example",
        "/callback",
    ] {
        let query = query(&client, &[("redirect_uri", uri)]);
        let page = stage.consent(Some(&stage.ada), &query).await;
        let posted = stage.decide(&stage.ada, &query, "allow", ALL).await;

        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{uri}");
        assert!(!page.headers.contains_key(header::LOCATION), "{uri}");
        assert!(!page.body.contains("evil") && !page.body.contains("href=\"javascript"), "{uri}");
        assert!(location(&posted).starts_with("/oauth/authorize?"), "{uri}: {}", location(&posted));
    }
    // Given twice, the first and the second could be read by different people.
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fclient.example%2Fcallback", query(&client, &[]));
    assert_eq!(stage.consent(Some(&stage.ada), &twice).await.status, StatusCode::BAD_REQUEST);
    for uri in ["http://client.example/cb", "javascript:alert(1)", "https://a.example/#x", "data:text/html,x"]
    {
        let refused = post_json(&stage.world, "/oauth/register", &json!({"redirect_uris": [uri]})).await;
        assert_eq!(
            (refused.status, error(&refused)),
            (StatusCode::BAD_REQUEST, "invalid_redirect_uri".into())
        );
    }
}

#[tokio::test]
async fn open_redirect_nobody_is_sent_on_without_saying_so() {
    let stage = Stage::open().await;
    let metadata = json!({
        "client_name": "Evil", "redirect_uris": ["https://evil.example/"], "token_endpoint_auth_method": "none",
    });
    let client = stage.register(metadata).await["client_id"].as_str().unwrap().to_owned();
    let to = ("redirect_uri", "https://evil.example/");

    for otherwise in
        [vec![to], vec![to, ("response_type", "token")], vec![to, ("resource", "https://x.example")]]
    {
        let nobody = stage.consent(None, &query(&client, &otherwise)).await;
        let somebody = stage.consent(Some(&stage.ada), &query(&client, &otherwise)).await;

        assert!(location(&nobody).starts_with("/sign-in?next=/oauth/authorize"), "{}", location(&nobody));
        assert!(!somebody.headers.contains_key(header::LOCATION), "{otherwise:?}");
    }
    // Nor is the way back from signing in a way out.
    for next in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
        let form: &[(&str, &str)] = &[("login", "ada"), ("password", PASSWORD), ("next", next)];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request(Method::POST, "/do/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        let answer = stage.world.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(location(&answer), "/", "{next}");
    }
}

#[tokio::test]
async fn code_replay_ends_the_sign_in_that_the_code_began() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let code = stage.code(&stage.ada, &client).await;
    let (access, refresh) = tokens(&stage.redeem(&client, &code).await);
    let (other, _) = stage.sign_in(&stage.ada, &client).await;
    assert_eq!(stage.call(&access).await, StatusCode::OK);

    let replayed = stage.redeem(&client, &code).await;

    assert_eq!(error(&replayed), "invalid_grant");
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(error(&stage.refresh(&client, &refresh).await), "invalid_grant");
    // Another sign-in of the same client goes on.
    assert_eq!(stage.call(&other).await, StatusCode::OK);
}

#[tokio::test]
async fn token_replay_a_refresh_token_used_twice_ends_its_sign_in() {
    let clock = Clock::manual(NOW);
    let stage = Stage::at(clock.clone()).await;
    let client = stage.client().await;
    let (_, stolen) = stage.sign_in(&stage.ada, &client).await;
    let (other, _) = stage.sign_in(&stage.ada, &client).await;
    let (access, next) = tokens(&stage.refresh(&client, &stolen).await);
    assert_eq!(stage.call(&access).await, StatusCode::OK);

    // Soon after it is the client itself, whose answer was lost; it gets the same one.
    clock.advance(REFRESH_GRACE);
    assert_eq!(tokens(&stage.refresh(&client, &stolen).await).1, next);
    // Later it is somebody else.
    clock.advance(Duration::from_millis(1));
    let replayed = stage.refresh(&client, &stolen).await;

    assert_eq!(error(&replayed), "invalid_grant");
    assert_eq!(error(&stage.refresh(&client, &next).await), "invalid_grant");
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    assert_eq!(stage.call(&other).await, StatusCode::OK, "another sign-in of the same client goes on");
    stage.world.engine.audit.flush().await;
    let events = stage.world.engine.audit.search(&stage.ada.member, &Default::default()).await.unwrap();
    let ended = events.iter().find(|event| event.action == Action::GrantRevoke).unwrap();
    assert_eq!(
        (ended.subject.as_str(), ended.reason.as_str()),
        ("Test client", "a refresh token was used twice")
    );
}

#[tokio::test]
async fn codes_and_tokens_end_by_themselves() {
    let clock = Clock::manual(NOW);
    let stage = Stage::at(clock.clone()).await;
    let client = stage.client().await;
    let late = stage.code(&stage.ada, &client).await;
    clock.advance(CODE_AGE_MAX);
    assert_eq!(error(&stage.redeem(&client, &late).await), "invalid_grant");

    let (access, refresh) = stage.sign_in(&stage.ada, &client).await;
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    clock.advance(ACCESS_AGE_MAX);
    assert_eq!(stage.call(&access).await, StatusCode::UNAUTHORIZED);
    let (access, refresh) = tokens(&stage.refresh(&client, &refresh).await);
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    clock.advance(REFRESH_AGE_MAX);
    assert_eq!(error(&stage.refresh(&client, &refresh).await), "invalid_grant");
}

#[tokio::test]
async fn registrations_that_nobody_let_in_expire_and_those_in_use_stay() {
    let clock = Clock::manual(NOW);
    let stage = Stage::at(clock.clone()).await;
    let (unused, used) = (stage.client().await, stage.client().await);
    stage.sign_in(&stage.ada, &used).await;
    clock.advance(UNUSED_CLIENT_AGE_MAX + Duration::from_secs(1));

    stage.world.engine.issuer.remove_ended().await.unwrap();

    // The person is still signed in, if only for this.
    let session = stage.world.engine.identity.sign_in("ada", Secret::new(PASSWORD), &origin()).await.unwrap();
    let cookie = format!("doorward={}", session.cookie.expose());
    for (client, status) in [(unused, StatusCode::BAD_REQUEST), (used, StatusCode::OK)] {
        let request = request(Method::GET, &format!("/oauth/authorize?{}", query(&client, &[])));
        let request = request.header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
        assert_eq!(stage.world.send(request).await.status, status);
    }
}

#[tokio::test]
async fn token_theft_a_token_is_of_use_to_its_own_client_and_at_its_own_place() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let thief = stage.client().await;
    let (access, refresh) = stage.sign_in(&stage.ada, &client).await;

    // A refresh token of another client, and tokens taken for one another.
    assert_eq!(error(&stage.refresh(&thief, &refresh).await), "invalid_grant");
    assert_eq!(error(&stage.refresh(&client, &access).await), "invalid_grant");
    assert_eq!(stage.call(&refresh).await, StatusCode::UNAUTHORIZED);
    // Not in the address, not in a cookie, and not for the REST API.
    let in_address = Call::tool("echo", json!({})).at(&format!("/mcp/ada/tools?access_token={access}"));
    assert_eq!(stage.world.send(in_address.request()).await.status, StatusCode::UNAUTHORIZED);
    for path in ["/api/v1/presets", "/api/v1/keys", "/api/v1/datasources", "/api/v1/export", "/events"] {
        let request = request(Method::GET, path).header(header::AUTHORIZATION, format!("Bearer {access}"));
        let answer = stage.world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(stage.call(&access).await, StatusCode::OK);
    assert_eq!(stage.call(&format!("{access}x")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn audience_confusion_a_token_for_one_preset_opens_no_other() {
    let stage = Stage::open().await;
    let new = json!({"slug": "other", "visibility": "public", "anonymous": true, "sources": []});
    stage.world.api(&stage.ada, Method::POST, "/api/v1/presets", Some(new)).await;
    let client = stage.client().await;
    let (access, refresh) = stage.sign_in(&stage.ada, &client).await;

    for path in ["/mcp/ada/other", "/mcp/ada/missing", "/mcp/bob/tools"] {
        let call = Call::modern("tools/list", json!({})).at(path).key(&access);
        let answer = stage.world.send(call.request()).await;
        let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    let form: &[(&str, &str)] = &[
        ("grant_type", "refresh_token"),
        ("client_id", &client),
        ("refresh_token", &refresh),
        ("resource", "http://localhost:8080/mcp/ada/other"),
    ];
    assert_eq!(error(&stage.token(form).await), "invalid_target");
    for resource in ["https://elsewhere.example/mcp/ada/tools", "http://localhost:8080/api/v1", "urn:x"] {
        let page = stage.consent(Some(&stage.ada), &query(&client, &[("resource", resource)])).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{resource}");
    }
}

#[tokio::test]
async fn confused_deputy_what_one_client_was_let_do_is_nothing_to_another() {
    let stage = Stage::open().await;
    let callback = "https://client.example/callback";
    let metadata = json!({
        "client_name": "Good", "redirect_uris": [callback], "token_endpoint_auth_method": "none",
    });
    let good = stage.register(metadata).await["client_id"].as_str().unwrap().to_owned();
    // The same name, and the same address beside one of its own.
    let metadata = json!({
        "client_name": "Good", "token_endpoint_auth_method": "none",
        "redirect_uris": [callback, "https://evil.example/"],
    });
    let evil = stage.register(metadata).await["client_id"].as_str().unwrap().to_owned();
    let to = [("redirect_uri", callback)];
    stage.decide(&stage.ada, &query(&good, &to), "allow", ALL).await;

    let known = stage.consent(Some(&stage.ada), &query(&good, &to)).await;
    let strange = stage.consent(Some(&stage.ada), &query(&evil, &to)).await;
    let elsewhere =
        stage.consent(Some(&stage.ada), &query(&evil, &[("redirect_uri", "https://evil.example/")])).await;

    assert_eq!(known.status, StatusCode::SEE_OTHER);
    for asked in [&strange, &elsewhere] {
        assert_eq!(asked.status, StatusCode::OK);
        assert!(!asked.headers.contains_key(header::LOCATION));
    }
    assert!(elsewhere.body.contains("evil.example"));
    // A client on the person's computer has no name of its own, and is shown every time.
    let native = stage.client().await;
    stage.decide(&stage.ada, &query(&native, &[]), "allow", ALL).await;
    assert_eq!(stage.consent(Some(&stage.ada), &query(&native, &[])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn consent_forgery_only_the_page_itself_says_yes() {
    let stage = Stage::open().await;
    let client = stage.client().await;
    let asked = query(&client, &[]);
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("request", &asked).append_pair("decision", "allow").finish();
    let post = async |headers: &[(&str, &str)]| {
        let mut request = request(Method::POST, "/do/consent")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, &stage.ada.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        stage.world.send(request.body(Body::from(body.clone())).unwrap()).await
    };

    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![],
    ] {
        assert_eq!(post(&headers).await.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    // Opening the page is no consent, however often and by whatever link.
    stage.consent(Some(&stage.ada), &format!("{asked}&decision=allow&prompt=none")).await;
    // And nobody's answer is nobody's.
    let nobody = request(Method::POST, "/do/consent")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    let nobody = stage.world.send(nobody.body(Body::from(body.clone())).unwrap()).await;
    assert!(location(&nobody).starts_with("/sign-in"), "{}", location(&nobody));
    assert!(stage.world.engine.issuer.grants(&stage.ada.member).await.unwrap().is_empty());
    let page = stage.consent(Some(&stage.ada), &asked).await;
    assert_eq!(page.headers[header::X_FRAME_OPTIONS], "DENY");
}

#[tokio::test]
async fn a_name_of_a_client_is_text_wherever_it_is_shown() {
    let stage = Stage::open().await;
    let name = "<script>alert(1)</script>\"'";
    let metadata =
        json!({"client_name": name, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
    let client = stage.register(metadata).await["client_id"].as_str().unwrap().to_owned();

    let page = stage.consent(Some(&stage.ada), &query(&client, &[])).await;
    let wrong = stage.consent(Some(&stage.ada), &query(&client, &[("response_type", "x")])).await;
    stage.decide(&stage.ada, &query(&client, &[]), "allow", ALL).await;
    let request = request(Method::GET, "/grants").header(header::COOKIE, &stage.ada.cookie);
    let grants = stage.world.send(request.body(Body::empty()).unwrap()).await;

    for page in [page, wrong, grants] {
        assert!(page.body.contains("alert(1)"), "{}", page.body);
        assert!(!page.body.contains("<script>alert"), "{}", page.body);
    }
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_and_never_shown_again() {
    let stage = Stage::open().await;
    let made = stage.register(json!({"redirect_uris": [CALLBACK]})).await;
    let client = stage.client().await;
    let code = stage.code(&stage.ada, &client).await;
    let (access, refresh) = tokens(&stage.redeem(&client, &code).await);
    stage.world.engine.audit.flush().await;
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(stage.world.folder.path().join("data")).unwrap() {
        kept.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
    }

    let made = |name: &str| made[name].as_str().unwrap().to_owned();
    for secret in [code, access, refresh, made("client_secret"), made("registration_access_token")] {
        let secret = secret.as_bytes();
        assert!(!kept.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn metadata_ssrf_a_clients_address_reaches_nothing_inside() {
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let inside = listener.local_addr().unwrap().port();
    // An installation that others can reach, so that nothing inside is allowed.
    let public = [("DOORWARD_PUBLIC_URL", "http://localhost:8080")];
    let world = World::with(&public).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    for id in [
        format!("http://127.0.0.1:{inside}/client.json"),
        format!("http://localhost:{inside}/client.json"),
        format!("https://127.0.0.1:{inside}/client.json"),
        format!("https://localhost:{inside}/client.json"),
        format!("https://[::1]:{inside}/client.json"),
        format!("https://[::ffff:127.0.0.1]:{inside}/client.json"),
        format!("https://2130706433:{inside}/client.json"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/client.json".to_owned(),
        "http://client.example/client.json".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let asked = query(&id, &[]);
        let page = consent(&world, Some(&ada), &asked).await;
        let posted = decide(&world, &ada, &asked, "allow", ALL).await;
        let form: &[(&str, &str)] =
            &[("grant_type", "refresh_token"), ("client_id", &*id), ("refresh_token", "dwr_x")];

        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{id}");
        assert!(!page.body.contains("refused") && !page.body.contains("loopback"), "{id}: {}", page.body);
        assert!(location(&posted).starts_with("/oauth/authorize?"), "{id}");
        let refused = post_form(&world, "/oauth/token", form).await;
        assert_eq!(error(&refused), "invalid_client", "{id}");
    }
    // Nobody was connected to.
    let nobody = tokio::select! {
        biased;
        _ = listener.accept() => false,
        () = std::future::ready(()) => true,
    };
    assert!(nobody);
}
