//! A payment provider changes plans by signed posts, and nobody else does.

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use doorward::{
    clock::{Clock, Ms},
    model::InstanceRole,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, StatusCode, header};
use sha2::Sha256;

use crate::world::{Answer, Person, World, request};

const NOW: Ms = Ms(1_795_233_963_183);
const BODY: &str = r#"{"id":"evt_1","subject":"ada","plan":"pro"}"#;

/// What a post says of itself, and what it was signed for.
struct Signed<'a> {
    key: &'a [u8],
    id: &'a str,
    signed_id: &'a str,
    seconds: i64,
    signed_seconds: i64,
    body: &'a str,
    signed_body: &'a str,
}

impl Default for Signed<'_> {
    fn default() -> Self {
        let (id, seconds) = ("msg_1", NOW.0 / 1000);
        Self {
            key: &[7; 24],
            id,
            signed_id: id,
            seconds,
            signed_seconds: seconds,
            body: BODY,
            signed_body: BODY,
        }
    }
}

/// Posts as a payment provider does, from no browser and without a key.
async fn post(world: &World, signed: Signed<'_>) -> Answer {
    let Signed { key, id, signed_id, seconds, signed_seconds, body, signed_body } = signed;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{signed_id}.{signed_seconds}.{signed_body}").as_bytes());
    let signature = BASE64.encode(mac.finalize().into_bytes());
    let request = request(Method::POST, "/api/v1/plan-changes")
        .header(header::CONTENT_TYPE, "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", format!("v1,{signature}"));
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn open() -> (World, Person) {
    let secret = format!("whsec_{}", BASE64.encode([7; 24]));
    let world = World::at(Clock::manual(NOW), &[("DOORWARD_PLAN_WEBHOOK_SECRET", &secret)]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    (world, ada)
}

async fn plan(world: &World, ada: &Person) -> String {
    let usage = world.api(ada, Method::GET, "/api/v1/usage", None).await.json();
    usage["plan"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_change_holds_at_once_and_is_audited() {
    let (world, ada) = open().await;
    let mut events = world.engine.audit.tail();

    let first = post(&world, Signed::default()).await;
    let later = Signed { seconds: NOW.0 / 1000 + 60, signed_seconds: NOW.0 / 1000 + 60, ..Signed::default() };
    let again = post(&world, later).await;

    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let said = first.json();
    assert_eq!((said["subject"].as_str(), said["state"].as_str()), (Some("ada"), Some("applied")));
    assert_eq!((again.status, again.json()), (StatusCode::OK, said), "the same one again is answered alike");
    assert_eq!(plan(&world, &ada).await, "pro");
    let event = events.try_recv().unwrap();
    assert_eq!((event.tenant, event.principal.as_str()), (ada.member.tenant, "plan webhook"));
    assert!(event.subject.contains("give ada the plan pro") && event.address == "127.0.0.1", "{event:?}");
    assert!(!event.request_id.is_empty() && events.try_recv().is_err());
}

#[tokio::test]
async fn no_attack_changes_a_plan() {
    let (world, ada) = open().await;
    let seconds = NOW.0 / 1000;
    let other = r#"{"id":"evt_1","subject":"ada","plan":"enterprise"}"#;
    let huge = format!(r#"{{"id":"evt_1","subject":"ada","plan":"pro","x":"{}"}}"#, "x".repeat(17_000));
    let larger = "x".repeat(2_000_000);
    let nobody = r#"{"id":"evt_1","subject":"nobody","plan":"pro"}"#;
    let no_plan = r#"{"id":"evt_1","subject":"ada","plan":"gold"}"#;
    let attacks = [
        ("another secret", Signed { key: &[8; 24], ..Signed::default() }, 401),
        ("a body altered", Signed { body: other, ..Signed::default() }, 401),
        ("another post's signature", Signed { id: "msg_2", ..Signed::default() }, 401),
        ("a time altered", Signed { seconds: seconds + 1, ..Signed::default() }, 401),
        (
            "an old post",
            Signed { seconds: seconds - 301, signed_seconds: seconds - 301, ..Signed::default() },
            401,
        ),
        (
            "a post of the future",
            Signed { seconds: seconds + 301, signed_seconds: seconds + 301, ..Signed::default() },
            401,
        ),
        ("a large body", Signed { body: &huge, signed_body: &huge, ..Signed::default() }, 413),
        ("a huge body", Signed { body: &larger, signed_body: &larger, ..Signed::default() }, 413),
        ("somebody unknown", Signed { body: nobody, signed_body: nobody, ..Signed::default() }, 422),
        ("a plan unknown", Signed { body: no_plan, signed_body: no_plan, ..Signed::default() }, 422),
    ];
    for (what, attack, expected) in attacks {
        let answer = post(&world, attack).await;
        assert_eq!(answer.status.as_u16(), expected, "{what}: {}", answer.body);
        assert_eq!(plan(&world, &ada).await, "free", "{what}");
    }
    let bare = request(Method::POST, "/api/v1/plan-changes").body(Body::from(BODY)).unwrap();
    assert_eq!(world.send(bare).await.status, StatusCode::UNAUTHORIZED);

    // What was seen on its way and is sent again changes nothing, nor does another body under its id.
    assert_eq!(post(&world, Signed::default()).await.status, StatusCode::OK);
    let next = r#"{"id":"evt_2","subject":"ada","plan":"team"}"#;
    let next = Signed { body: next, signed_body: next, ..Signed::default() };
    assert_eq!(post(&world, next).await.status, StatusCode::OK);
    assert_eq!(post(&world, Signed::default()).await.status, StatusCode::OK);
    assert_eq!(plan(&world, &ada).await, "team");
    let conflict = post(&world, Signed { body: other, signed_body: other, ..Signed::default() }).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT, "{}", conflict.body);
    assert_eq!(plan(&world, &ada).await, "team");
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_address() {
    let world = World::at(Clock::manual(NOW), &[]).await;
    let ada = world.person("ada", InstanceRole::Member).await;

    let answer = post(&world, Signed::default()).await;

    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
    assert_eq!(plan(&world, &ada).await, "free");
}
