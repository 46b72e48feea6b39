//! How fast calls and requests may come: the settings, the plan, and the pages that show and set it.

use std::time::Duration;

use axum::body::Body;
use doorward::{
    clock::{Clock, Ms},
    model::InstanceRole,
};
use http::{Method, StatusCode, header};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    beside::Redis,
    call::Call,
    running::{Place, Running, until},
    scripted::{Scripted, give_tools},
    trouble::{api, document, echo},
    world::{Answer, Person, World, request},
};

#[tokio::test]
async fn rate_limits_of_the_settings_hold_for_each_of_their_kind() {
    for kind in ["tool", "key", "preset", "source", "person", "organisation"] {
        let variable = format!("DOORWARD_RATE_LIMIT_{}", kind.to_uppercase());
        let scene = Scene::with(&[(&variable, "1/hour")]).await;

        let (first, second) = (scene.call("echo").await, scene.call("echo").await);

        assert_eq!(first.status, StatusCode::OK, "{kind}: {}", first.body);
        assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS, "{kind}: {}", second.body);
        assert_eq!(second.json()["error"]["data"]["limited"], kind, "{}", second.body);
        let wait: u64 = second.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((3500..=3600).contains(&wait), "{wait}");
    }
}

#[tokio::test]
async fn rate_limit_rest_bounds_the_requests_of_a_person_to_the_rest_api() {
    let world = World::with(&[("DOORWARD_RATE_LIMIT_REST", "2/hour")]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let ask = async |person: &Person| world.api(person, Method::GET, "/api/v1/usage", None).await;

    let [first, second, third] = [ask(&ada).await, ask(&ada).await, ask(&ada).await];
    let other = ask(&bob).await;

    assert_eq!([first.status, second.status, other.status], [StatusCode::OK; 3]);
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS, "{}", third.body);
    assert_eq!(third.json()["type"], "urn:doorward:problem:too-many");
    assert!(third.json()["detail"].as_str().unwrap().contains("takes no more than 2/hour"), "{}", third.body);
    assert!(third.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn a_plan_says_how_fast_the_calls_of_its_people_may_come() {
    let scene = Scene::with(&[("DOORWARD_RATE_LIMIT_PERSON", "1/hour")]).await;
    let plan = |rate: &str| {
        let permit = doorward::policy::operator_at_the_shell();
        let plan: doorward::model::Plan =
            serde_json::from_value(json!({"name": "free", "rate": rate})).unwrap();
        let identity = scene.world.engine.identity.clone();
        async move { identity.save_plan(&permit, &plan).await.unwrap() }
    };

    plan("3/hour").await;
    let statuses = [
        scene.call("echo").await.status,
        scene.call("echo").await.status,
        scene.call("echo").await.status,
        scene.call("echo").await.status,
    ];

    assert_eq!(statuses[..3], [StatusCode::OK; 3]);
    assert_eq!(statuses[3], StatusCode::TOO_MANY_REQUESTS);
    // An empty bucket stays empty, and fills as fast as the plan says.
    plan("90/hour").await;
    let refused = scene.call("echo").await;
    assert_eq!(refused.json()["error"]["data"]["rate"], "90/hour", "{}", refused.body);
    let wait: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!(wait <= 40, "{wait}");
}

#[tokio::test]
async fn limits_are_set_and_told_through_the_api_and_in_explain() {
    let scene = Scene::with(&[]).await;
    let api = async |method: Method, path: &str, body: Value| {
        scene.world.api(&scene.ada, method, path, Some(body)).await
    };
    let path = format!("/api/v1/presets/{}", scene.preset);
    let rules = json!({"rate": "5/hour", "tools": {"echo": "2/hour, 1 at once"}});

    let edited = api(Method::PATCH, &path, json!({"version": 1, "rules": rules})).await;
    let wrong = api(Method::PATCH, &path, json!({"version": 2, "rules": {"rate": "often"}})).await;
    let read = scene.world.api(&scene.ada, Method::GET, &path, None).await;
    scene.call("echo").await;
    let explain = "/api/v1/explain?preset=ada/tools&tool=echo";
    let explained = scene.world.api(&scene.ada, Method::GET, explain, None).await;

    assert_eq!((edited.status, &edited.json()["rules"]), (StatusCode::OK, &rules), "{}", edited.body);
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.body);
    assert!(wrong.body.contains("600/minute"), "it says what would be right: {}", wrong.body);
    assert_eq!(read.json()["rules"], rules);
    assert!(
        explained.body.contains("this tool of the preset takes 2/hour, 1 at once, of which 0 are free"),
        "{}",
        explained.body
    );
    assert_eq!(scene.call("strict").await.status, StatusCode::OK, "another tool is not refused");
}

#[tokio::test]
async fn the_pages_of_key_preset_and_source_show_what_is_free_and_set_it() {
    let scene = Scene::with(&[("DOORWARD_RATE_LIMIT_SOURCE", "50/hour")]).await;
    let (preset, source) = (&scene.preset, &scene.source);
    let settings = format!("/presets/{preset}/settings");
    let key = scene.world.api(&scene.ada, Method::GET, "/api/v1/keys", None).await.json()["items"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();

    let saved = [
        scene
            .post(
                "/do/limits-preset",
                &format!("id={preset}&version=1&rate=5%2Fhour&tools=echo+%3D+3%2Fhour"),
            )
            .await,
        scene.post("/do/limits-key", &format!("id={key}&rate=7%2Fhour")).await,
        scene.post("/do/limits-source", &format!("id={source}&version=1&rate=9%2Fhour")).await,
    ];
    scene.call("echo").await;
    let page = scene.get(&settings).await;
    let keys = scene.get("/keys").await;
    let source = scene.get(&format!("/sources/{source}/edit")).await;

    assert_eq!(saved.map(|answer| answer.status), [StatusCode::SEE_OTHER; 3]);
    let shows = |page: &Answer, text: &str| {
        let plain = page.body.replace("<!>", "").replace("<!-- -->", "");
        assert!(plain.contains(text), "{text}: {plain}");
    };
    shows(&page, "5/hour, 4 free at this moment");
    shows(&page, "3/hour, 2 free at this moment");
    shows(&page, "echo = 3/hour");
    shows(&keys, "7/hour: 6 free");
    shows(&source, "9/hour, 8 free at this moment");
    shows(&source, "(set by the operator for all)");
    shows(&source, "50/hour, 49 free at this moment");
}

#[tokio::test]
async fn a_rate_that_is_none_is_told_beside_its_field() {
    let scene = Scene::with(&[]).await;
    let preset = &scene.preset;

    let refused =
        scene.post("/do/limits-preset", &format!("id={preset}&version=1&rate=often&tools=echo")).await;

    assert_eq!(refused.status, StatusCode::SEE_OTHER);
    let note = refused.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    let page = scene.get_with(&format!("/presets/{preset}/settings"), note).await;
    assert!(page.body.contains("A rate is a number from 1 to 1000000"), "{}", page.body);
    assert!(page.body.contains("value=\"often\""), "what was typed is kept: {}", page.body);
}

#[tokio::test]
async fn redis_url_keeps_what_is_left_beyond_the_process_and_away_it_opens_or_closes() {
    for (when_away, admits) in [("open", true), ("closed", false)] {
        let (source, redis) = (Scripted::start().await, Redis::start().await);
        let place = Place::new()
            .with("DOORWARD_REDIS_URL", &redis.url())
            .with("DOORWARD_RATE_LIMIT_WHEN_REDIS_IS_AWAY", when_away)
            .with("DOORWARD_RATE_LIMIT_PRESET", "2/day");
        place.prepare(&document(&source)).await;
        let (ada, bob) = (place.key("ada.key"), place.key("bob.key"));
        let server = place.serve().await;
        let ready = async |server: &Running<'_>| {
            let ready = server.send(request(Method::GET, "/ready").body(Body::empty()).unwrap()).await;
            (ready.status, ready.json()["checks"][2].clone())
        };
        until("Redis answers", async || ready(&server).await.1["ok"] == true).await;

        let first = [server.send(echo(&ada)).await.status, server.send(echo(&bob)).await.status];
        server.stop().await;
        let server = place.serve().await;
        let third = server.send(echo(&ada)).await;

        assert_eq!(first, [StatusCode::OK; 2]);
        assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS, "another process knows: {}", third.body);
        drop(redis);
        let away = server.send(echo(&ada)).await;
        let healthy = ready(&server).await;
        let (_, said) = place.run(&["doctor"]).await;
        assert_eq!(away.status, StatusCode::OK, "{}", away.body);
        assert_eq!(!away.tool_text().1, admits, "{when_away}: {}", away.body);
        assert_eq!(healthy, (StatusCode::OK, json!({"name": "redis", "ok": false})));
        assert!(said.contains("redis") && said.contains("does not answer"), "{said}");
        assert!(server.log().contains("Redis does not answer"), "{}", server.log());
        server.stop().await;
    }
}

#[tokio::test]
async fn a_killed_process_loses_no_more_of_a_quota_than_its_lease() {
    let source = Scripted::start().await;
    let place = Place::new();
    place.prepare(&document(&source)).await;
    let bob = place.key("bob.key");
    let mut server = place.serve().await;
    for _ in 0..5 {
        assert!(!server.send(echo(&bob)).await.tool_text().1);
    }

    server.signal(Signal::KILL);
    server.ended().await;
    let server = place.serve().await;
    let usage = server.send(api(&bob, Method::GET, "/api/v1/usage", None)).await.json();

    let used = usage["calls_used"].as_i64().unwrap();
    assert!((5..=5 + 200 / 8).contains(&used), "{usage}");
    server.stop().await;
}

#[tokio::test]
async fn retries_kept_secs_is_how_long_a_repeat_gets_the_first_answer() {
    let clock = Clock::manual(Ms(1_795_233_963_183));
    let world = World::at(clock.clone(), &[("DOORWARD_RETRIES_KEPT_SECS", "60")]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let scripted = Scripted::start().await;
    give_tools(&world, &ada, &scripted, json!({})).await;
    let call = async || {
        let call = Call::tool("echo", json!({"n": 1})).header("idempotency-key", "k").key(&ada.key);
        world.send(call.request()).await.json()["result"]["_meta"]["org.doorward/replayed"] == true
    };

    let [first, repeat] = [call().await, call().await];
    clock.advance(Duration::from_secs(60));
    let late = call().await;

    assert_eq!([first, repeat, late], [false, true, false]);
    assert_eq!(scripted.calls().len(), 2);
}

#[tokio::test]
async fn a_call_whose_gateway_was_killed_in_the_middle_is_named_ambiguous_and_not_made_again() {
    let source = Scripted::start().await;
    let place = Place::new();
    place.prepare(&document(&source)).await;
    let key = place.key("ada.key");
    let slow = || Call::tool("slow", json!({"n": 1})).header("idempotency-key", "k").key(&key).request();
    let mut server = place.serve().await;
    let door = server.door();
    let first = tokio::spawn({
        let slow = slow();
        async move { door.send(slow).await.is_some() }
    });
    source.slow_call_arrived().await;

    server.signal(Signal::KILL);
    server.ended().await;
    let server = place.serve().await;
    let repeat = server.send(slow()).await;

    assert!(!first.await.unwrap(), "the first answer is lost");
    let (text, is_error) = repeat.tool_text();
    assert!(is_error && text.contains("what came of it is not known"), "{}", repeat.body);
    assert_eq!(source.calls().len(), 1);
    server.stop().await;
}

struct Scene {
    world: World,
    ada: Person,
    _scripted: Scripted,
    source: String,
    preset: String,
}

impl Scene {
    async fn with(variables: &[(&str, &str)]) -> Self {
        let world = World::with(variables).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let scripted = Scripted::start().await;
        let (source, preset) = give_tools(&world, &ada, &scripted, json!({})).await;
        Self { world, ada, _scripted: scripted, source, preset }
    }

    async fn call(&self, tool: &str) -> Answer {
        let call = Call::tool(tool, json!({"n": 1})).key(&self.ada.key);
        self.world.send(call.request()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "none=none").await
    }

    async fn get_with(&self, path: &str, cookie: &str) -> Answer {
        let cookies = format!("{}; {cookie}", self.ada.cookie);
        let request = request(Method::GET, path).header(header::COOKIE, cookies);
        self.world.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &str) -> Answer {
        let request = request(Method::POST, path)
            .header(header::COOKIE, &self.ada.cookie)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.world.send(request.body(Body::from(fields.to_owned())).unwrap()).await
    }
}
