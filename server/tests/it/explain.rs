//! What an explanation says over REST, on its page and at the shell. What each layer says is tested beside
//! `src/explain`.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    running::Place,
    scripted::{Scripted, give_tools},
    world::{Answer, Person, World, request},
};

#[tokio::test]
async fn rest_and_the_page_name_the_first_refusal_with_a_link_to_send() {
    let (world, source) = (World::open().await, Scripted::start().await);
    let ada = world.person("ada", InstanceRole::Member).await;
    let bob = world.person("bob", InstanceRole::Member).await;
    let (_, preset) = give_tools(&world, &ada, &source, json!({"visibility":"invite_only"})).await;
    let sharing = format!("/presets/{preset}/sharing");
    let ask = async |person: &Person, query: &str| {
        world.api(person, Method::GET, &format!("/api/v1/explain?{query}"), None).await
    };

    let own = ask(&ada, "preset=ada/tools").await;
    assert_eq!((own.status, own.json()["works"].as_bool()), (StatusCode::OK, Some(true)), "{}", own.body);
    let of_bob = ask(&ada, "preset=ada/tools&as=bob&tool=strict").await.json();
    assert_eq!(of_bob["works"], false);
    let refused: Vec<&Value> = steps(&of_bob).filter(|step| step["verdict"] == "refuses").collect();
    assert_eq!(refused.len(), 1, "{of_bob}");
    assert_eq!(refused[0]["layer"], "access list");
    assert!(of_bob["cure"]["link"].as_str().unwrap().ends_with(&sharing), "{of_bob}");

    let page = browse(&world, &ada, "/explain?preset=ada/tools&as=bob&tool=strict").await;
    assert_eq!(page.status, StatusCode::OK);
    for part in ["access list", "refuses", "not reached", sharing.as_str(), "/explain?preset=ada/tools"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }

    let listed = json!({"who":{"user":"bob"},"level":"viewer"});
    world.api(&ada, Method::POST, &format!("/api/v1/presets/{preset}/access"), Some(listed)).await;
    for (person, query) in [(&ada, "preset=ada/tools&as=bob&tool=strict"), (&bob, "preset=ada/tools")] {
        assert_eq!(ask(person, query).await.json()["works"], true, "{query}");
    }
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_a_preset_and_nothing_of_anybody() {
    let (world, source) = (World::open().await, Scripted::start().await);
    let ada = world.person("ada", InstanceRole::Member).await;
    let eve = world.person("eve", InstanceRole::Member).await;
    give_tools(&world, &ada, &source, json!({"visibility":"invite_only"})).await;
    let ask =
        async |query: &str| world.api(&eve, Method::GET, &format!("/api/v1/explain?{query}"), None).await;

    let (there, nowhere) = (ask("preset=ada/tools").await, ask("preset=ada/nothing").await);
    assert_eq!((there.status, &there.body), (nowhere.status, &nowhere.body));
    assert_eq!(there.json()["works"], false);
    for whom in ["ada", "no-such-person", "nobody"] {
        let (there, nowhere) = (
            ask(&format!("preset=ada/tools&as={whom}")).await,
            ask(&format!("preset=ada/nothing&as={whom}")).await,
        );
        assert_eq!(there.status, StatusCode::FORBIDDEN, "{}", there.body);
        assert_eq!(
            (there.json()["detail"].clone(), there.status),
            (nowhere.json()["detail"].clone(), nowhere.status)
        );
        let page = browse(&world, &eve, &format!("/explain?preset=ada/tools&as={whom}")).await;
        assert!(page.body.contains("You may ask for yourself"), "{}", page.body);
        assert!(!page.body.contains("not reached"), "{}", page.body);
    }
    for (query, status) in [
        ("preset=ada", StatusCode::UNPROCESSABLE_ENTITY),
        ("preset=ada/tools&as=%20", StatusCode::UNPROCESSABLE_ENTITY),
        ("preset=ada/tools&to=eve", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(ask(query).await.status, status, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_explains_a_stopped_installation_and_a_running_one() {
    let place = Place::new();
    place
        .prepare(
            "  - {handle: bob, email: bob@example.org, password_file: password}\n\
             presets:\n  - {owner: ada, slug: ops, visibility: invite_only, tools: []}\n\
             keys:\n  - {owner: ada, name: shell, secret_file: ada.key}\n  - {owner: bob, name: shell, secret_file: bob.key}\n",
        )
        .await;
    let ask = ["explain", "--as", "bob", "--preset", "ada/ops"];

    let (status, said) = place.run(&ask).await;
    assert!(!status.success(), "{said}");
    assert!(said.lines().any(|line| line.starts_with("access list") && line.contains("refuses")), "{said}");
    assert!(said.contains("to do: put bob on the access list") && said.contains("/sharing"), "{said}");
    let (status, said) = place.run(&["explain", "--as", "ada", "--preset", "ada/ops"]).await;
    assert!(status.success(), "{said}");
    let (status, said) = place.run(&["explain", "--as", "carol", "--preset", "ada/ops"]).await;
    assert!(!status.success() && said.contains("there is no account `carol`"), "{said}");

    let running = place.serve().await;
    let url = format!("http://{}", running.address());
    let over = |file: &'static str| [&ask[..], &["--url", &url, "--key-file", file]].concat();
    let (_, by_ada) = place.run(&over("ada.key")).await;
    let (_, by_bob) = place.run(&over("bob.key")).await;
    running.stop().await;
    assert!(by_ada.contains("to do: put bob on the access list"), "{by_ada}");
    assert!(
        by_bob.contains("or it is not shared with you") && !by_bob.contains("access list  refuses"),
        "{by_bob}"
    );
}

fn steps(explained: &Value) -> impl Iterator<Item = &Value> {
    explained["steps"].as_array().unwrap().iter()
}

async fn browse(world: &World, person: &Person, path: &str) -> Answer {
    let request = request(Method::GET, path).header(header::ACCEPT, "text/html");
    world.send(request.header(header::COOKIE, &person.cookie).body(Body::empty()).unwrap()).await
}
