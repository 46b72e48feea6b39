//! Whatever anybody changes is in the audit log, with where it came from: the routes and forms of
//! the access table again, so that one that is added there and records nothing fails here. Each has one
//! owner for all who try, since only what is recorded counts and nobody else may change a thing of hers.

use std::sync::Arc;

use doorward::model::{Action, Outcome, RunEvent};
use http::Method;
use server::isolation::{FORMS, ROUTES, WHO, call};
use tokio::sync::broadcast::Receiver;

use crate::{access::Stage, world::Answer};

/// Where everybody of these tests is.
const ADDRESS: &str = "127.0.0.1";

#[tokio::test]
async fn every_change_through_the_api_is_audited_with_its_address_and_request() {
    let stage = Stage::open().await;
    let mut wrong = Vec::new();
    for (route, body, expected) in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        // The live tail has no end. A client that registers belongs to no organisation until somebody lets it in,
        // which is recorded.
        if ["/events", "/oauth/register"].contains(&path) {
            continue;
        }
        let scene = stage.scene().await;
        for (who, expected) in WHO.into_iter().zip(expected) {
            let mut events = stage.world.engine.audit.tail();
            let person = scene.person(&stage.cast, who);
            let request = call(person, method.parse().unwrap(), &scene.path(path), scene.fill(body)).unwrap();
            let answer = stage.world.send(request).await;
            let must = !["GET", "OPTIONS"].contains(&method) && *expected < 300;
            check(&format!("{route} by {who}"), must, &answer, &mut events, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_change_by_a_form_is_audited_with_its_address_and_request() {
    let mut wrong = Vec::new();
    let mut stage = Stage::open().await;
    for (path, fields, changes) in FORMS {
        let scene = stage.scene().await;
        for (who, must) in WHO.into_iter().zip(changes) {
            let mut events = stage.world.engine.audit.tail();
            let answer = stage.browse(&scene, who, Method::POST, path, &scene.fill(fields)).await;
            // A call in the playground is named by its run.
            if *path == "/do/playground-call" {
                continue;
            }
            // A second factor that is begun is asked for by nobody until it is confirmed, which is recorded.
            let is_begun = path.starts_with("/do/account/begin-");
            check(&format!("{path} by {who}"), *must && !is_begun, &answer, &mut events, &mut wrong);
        }
        // Some forms end the browser sessions that the next ones need.
        if !stage.is_signed_in(&scene).await {
            stage = Stage::open().await;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn whoever_signs_in_or_tries_to_is_audited_with_address_and_request() {
    let stage = Stage::open().await;
    let scene = stage.scene().await;
    for (fields, action, outcome) in [
        ("login={owner}&password=wrong", Action::SignIn, Outcome::Refused),
        ("login=nobody-at-all&password=wrong", Action::SignIn, Outcome::Refused),
        // The owner would have to show a passkey too.
        ("login=stranger&password={password}", Action::SignIn, Outcome::Ok),
    ] {
        let mut events = stage.world.engine.audit.tail();
        let mut again = events.resubscribe();
        let answer = stage.browse(&scene, "nobody", Method::POST, "/do/sign-in", &scene.fill(fields)).await;

        let mut wrong = Vec::new();
        check(fields, true, &answer, &mut events, &mut wrong);
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        let event = again.try_recv().unwrap();
        assert_eq!((event.action, event.outcome), (action, outcome));
    }
}

/// Looks whether what was recorded says where it came from, and whether anything was if it must be.
fn check(
    what: &str,
    must: bool,
    answer: &Answer,
    events: &mut Receiver<Arc<RunEvent>>,
    wrong: &mut Vec<String>,
) {
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let mut recorded = 0;
    while let Ok(event) = events.try_recv() {
        recorded += 1;
        if event.address != ADDRESS || event.request_id != id {
            wrong
                .push(format!("{what}: {} from `{}` by `{}`", event.action, event.address, event.request_id));
        }
    }
    if must && recorded == 0 {
        wrong.push(format!("{what}: nothing was recorded"));
    }
}
