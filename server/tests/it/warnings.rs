//! People are told before something of theirs stops working: once, by e-mail and by the operator's webhook.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use doorward::{
    clock::{Clock, Ms},
    identity::NewKey,
    model::{CallRules, ConnectionState, InstanceRole, KeyScope, Slug, Visibility},
    presets::{NewPreset, PresetChange},
    store::NewConnectionToken,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use server::config::Settings;
use sha2::Sha256;

use crate::{settings_mail::Postbox, world::World};

const NOW: Ms = Ms(1_795_233_963_183);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn warning_webhook_and_its_secret_say_where_warnings_go_and_how_they_are_signed() {
    let hook = Hook::open(StatusCode::NO_CONTENT).await;
    let secret = BASE64.encode([7; 24]);
    let (address, whole) = (hook.address.clone(), format!("whsec_{secret}"));
    let clock = Clock::manual(NOW);
    let settings =
        [("DOORWARD_WARNING_WEBHOOK", address.as_str()), ("DOORWARD_WARNING_WEBHOOK_SECRET", whole.as_str())];
    let world = World::at(clock.clone(), &settings).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let end = NOW.plus(10 * DAY);
    let preset = NewPreset { expires_at: Some(end), ..preset("notes") };
    let preset = world.engine.presets.add(&ada.member, preset).await.unwrap();
    let key = NewKey {
        name: "laptop".into(),
        scope: KeyScope::Everything,
        expires_at: Some(NOW.plus(20 * DAY)),
        rate: None,
    };
    world.engine.identity.create_key(&ada.member, key).await.unwrap();
    assert_eq!(world.engine.warnings.tell().await.unwrap(), 0, "nothing ends soon");

    clock.advance(8 * DAY);
    assert_eq!(world.engine.warnings.tell().await.unwrap(), 1);
    assert_eq!(world.engine.warnings.tell().await.unwrap(), 0, "each is told once");
    let (headers, body) = hook.last();
    let said: Value = serde_json::from_slice(&body).unwrap();
    let [warning] = said["data"]["warnings"].as_array().unwrap().as_slice() else { panic!("{said}") };
    assert_eq!(
        (said["type"].as_str(), warning["kind"].as_str()),
        (Some("doorward.warnings"), Some("preset_ends"))
    );
    assert_eq!((warning["owner"].as_str(), warning["name"].as_str()), (Some("ada"), Some("notes")));
    assert!(
        warning["link"].as_str().unwrap().ends_with(&format!("/presets/{}/settings", preset.id)),
        "{said}"
    );
    let head = |name: &str| headers[name].to_str().unwrap().to_owned();
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 24]).unwrap();
    mac.update(format!("{}.{}.", head("webhook-id"), head("webhook-timestamp")).as_bytes());
    mac.update(&body);
    assert_eq!(head("webhook-signature"), format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())));

    // Another end is worth another warning, and so is what was not there before.
    let change = PresetChange { expires_at: Some(Some(NOW.plus(15 * DAY))), ..PresetChange::default() };
    world.engine.presets.update(&ada.member, preset.id, change, 1).await.unwrap();
    clock.advance(5 * DAY + DAY / 2);
    assert_eq!(world.engine.warnings.tell().await.unwrap(), 2);
    let said: Value = serde_json::from_slice(&hook.last().1).unwrap();
    let kinds: Vec<_> = said["data"]["warnings"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, [&json!("preset_ends"), &json!("key_ends")]);

    let load = |variables: &[(&str, &str)]| {
        let all = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, all).unwrap_err().to_string()
    };
    let refused = load(&[("DOORWARD_WARNING_WEBHOOK", "ftp://hooks/s3cret")]);
    assert!(refused.contains("begins with https://") && !refused.contains("s3cret"), "{refused}");
    assert!(load(&[("DOORWARD_WARNING_WEBHOOK_SECRET", "x")]).contains("only beside `warning_webhook`"));
}

#[tokio::test]
async fn a_sign_in_that_ends_is_told_to_whose_it_is_in_one_letter_each() {
    let mail = Postbox::open().await;
    let clock = Clock::manual(NOW);
    let world = World::at(clock.clone(), &mail.settings()).await;
    let (ada, bob) =
        (world.person("ada", InstanceRole::Member).await, world.person("bob", InstanceRole::Member).await);
    let carol = world.person("carol", InstanceRole::Member).await;
    let docs = world.source(&ada.member, "docs").await;
    world.engine.sources.set_enabled(&ada.member, docs, true).await.unwrap();
    let connections = &world.engine.connections;
    let tenant = ada.member.tenant;
    let own = connections.want(tenant, docs, None).await.unwrap();
    let of_bob = connections.want(tenant, docs, Some(bob.member.user)).await.unwrap();
    let lasting = connections.want(tenant, docs, Some(carol.member.user)).await.unwrap();
    let mut tx = world.engine.store.tenant(tenant).await.unwrap();
    for (connection, renews) in [(&own, false), (&of_bob, false), (&lasting, true)] {
        let token = NewConnectionToken {
            issuer: "https://issuer.example.org",
            scope: "",
            expires_at: Some(NOW.plus(DAY / 2)),
            renews,
            at: NOW,
            sealed: r#"{"kid":"none"}"#,
        };
        assert!(tx.set_connection_token(connection.id, None, token).await.unwrap());
    }
    tx.commit().await.unwrap();

    assert_eq!(world.engine.warnings.tell().await.unwrap(), 2);

    let mut letters = [mail.letter(), mail.letter()];
    letters.sort_by_key(|letter| letter.contains("To: bob@example.org"));
    for (letter, handle, connection) in [(&letters[0], "ada", &own), (&letters[1], "bob", &of_bob)] {
        let letter = letter.replace("=\r\n", "");
        assert!(letter.contains(&format!("To: {handle}@example.org")), "{letter}");
        assert!(
            letter.contains("The sign-in at docs ends") && letter.contains(&connection.id.to_string()),
            "{letter}"
        );
        assert!(!letter.contains(&lasting.id.to_string()), "{letter}");
    }
    assert_eq!(world.engine.warnings.tell().await.unwrap(), 0);
    let mut tx = world.engine.store.tenant(tenant).await.unwrap();
    let state = tx.find_connection(own.id).await.unwrap().unwrap().connection.state;
    assert_eq!(state, ConnectionState::Active, "a warning changes nothing");
}

#[tokio::test]
async fn a_month_that_is_nearly_used_is_told_by_letter_and_webhook() {
    let (mail, hook) = (Postbox::open().await, Hook::open(StatusCode::NO_CONTENT).await);
    let mut settings = mail.settings().to_vec();
    settings.push(("DOORWARD_WARNING_WEBHOOK", hook.address.as_str()));
    let world = World::at(Clock::manual(NOW), &settings).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let store = &world.engine.store;

    store.take_calls(ada.member.user, NOW.month(), 8_000, None, NOW).await.unwrap();
    let told = world.engine.warnings.tell().await.unwrap();
    store.take_calls(ada.member.user, NOW.month(), 2_000, None, NOW).await.unwrap();
    let told_again = world.engine.warnings.tell().await.unwrap();

    assert_eq!((told, told_again, world.engine.warnings.tell().await.unwrap()), (2, 2, 0));
    // The newest comes first.
    let [of_all, near] = [mail.letter(), mail.letter()].map(|letter| letter.replace("=\r\n", ""));
    assert!(near.contains("ada has used four fifths of the calls of the month"), "{near}");
    assert!(near.contains("8000 of 10000") && near.contains("/usage"), "{near}");
    assert!(of_all.contains("ada has used all calls of the month"), "{of_all}");
    let said: Value = serde_json::from_slice(&hook.last().1).unwrap();
    assert_eq!(said["data"]["warnings"][0]["kind"], "calls_used", "{said}");
}

#[tokio::test]
async fn a_webhook_that_does_not_take_a_warning_is_tried_again_later_and_not_for_ever() {
    let hook = Hook::open(StatusCode::INTERNAL_SERVER_ERROR).await;
    let clock = Clock::manual(NOW);
    let world = World::at(clock.clone(), &[("DOORWARD_WARNING_WEBHOOK", hook.address.as_str())]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let preset = NewPreset { expires_at: Some(NOW.plus(2 * DAY)), ..preset("notes") };
    world.engine.presets.add(&ada.member, preset).await.unwrap();

    for round in 1..=8 {
        assert_eq!(world.engine.warnings.tell().await.unwrap(), 0);
        assert_eq!(world.engine.warnings.tell().await.unwrap(), 0);
        assert_eq!(hook.number(), round.min(6), "one try a round, and six in all");
        clock.advance(Duration::from_secs(600));
    }
    let headers = hook.last().0;
    assert!(!headers.contains_key("webhook-signature"), "there is no secret to sign with");
}

fn preset(slug: &str) -> NewPreset {
    NewPreset {
        rules: CallRules::default(),
        slug: Slug::parse(slug).unwrap(),
        title: String::new(),
        description: String::new(),
        visibility: Visibility::Private,
        anonymous: false,
        expires_at: None,
        selections: Vec::new(),
    }
}

type Posts = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A webhook that answers everything with one status.
struct Hook {
    address: String,
    posts: Posts,
}

impl Hook {
    async fn open(status: StatusCode) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hooks/s3cret", listener.local_addr().unwrap());
        let posts = Posts::default();
        let take = async move |State(posts): State<Posts>, headers: HeaderMap, body: Bytes| {
            posts.lock().unwrap().push((headers, body));
            status
        };
        let router = Router::new().route("/hooks/s3cret", post(take)).with_state(Arc::clone(&posts));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, posts }
    }

    fn number(&self) -> usize {
        self.posts.lock().unwrap().len()
    }

    fn last(&self) -> (HeaderMap, Bytes) {
        self.posts.lock().unwrap().last().expect("something was posted").clone()
    }
}
