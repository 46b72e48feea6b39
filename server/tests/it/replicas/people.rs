//! A browser's session, and attempts to sign in, spread over the processes.

use http::{Method, StatusCode, header};

use super::scene::Scene;
use crate::{
    browser::{Browser, Site as _},
    running::{Door, Running, until},
    world::{PASSWORD, request},
    written::written,
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_at_one_is_signed_in_at_all_until_they_sign_out_at_any() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    let doors: Vec<Door> = running.iter().map(Running::door).collect();
    let mut browser = Browser::new(&doors[0]);
    assert_eq!(browser.sign_in("ada").await.status, StatusCode::SEE_OTHER);

    for (door, slug) in doors.iter().zip(["first", "second", "third"]) {
        browser.go_to(door);
        assert_eq!(browser.handle().await.as_deref(), Some("ada"));
        let fields = [("title", slug), ("slug", slug), ("access", "private")];
        assert_eq!(browser.post("/do/preset-create", &fields).await.status, StatusCode::SEE_OTHER);
        let strange = request(Method::POST, "/do/preset-create")
            .header(header::COOKIE, browser.cookie_line())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "cross-site")
            .body("title=strange&slug=strange&access=private".to_owned().into());
        assert_eq!(door.answer(strange.unwrap()).await.status, StatusCode::FORBIDDEN);
    }
    for (door, next) in doors.iter().zip(doors.iter().cycle().skip(1)) {
        browser.go_to(door);
        let page = browser.get("/presets").await.body;
        assert!(["first", "second", "third"].iter().all(|slug| page.contains(slug)), "{page}");
        assert!(!page.contains("strange"));
        browser.go_to(next);
    }

    let kept = browser.cookies.clone();
    browser.post("/do/sign-out", &[]).await;
    for door in &doors {
        browser.go_to(door);
        until("the session has ended", async || {
            browser.cookies = kept.clone();
            browser.handle().await.is_none()
        })
        .await;
    }
    for replica in running {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_tried_no_more_often_at_three_than_at_one() {
    let Some(scene) = Scene::start().await else { return };
    let running = scene.serve_all().await;
    let doors: Vec<Door> = running.iter().map(Running::door).collect();

    for n in 0..12 {
        let mut browser = Browser::new(&doors[n % 3]);
        browser.post("/do/sign-in", &[("login", "ada"), ("password", "a wrong one")]).await;
    }
    for door in &doors {
        let mut browser = Browser::new(door);
        browser.post("/do/sign-in", &[("login", "ada"), ("password", PASSWORD)]).await;
        assert_eq!(browser.handle().await, None, "it has to wait, also with the right password");
    }

    for replica in running {
        replica.stop().await;
    }
    let tried = written!("k.action = 'sign_in' and k.reason = 'the password is wrong'");
    assert_eq!(scene.cluster.count(tried).await, 8);
}
