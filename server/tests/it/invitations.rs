//! What an invitation brings whoever opens its link, as a browser does it: an account where the policy of
//! the instance lets it, by a password or by a provider, and a place on the access list.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};
use serde_json::json;

use crate::{
    browser::Browser,
    call::Call,
    logins::{log_in, scene},
    running::Place,
    settings_mail::{Postbox, link_token, preset},
    world::{Answer, World, request},
};

#[tokio::test]
async fn an_invitation_that_was_sent_makes_one_account_where_the_policy_lets_it() {
    for (policy, expected) in
        [("closed", false), ("invited", true), ("open", true), ("example.org", true), ("example.net", false)]
    {
        let mail = Postbox::open().await;
        let mut settings = mail.settings().to_vec();
        settings.push(("DOORWARD_SIGN_UP", policy));
        let world = World::with(&settings).await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let list = preset(&world, &ada).await;
        let new = json!({"email": "grace@example.org", "level": "viewer"});
        world.api(&ada, Method::POST, &list, Some(new)).await;
        let token = link_token(&mail.letter());

        let mut browser = Browser::new(&world);
        let shown = browser.get(&format!("/invitation?token={token}")).await;
        let answer = sign_up(&mut browser, &token, "grace").await;

        assert!(shown.body.contains("ada shares") && shown.body.contains("grace@example.org"), "{policy}");
        assert!(shown.body.contains("/mcp/ada/notes"), "the line for a client is missing");
        assert_eq!(shown.body.contains("Make the account"), expected, "{policy}");
        assert_eq!(answer.location().ends_with("/connect"), expected, "{policy}: {}", answer.location());
        assert_eq!(browser.handle().await.is_some(), expected, "{policy}");
        let again = sign_up(&mut Browser::new(&world), &token, "grace-two").await;
        assert!(again.location().starts_with("/invitation"), "it works once: {}", again.location());
    }
}

#[tokio::test]
async fn a_link_that_was_only_shown_brings_no_account_unless_an_administrator_made_it() {
    let world = World::with(&[("DOORWARD_SIGN_UP", "invited")]).await;
    for (handle, role, expected) in
        [("ada", InstanceRole::Member, false), ("root-of-all", InstanceRole::Admin, true)]
    {
        let person = world.person(handle, role).await;
        let list = preset(&world, &person).await;
        for email in [Some(format!("victim-of-{handle}@example.org")), None] {
            let new = json!({"email": email, "level": "viewer"});
            let made = world.api(&person, Method::POST, &list, Some(new)).await;
            let token = link_token(made.json()["link"].as_str().unwrap());
            let answer = sign_up(&mut Browser::new(&world), &token, "somebody").await;
            // Without an address nobody has proven one.
            let expected = expected && email.is_some();
            assert_eq!(answer.location().ends_with("/connect"), expected, "{handle} {email:?}");
        }
    }
}

#[tokio::test]
async fn whoever_is_invited_makes_one_account_by_a_provider_and_accepts() {
    let (world, provider) = scene("invited").await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let list = preset(&world, &bob).await;
    let invite = async |email: Option<&str>| {
        let new = json!({"email": email, "level": "viewer"});
        let made = world.api(&bob, Method::POST, &list, Some(new)).await;
        made.json()["link"].as_str().unwrap().split_once("8080").unwrap().1.to_owned()
    };
    let (open, of_another) = (invite(None).await, invite(Some("grace@example.org")).await);

    let mut other = Browser::new(&world);
    other.get(&of_another).await;
    let stranger = log_in(&mut other, &provider, "/invitation").await;
    assert_eq!(stranger.location(), "/sign-in", "an invitation of another address made an account");

    let mut browser = Browser::new(&world);
    let shown = browser.get(&open).await;
    assert!(shown.body.contains("href=\"/login/staff?next=/invitation\""), "{}", shown.body);
    assert!(!shown.body.contains("Make the account"), "nobody has proven an address");
    let mut second = Browser::new(&world);
    second.get(&open).await;
    let back = log_in(&mut browser, &provider, "/invitation").await;
    assert_eq!(back.location(), "/sign-up", "{}", back.body);
    provider.behave(|behaviour| (behaviour.subject, behaviour.email) = ("eve-1", "eve@example.org"));
    assert_eq!(log_in(&mut second, &provider, "/invitation").await.location(), "/sign-up");
    let made = browser.post("/do/sign-up", &[("handle", "ada")]).await;
    assert_eq!(made.location(), "/invitation");
    assert_eq!(second.post("/do/sign-up", &[("handle", "eve")]).await.location(), "/sign-up");
    assert_eq!(second.handle().await, None, "one invitation made two accounts");

    let page = browser.get("/invitation").await;
    assert!(page.body.contains("You are signed in as ada"), "{}", page.body);
    let token = link_token(&open);
    let accepted = browser.post("/do/invitation-accept", &[("token", &token)]).await;
    assert!(accepted.location().ends_with("/connect"), "{}", accepted.location());
    assert_eq!(browser.get(accepted.location()).await.status, StatusCode::OK);
    assert!(browser.get("/invitation").await.body.contains("does not hold"));
}

#[tokio::test]
async fn a_call_works_from_the_moment_of_acceptance_until_the_person_is_taken_off() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let list = preset(&world, &ada).await;
    let call = async || {
        let call = Call::modern("tools/list", json!({})).at("/mcp/ada/notes");
        world.send(call.key(&bob.key).request()).await.status
    };
    let new = json!({"email": "bob@example.org", "level": "viewer"});
    let made = world.api(&ada, Method::POST, &list, Some(new)).await;
    let token = link_token(made.json()["link"].as_str().unwrap());
    let mut browser = Browser::new(&world);
    browser.sign_in("bob").await;

    assert_eq!(call().await, StatusCode::NOT_FOUND);
    browser.post("/do/invitation-accept", &[("token", &token)]).await;
    assert_eq!(call().await, StatusCode::OK);
    let access = list.replace("/invitations", "/access");
    let listed = world.api(&ada, Method::GET, &access, None).await.json();
    let entry = format!("{access}/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(world.api(&ada, Method::DELETE, &entry, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call().await, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_link_is_in_no_log() {
    let place = Place::new().with("DOORWARD_LOG", "trace");
    place
        .prepare(
            "presets:\n  - {owner: ada, slug: notes, tools: []}\nkeys:\n  - {owner: ada, name: shell, secret_file: ada.key}\n",
        )
        .await;
    let server = place.serve().await;
    let api = |method: Method, path: &str| {
        request(method, path)
            .header(header::AUTHORIZATION, format!("Bearer {}", place.key("ada.key")))
            .header(header::CONTENT_TYPE, "application/json")
    };
    let listed = server.send(api(Method::GET, "/api/v1/presets").body(Body::empty()).unwrap()).await.json();
    let list = format!("/api/v1/presets/{}/invitations", listed["items"][0]["id"].as_str().unwrap());
    let new = json!({"level": "viewer"}).to_string();
    let made = server.send(api(Method::POST, &list).body(Body::from(new)).unwrap()).await;
    let token = link_token(made.json()["link"].as_str().unwrap());

    let path = format!("/invitation?token={token}");
    let shown = server.send(request(Method::GET, &path).body(Body::empty()).unwrap()).await;
    let fields = Body::from(format!("token={token}"));
    let posted = request(Method::POST, "/do/invitation-accept")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .header(header::REFERER, format!("http://{}{path}", server.address()));
    let refused = server.send(posted.body(fields).unwrap()).await;

    assert!(shown.body.contains("ada shares"), "{}", shown.body);
    assert!(refused.location().starts_with("/sign-in?next="), "{}", refused.location());
    let log = server.log();
    assert!(log.contains("/invitation"), "{log}");
    assert!(!log.contains(&token), "{log}");
    server.stop().await;
}

async fn sign_up(browser: &mut Browser<'_>, token: &str, handle: &str) -> Answer {
    let fields = [("token", token), ("handle", handle), ("password", "correct horse battery staple")];
    browser.post("/do/invitation-sign-up", &fields).await
}
