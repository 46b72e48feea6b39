//! The second factor, as a browser meets it: set up, asked for, replayed, lost, taken away.

use doorward::{clock::Clock, model::InstanceRole, policy::operator_at_the_shell};
use totp_rs::{Builder, Secret};

use crate::{
    browser::Browser,
    soft_passkey::SoftPasskey,
    world::{PASSWORD, World},
};

/// Ada, who has switched a second step on.
struct Ada {
    secret: String,
    /// The time step of the code she switched it on with.
    step: u64,
    recovery: Vec<String>,
}

impl Ada {
    /// Returns the code of that many time steps later. The next one is accepted already.
    fn code(&self, later: u64) -> String {
        code(&self.secret, (self.step + later) * 30)
    }
}

fn code(secret: &str, seconds: u64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build_noncompliant().generate(seconds).to_string()
}

async fn switch_on(browser: &mut Browser<'_>) -> Ada {
    browser.post("/do/account/begin-second-factor", &[("password", PASSWORD)]).await;
    let page = browser.get("/account/second-factor").await.body;
    let (_, rest) = page.split_once("QR code of the secret").expect(&page);
    // Eight groups of four letters.
    let secret: String = rest
        .split(['<', '>', '"'])
        .find(|text| text.len() == 39 && text.split(' ').all(|group| group.len() == 4))
        .expect(&page)
        .replace(' ', "");
    let wrong = browser.post("/do/account/confirm-second-factor", &[("code", "000000")]).await;
    assert_eq!(wrong.location(), "/account/second-factor");
    let step = u64::try_from(Clock::system().now().0).unwrap() / 30_000;
    browser.post("/do/account/confirm-second-factor", &[("code", &code(&secret, step * 30))]).await;
    Ada { secret, step, recovery: recovery_codes(browser).await }
}

/// Returns the recovery codes that the browser's next page shows once.
async fn recovery_codes(browser: &mut Browser<'_>) -> Vec<String> {
    let page = browser.get("/account/recovery-codes").await.body;
    let (_, codes) = page.split_once("<pre").expect(&page);
    let codes = codes.split_once('>').unwrap().1.split('<').next().unwrap();
    let recovery: Vec<String> = codes.split_whitespace().map(str::to_owned).collect();
    assert_eq!(recovery.len(), 10, "{codes}");
    let again = browser.get("/account/recovery-codes").await.body;
    assert!(!again.contains("<pre"), "the recovery codes were shown twice");
    recovery
}

#[tokio::test]
async fn a_code_is_asked_after_the_password_and_works_once() {
    let world = World::open().await;
    world.person("ada", InstanceRole::Member).await;
    let mut first = Browser::new(&world);
    first.sign_in("ada").await;
    let refused = first.post("/do/account/begin-second-factor", &[("password", "wrong")]).await;
    assert_eq!(refused.location(), "/account");
    assert_eq!(first.get("/account/second-factor").await.location(), "/account");
    let ada = switch_on(&mut first).await;

    let mut browser = Browser::new(&world);
    let half =
        browser.post("/do/sign-in", &[("login", "ada"), ("password", PASSWORD), ("next", "/keys")]).await;
    assert_eq!(half.location(), "/sign-in/code?next=/keys");
    assert_eq!(browser.handle().await, None, "the password alone opened the account");
    // The code it was switched on with, and no code.
    for wrong in [ada.code(0), String::new(), "1".repeat(1000)] {
        let refused = browser.post("/do/sign-in-code", &[("code", &wrong), ("next", "/keys")]).await;
        assert_eq!(refused.location(), "/sign-in/code?next=/keys");
        assert_eq!(browser.handle().await, None, "`{wrong}` opened the account");
    }
    let in_time = browser.cookies.clone();
    let spaced = format!(" {} {}", &ada.code(1)[..3], &ada.code(1)[3..]);
    let entered = browser.post("/do/sign-in-code", &[("code", &spaced), ("next", "//evil.example")]).await;
    assert_eq!(entered.location(), "/");
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));

    // Again: the same cookie, and another browser with the same code.
    let mut again = Browser::new(&world);
    again.cookies = in_time;
    again.post("/do/sign-in-code", &[("code", &ada.recovery[0])]).await;
    assert_eq!(again.handle().await, None, "half a sign-in was used twice");
    let mut other = Browser::new(&world);
    other.sign_in("ada").await;
    other.post("/do/sign-in-code", &[("code", &ada.code(1))]).await;
    assert_eq!(other.handle().await, None, "a code was accepted twice");
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_few_codes_may_be_tried() {
    let world = World::open().await;
    world.person("ada", InstanceRole::Member).await;
    let mut first = Browser::new(&world);
    first.sign_in("ada").await;
    let ada = switch_on(&mut first).await;

    let mut browser = Browser::new(&world);
    browser.sign_in("ada").await;
    browser.post("/do/sign-in-code", &[("code", &ada.recovery[0].to_lowercase())]).await;
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));
    let mut other = Browser::new(&world);
    other.sign_in("ada").await;
    other.post("/do/sign-in-code", &[("code", &ada.recovery[0])]).await;
    assert_eq!(other.handle().await, None, "a recovery code was accepted twice");

    for _ in 0..5 {
        other.post("/do/sign-in-code", &[("code", "000000")]).await;
    }
    let late = other.post("/do/sign-in-code", &[("code", &ada.recovery[1])]).await;
    assert_eq!(late.location(), "/sign-in/code");
    assert!(other.get("/sign-in/code").await.body.contains("Too many attempts"));
    assert_eq!(other.handle().await, None, "codes may be guessed");
}

#[tokio::test]
async fn it_is_switched_off_by_a_code_and_taken_away_by_the_operator() {
    let world = World::open().await;
    let person = world.person("ada", InstanceRole::Member).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("ada").await;
    let ada = switch_on(&mut browser).await;

    browser.post("/do/account/remove-second-factor", &[("code", "000000")]).await;
    assert!(browser.get("/account").await.body.contains("Switch it off"));
    browser.post("/do/account/remove-second-factor", &[("code", &ada.recovery[0])]).await;
    assert!(browser.get("/account").await.body.contains("Set up an authenticator"));
    let mut other = Browser::new(&world);
    assert_eq!(other.sign_in("ada").await.location(), "/");

    switch_on(&mut browser).await;
    let identity = &world.engine.identity;
    let permit = operator_at_the_shell();
    let id = person.member.user;
    assert!(identity.reset_second_factor(&permit, id).await.unwrap());
    assert!(!identity.reset_second_factor(&permit, id).await.unwrap());
    let mut other = Browser::new(&world);
    assert_eq!(other.sign_in("ada").await.location(), "/");
    assert_eq!(identity.sessions(&person.member).await.unwrap().len(), 4);
}

/// Returns what a page has the browser's authenticator do.
fn options(page: &str) -> String {
    let (_, props) = page.split_once("data-props=\"").expect(page);
    let props = props.split('"').next().unwrap().replace("&quot;", "\"").replace("&amp;", "&");
    let props: serde_json::Value = serde_json::from_str(&props).expect(&props);
    props["options"].as_str().expect("an island that asks for a passkey").to_owned()
}

async fn add_passkey(browser: &mut Browser<'_>, name: &str) -> SoftPasskey {
    let begun = [("name", name), ("password", PASSWORD)];
    assert_eq!(browser.post("/do/account/begin-passkey", &begun).await.location(), "/account/passkeys/new");
    let page = browser.get("/account/passkeys/new").await.body;
    let (passkey, answer) = SoftPasskey::make(&options(&page), "http://localhost:8080");
    browser.post("/do/account/add-passkey", &[("answer", &answer)]).await;
    passkey
}

#[tokio::test]
async fn a_passkey_is_asked_after_the_password_and_recovery_codes_come_with_it() {
    let world = World::open().await;
    world.person("ada", InstanceRole::Member).await;
    let mut first = Browser::new(&world);
    first.sign_in("ada").await;
    let unknown = [("name", "telephone"), ("password", "wrong")];
    first.post("/do/account/begin-passkey", &unknown).await;
    let page = first.get("/account/passkeys/new").await.body;
    assert!(page.contains("This is not your password") && page.contains("telephone"), "{page}");
    let mut passkey = add_passkey(&mut first, "telephone").await;
    let recovery = recovery_codes(&mut first).await;

    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("ada").await.location(), "/sign-in/code");
    let page = browser.get("/sign-in/code").await.body;
    assert!(page.contains("Recovery code") && page.contains("needs JavaScript"), "{page}");
    let refused = browser.post("/do/sign-in-passkey", &[("answer", "{}"), ("next", "/keys")]).await;
    assert_eq!(refused.location(), "/sign-in/code?next=/keys");
    let page = browser.get("/sign-in/code").await.body;
    assert!(page.contains("was not accepted"), "{page}");
    let half = browser.cookies.clone();
    let answer = passkey.show(&options(&page), "http://localhost:8080");
    let entered = browser.post("/do/sign-in-passkey", &[("answer", &answer), ("next", "/keys")]).await;
    assert_eq!(entered.location(), "/keys");
    assert_eq!(browser.handle().await.as_deref(), Some("ada"));

    let mut again = Browser::new(&world);
    again.cookies = half;
    again.post("/do/sign-in-passkey", &[("answer", &answer)]).await;
    assert_eq!(again.handle().await, None, "what a passkey answered works twice");
    again.sign_in("ada").await;
    again.post("/do/sign-in-code", &[("code", &recovery[0])]).await;
    assert_eq!(again.handle().await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn an_administrator_takes_the_second_step_away_on_the_page_of_a_person() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await.member.user.to_string();
    world.person("grace", InstanceRole::Admin).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("ada").await;
    add_passkey(&mut browser, "telephone").await;
    let mut grace = Browser::new(&world);
    grace.sign_in("grace").await;
    let path = format!("/admin/users/{ada}");
    assert!(grace.get(&path).await.body.contains("Reset the second step of ada"));

    grace.post("/do/admin/users/reset-second-step", &[("id", &ada)]).await;

    assert!(!grace.get(&path).await.body.contains("Reset the second step of ada"));
    let mut other = Browser::new(&world);
    assert_eq!(other.sign_in("ada").await.location(), "/");
    assert!(browser.get("/account").await.body.contains("Set up an authenticator"));
}
