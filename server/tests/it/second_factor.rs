//! The second factor, as a browser meets it: set up, asked for, replayed, lost, taken away.

use doorward::{clock::Clock, model::InstanceRole, policy::operator_at_the_shell};
use totp_rs::{Builder, Secret};

use crate::{
    browser::Browser,
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
    let page = browser.get("/account/second-factor").await.body;
    let (_, codes) = page.split_once("<pre").expect(&page);
    let codes = codes.split_once('>').unwrap().1.split('<').next().unwrap();
    let recovery: Vec<String> = codes.split_whitespace().map(str::to_owned).collect();
    assert_eq!(recovery.len(), 10, "{codes}");
    let again = browser.get("/account/second-factor").await;
    assert_eq!(again.location(), "/account", "the recovery codes were shown twice");
    Ada { secret, step, recovery }
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
    assert!(browser.get("/account").await.body.contains("Set up a second step"));
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
