//! Signing in with other identity providers, as a browser does it: real routes, a real provider.

use std::sync::Arc;

use doorward::{
    model::{Action, Handle, InstanceRole, Outcome},
    store::EventFilter,
};
use http::StatusCode;

use crate::{
    browser::Browser,
    provider::{CLIENT, Forgery, Provider, SECRET},
    world::{Answer, PASSWORD, World},
};

const OIDC: &str = "staff";
const GITHUB: &str = "github";

/// Opens an installation that ada owns, which knows the provider in both shapes.
pub(crate) async fn scene(sign_up: &str) -> (World, Arc<Provider>) {
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logins.toml");
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let at = &provider.address;
    let text = format!(
        "[{OIDC}]\nlabel = 'Example'\nissuer = '{at}'\nclient_id = '{CLIENT}'\nclient_secret_file = 'secret'\n\
         [{GITHUB}]\nurl = '{}'\nclient_id = '{CLIENT}'\nclient_secret_file = 'secret'\n",
        at.replace("127.0.0.1", "localhost")
    );
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let world = World::with(&[("DOORWARD_LOGINS_FILE", &file), ("DOORWARD_SIGN_UP", sign_up)]).await;
    world.person("root-of-all", InstanceRole::Admin).await;
    (world, provider)
}

/// Goes to the provider, is let in, and comes back.
pub(crate) async fn log_in(browser: &mut Browser<'_>, provider: &Provider, next: &str) -> Answer {
    let (code, state) = go(browser, provider, OIDC, next).await;
    come_back(browser, provider, &code, &state).await
}

async fn go(browser: &mut Browser<'_>, provider: &Provider, name: &str, next: &str) -> (String, String) {
    let sent = browser.get(&format!("/login/{name}?next={next}")).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    provider.let_in(&sent.location().replace("localhost", "127.0.0.1"))
}

async fn come_back(browser: &mut Browser<'_>, provider: &Provider, code: &str, state: &str) -> Answer {
    let iss = percent(&provider.address);
    browser.get(&format!("/login/{OIDC}/callback?code={code}&state={state}&iss={iss}")).await
}

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn refusals(world: &World) -> Vec<(Action, String)> {
    world.engine.audit.flush().await;
    let root = Handle::parse("root-of-all").unwrap();
    let root = world.engine.identity.at_the_shell(&root).await.unwrap().unwrap();
    let events = world.engine.audit.search(&root, &EventFilter::default()).await.unwrap();
    let refused = events.into_iter().filter(|event| event.outcome == Outcome::Refused);
    refused.map(|event| (event.action, event.reason)).collect()
}

#[tokio::test]
async fn somebody_new_makes_an_account_and_signs_in_by_the_provider_from_then_on() {
    let (world, provider) = scene("open").await;
    let mut browser = Browser::new(&world);
    let page = browser.get("/sign-in?next=%2Fkeys").await;
    assert!(page.body.contains("href=\"/login/staff?next=/keys\""), "{}", page.body);

    let back = log_in(&mut browser, &provider, "/keys").await;
    assert_eq!(back.location(), "/sign-up", "{}", back.body);
    let form = browser.get("/sign-up").await;
    assert!(form.body.contains("ada@example.org") && form.body.contains("value=\"ada\""), "{}", form.body);
    let taken = browser.post("/do/sign-up", &[("handle", "root-of-all")]).await;
    assert_eq!(taken.location(), "/sign-up");
    let made = browser.post("/do/sign-up", &[("handle", "ada")]).await;

    assert_eq!(made.location(), "/keys");
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));
    let mut other = Browser::new(&world);
    let back = log_in(&mut other, &provider, "/presets").await;
    assert_eq!(back.location(), "/presets");
    assert_eq!(other.handle().await.as_deref(), Some("ada"));
    let mut guess = Browser::new(&world);
    for password in ["", "!", PASSWORD] {
        let refused = guess.post("/do/sign-in", &[("login", "ada"), ("password", password)]).await;
        assert_eq!(refused.location(), "/sign-in", "an account without a password was opened by one");
    }
}

#[tokio::test]
async fn who_may_make_an_account_is_the_policy_s_to_say() {
    for (policy, email, verified, admitted) in [
        ("closed", "ada@example.org", true, false),
        ("invited", "ada@example.org", true, false),
        ("open", "ada@anywhere.example", true, true),
        ("open", "ada@example.org", false, false),
        ("example.org", "ada@example.org", true, true),
        ("example.org", "ada@example.org", false, false),
        ("example.org", "ada@example.org.evil.example", true, false),
    ] {
        let (world, provider) = scene(policy).await;
        provider.behave(|behaviour| (behaviour.email, behaviour.verified) = (email, verified));
        let mut browser = Browser::new(&world);

        let back = log_in(&mut browser, &provider, "/").await;
        let made = browser.post("/do/sign-up", &[("handle", "ada")]).await;

        assert_eq!(back.location() == "/sign-up", admitted, "{policy}, {email}, {verified}");
        assert_eq!(browser.handle().await.is_some(), admitted, "{policy}, {email}: {}", made.location());
    }
}

#[tokio::test]
async fn an_address_alone_opens_no_account_and_its_owner_adds_the_login() {
    let (world, provider) = scene("open").await;
    world.person("ada", InstanceRole::Member).await;
    let mut browser = Browser::new(&world);

    let back = log_in(&mut browser, &provider, "/keys").await;
    assert_eq!(back.location(), "/sign-in?next=/account/add-login");
    assert_eq!(browser.handle().await, None);
    assert_eq!(browser.post("/do/sign-up", &[("handle", "eve")]).await.location(), "/sign-up");
    assert_eq!(browser.handle().await, None, "the address was given to a second account");
    let signed_in = browser
        .post("/do/sign-in", &[("login", "ada"), ("password", PASSWORD), ("next", "/account/add-login")])
        .await;
    assert_eq!(signed_in.location(), "/account/add-login");
    assert!(browser.get("/account/add-login").await.body.contains("ada@example.org"));
    let wrong = browser.post("/do/account/add-login", &[("password", "wrong")]).await;
    assert_eq!(wrong.location(), "/account/add-login");
    assert!(!browser.get("/account").await.body.contains("account/remove-login"));
    let added = browser.post("/do/account/add-login", &[("password", PASSWORD)]).await;

    assert_eq!(added.location(), "/keys");
    let mut other = Browser::new(&world);
    assert_eq!(log_in(&mut other, &provider, "/").await.location(), "/");
    assert_eq!(other.handle().await.as_deref(), Some("ada"));
    let again = browser.post("/do/account/add-login", &[("password", PASSWORD)]).await;
    assert_eq!(again.location(), "/account/add-login", "a login was added twice");
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let (world, provider) = scene("open").await;
    let mut ada = Browser::new(&world);
    log_in(&mut ada, &provider, "/").await;
    ada.post("/do/sign-up", &[("handle", "ada")]).await;
    let id = login_id(&mut ada).await.unwrap();

    ada.post("/do/account/remove-login", &[("id", &id)]).await;
    assert!(login_id(&mut ada).await.is_some(), "nobody could sign in to the account any more");
    let mut bob = Browser::new(&world);
    world.person("bob", InstanceRole::Member).await;
    bob.sign_in("bob").await;
    bob.post("/do/account/remove-login", &[("id", &id)]).await;
    let new = "another horse battery";
    let set = ada.post("/do/account/password", &[("new", new), ("again", new)]).await;
    assert_eq!(set.location(), "/account");
    ada.post("/do/account/remove-login", &[("id", &id)]).await;

    assert_eq!(login_id(&mut ada).await, None);
    let mut other = Browser::new(&world);
    let back = log_in(&mut other, &provider, "/").await;
    assert_eq!(back.location(), "/sign-in?next=/account/add-login");
    assert_eq!(other.handle().await, None);
    other.post("/do/sign-in", &[("login", "ada"), ("password", new)]).await;
    assert_eq!(other.handle().await.as_deref(), Some("ada"));
}

async fn login_id(browser: &mut Browser<'_>) -> Option<String> {
    let page = browser.get("/account").await.body;
    let (_, form) = page.split_once("action=\"/do/account/remove-login\"")?;
    let (_, value) = form.split_once("value=\"").unwrap();
    Some(value.split('"').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let (world, provider) = scene("open").await;
    let mut known = Browser::new(&world);
    log_in(&mut known, &provider, "/").await;
    known.post("/do/sign-up", &[("handle", "ada")]).await;

    for forgery in [
        Forgery::Signature,
        Forgery::StrangeKey,
        Forgery::Audience,
        Forgery::SecondAudience,
        Forgery::Nonce,
        Forgery::NoNonce,
        Forgery::Issuer,
        Forgery::Expired,
        Forgery::AlgorithmNone,
        Forgery::SharedSecret,
        Forgery::NoToken,
        Forgery::AccessTokenHash,
    ] {
        provider.behave(|behaviour| behaviour.forgery = forgery);
        let mut browser = Browser::new(&world);
        let back = log_in(&mut browser, &provider, "/").await;

        assert_eq!(back.location(), "/sign-in", "{forgery:?}");
        assert_eq!(browser.handle().await, None, "{forgery:?} signed somebody in");
        let page = browser.get("/sign-in").await;
        assert!(page.body.contains("cannot be believed"), "{forgery:?}: {}", page.body);
    }
    let told = refusals(&world).await;
    assert_eq!(told.len(), 12, "{told:?}");
    assert!(told.iter().all(|(action, reason)| *action == Action::SignIn && reason.contains("Example")));

    provider.behave(|behaviour| behaviour.forgery = Forgery::None);
    let mut browser = Browser::new(&world);
    log_in(&mut browser, &provider, "/").await;
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn what_the_user_info_says_of_another_is_not_believed() {
    let (world, provider) = scene("open").await;
    provider.behave(|behaviour| behaviour.user_info_of = Some("somebody-else"));
    let mut browser = Browser::new(&world);
    assert_eq!(log_in(&mut browser, &provider, "/").await.location(), "/sign-in");

    provider.behave(|behaviour| behaviour.user_info_of = Some(behaviour.subject));
    assert_eq!(log_in(&mut browser, &provider, "/").await.location(), "/sign-up");
}

#[tokio::test]
async fn an_issuer_that_is_another_is_not_asked_and_a_new_key_is_found() {
    let (world, provider) = scene("open").await;
    let mut browser = Browser::new(&world);
    provider.behave(|behaviour| behaviour.pretends_to_be = Some("https://accounts.google.com"));
    assert_eq!(browser.get("/login/staff").await.location(), "/sign-in");

    provider.behave(|behaviour| behaviour.pretends_to_be = None);
    assert_eq!(log_in(&mut browser, &provider, "/").await.location(), "/sign-up");
    provider.change_key();
    assert_eq!(log_in(&mut browser, &provider, "/").await.location(), "/sign-up");
}

#[tokio::test]
async fn an_answer_works_once_in_the_browser_and_at_the_provider_it_belongs_to() {
    let (world, provider) = scene("open").await;
    let mut known = Browser::new(&world);
    log_in(&mut known, &provider, "/").await;
    known.post("/do/sign-up", &[("handle", "ada")]).await;
    let iss = percent(&provider.address);

    // Another browser has the link.
    let mut browser = Browser::new(&world);
    let (code, state) = go(&mut browser, &provider, OIDC, "/").await;
    let mut thief = Browser::new(&world);
    assert_eq!(come_back(&mut thief, &provider, &code, &state).await.location(), "/sign-in");
    go(&mut thief, &provider, OIDC, "/").await;
    assert_eq!(come_back(&mut thief, &provider, &code, &state).await.location(), "/sign-in");
    assert_eq!(thief.handle().await, None);

    // Another state, another or no issuer, the path of another provider.
    for wrong in [
        format!("/login/staff/callback?code={code}&state=x{state}&iss={iss}"),
        format!("/login/staff/callback?code={code}&iss={iss}"),
        format!("/login/none/callback?code={code}&state={state}&iss={iss}"),
    ] {
        browser.get(&wrong).await;
        assert_eq!(browser.handle().await, None, "{wrong}");
    }
    let cookies = browser.cookies.clone();
    assert_eq!(come_back(&mut browser, &provider, &code, &state).await.location(), "/");
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));

    // Again, with the cookie as it was.
    let mut again = Browser::new(&world);
    again.cookies = cookies;
    assert_eq!(come_back(&mut again, &provider, &code, &state).await.location(), "/sign-in");
    assert_eq!(again.handle().await, None);

    for (name, iss) in [
        (OIDC, "&iss=https%3A%2F%2Faccounts.google.com"),
        (OIDC, ""),
        // A code of one provider brought to the other.
        (GITHUB, ""),
    ] {
        let mut mixed = Browser::new(&world);
        let (code, state) = go(&mut mixed, &provider, OIDC, "/").await;
        mixed.get(&format!("/login/{name}/callback?code={code}&state={state}{iss}")).await;
        assert_eq!(mixed.handle().await, None, "{name} {iss}");
    }

    // A code that the provider gave to another.
    let mut one = Browser::new(&world);
    let (code, _) = go(&mut one, &provider, OIDC, "/").await;
    let mut two = Browser::new(&world);
    let (_, state) = go(&mut two, &provider, OIDC, "/").await;
    assert_eq!(come_back(&mut two, &provider, &code, &state).await.location(), "/sign-in");
    assert_eq!(two.handle().await, None, "a code was used by another browser");
}

#[tokio::test]
async fn a_person_who_says_no_is_told_so_and_nothing_else_of_the_answer_is_shown() {
    let (world, provider) = scene("open").await;
    let mut browser = Browser::new(&world);
    let (_, state) = go(&mut browser, &provider, OIDC, "/").await;
    let iss = percent(&provider.address);

    let error = "access_denied&error_description=%3Cb%3ECall+0800";
    browser.get(&format!("/login/staff/callback?error={error}&state={state}&iss={iss}")).await;
    let page = browser.get("/sign-in").await;

    assert!(page.body.contains("Example did not sign you in (access_denied)"), "{}", page.body);
    assert!(!page.body.contains("Call 0800"), "{}", page.body);
}

#[tokio::test]
async fn nobody_is_led_to_another_site_by_signing_in() {
    let (world, provider) = scene("open").await;
    let mut browser = Browser::new(&world);
    log_in(&mut browser, &provider, "/").await;
    browser.post("/do/sign-up", &[("handle", "ada")]).await;

    for next in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "javascript:x"] {
        let mut browser = Browser::new(&world);
        let back = log_in(&mut browser, &provider, next).await;
        assert_eq!(back.location(), "/", "{next}");
        assert_eq!(browser.handle().await.as_deref(), Some("ada"));
    }
}

#[tokio::test]
async fn a_login_of_another_account_is_not_taken_away_and_nobody_is_switched() {
    let (world, provider) = scene("open").await;
    let mut ada = Browser::new(&world);
    log_in(&mut ada, &provider, "/").await;
    ada.post("/do/sign-up", &[("handle", "ada")]).await;
    world.person("bob", InstanceRole::Member).await;
    let mut bob = Browser::new(&world);
    bob.sign_in("bob").await;

    let back = log_in(&mut bob, &provider, "/account").await;

    assert_eq!(back.location(), "/account");
    assert!(bob.get("/account").await.body.contains("belongs to another account"));
    assert_eq!(bob.handle().await.as_deref(), Some("bob"));
    assert_eq!(login_id(&mut bob).await, None);
    // Whose it is hears that it is theirs.
    let (code, state) = go(&mut ada, &provider, OIDC, "/account").await;
    assert_eq!(come_back(&mut ada, &provider, &code, &state).await.location(), "/account");
    assert!(ada.get("/account").await.body.contains("yours already"));
}

#[tokio::test]
async fn a_switched_off_account_stays_closed() {
    let (world, provider) = scene("open").await;
    let mut ada = Browser::new(&world);
    log_in(&mut ada, &provider, "/").await;
    ada.post("/do/sign-up", &[("handle", "ada")]).await;
    let identity = &world.engine.identity;
    let permit = doorward::policy::operator_at_the_shell();
    let users = identity.users(&permit).await.unwrap();
    let user = users.into_iter().find(|user| user.handle.as_str() == "ada").unwrap();
    let off = doorward::identity::UserChange { enabled: Some(false), ..Default::default() };
    identity.update_user(&permit, user.id, off).await.unwrap();

    let mut browser = Browser::new(&world);
    let back = log_in(&mut browser, &provider, "/").await;

    assert_eq!(back.location(), "/sign-in");
    assert_eq!(browser.handle().await, None);
}

#[tokio::test]
async fn github_signs_people_in_by_their_number_and_the_address_it_has_seen() {
    let (world, provider) = scene("open").await;
    let back = async |browser: &mut Browser<'_>, code: &str, state: &str| {
        browser.get(&format!("/login/github/callback?code={code}&state={state}")).await
    };
    let mut browser = Browser::new(&world);

    provider.behave(|behaviour| behaviour.verified = false);
    let (code, state) = go(&mut browser, &provider, GITHUB, "/").await;
    assert_eq!(back(&mut browser, &code, &state).await.location(), "/sign-in");
    assert!(browser.get("/sign-in").await.body.contains("GitHub does not say that your e-mail"));

    provider.behave(|behaviour| behaviour.verified = true);
    let (code, state) = go(&mut browser, &provider, GITHUB, "/keys").await;
    assert_eq!(back(&mut browser, &code, &state).await.location(), "/sign-up");
    browser.post("/do/sign-up", &[("handle", "ada")]).await;
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));
    assert!(browser.get("/account").await.body.contains("ada-l"));

    // The same number is the same person, whatever the address; another number is another.
    provider.behave(|behaviour| behaviour.email = "new@example.org");
    let mut again = Browser::new(&world);
    let (code, state) = go(&mut again, &provider, GITHUB, "/").await;
    assert_eq!(back(&mut again, &code, &state).await.location(), "/");
    provider.behave(|behaviour| (behaviour.subject, behaviour.email) = ("7", "ada@example.org"));
    let mut other = Browser::new(&world);
    let (code, state) = go(&mut other, &provider, GITHUB, "/").await;
    assert_eq!(back(&mut other, &code, &state).await.location(), "/sign-in?next=/account/add-login");

    // A code that was used is refused with status 200, as GitHub does.
    let (_, state) = go(&mut other, &provider, GITHUB, "/").await;
    assert_eq!(back(&mut other, &code, &state).await.location(), "/sign-in");
    assert!(other.get("/sign-in").await.body.contains("bad_verification_code"));
}
