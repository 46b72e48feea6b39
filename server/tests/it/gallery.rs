//! The gallery over HTTP: what is public and nothing else, searched, page by page.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    scripted::{Scripted, give_tools},
    world::{Person, World, request},
};

#[tokio::test]
async fn whoever_is_signed_in_finds_every_public_preset_and_no_other() {
    let world = World::open().await;
    let (ada, bob) =
        (world.person("ada", InstanceRole::Member).await, world.person("bob", InstanceRole::Member).await);
    let scripted = Scripted::start().await;
    let shown = json!({"visibility": "public", "title": "Words of all kinds", "description": "Talks back."});
    let (source, _) = give_tools(&world, &ada, &scripted, shown).await;
    make_all_kinds(&world, &ada).await;
    let renamed = json!({"slug": "renamed", "visibility": "public", "sources": [{"source": source, "all": false,
        "tools": [{"name": "slow", "exposed_name": "Patient"}, {"name": "huge", "enabled": false}]}]});
    make(&world, &ada, renamed).await;

    let all = slugs(&world, &bob, "").await;
    assert_eq!(all, ["keyed", "open", "renamed", "tools"]);
    for (search, found) in [
        ("WORDS%20kinds", vec!["tools"]),
        ("talks%20nothing", vec![]),
        ("ada", vec!["keyed", "open", "renamed", "tools"]),
        ("patient", vec!["renamed"]),
        ("slow", vec!["tools"]),
        ("huge", vec!["tools"]),
        ("%25", vec![]),
        ("_", vec![]),
    ] {
        assert_eq!(slugs(&world, &bob, search).await, found, "{search}");
    }
    let page = browse(&world, Some(&bob), "/gallery?search=patient").await;
    assert_eq!(page.0, StatusCode::OK);
    assert!(page.1.contains("/mcp/ada/renamed") && page.1.contains("Patient"), "{}", page.1);
    assert!(!page.1.contains("/mcp/ada/tools") && !page.1.contains("scripted"), "nor whence its tools are");
}

#[tokio::test]
async fn the_gallery_goes_on_where_a_page_ended() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    for number in 0..45 {
        make(&world, &ada, json!({"slug": format!("p{number:02}"), "visibility": "public"})).await;
    }

    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/gallery{after}");
        let page = world.api(&ada, Method::GET, &path, None).await.json();
        seen.push(page["items"].as_array().unwrap().len());
        match page["next"].as_str() {
            Some(next) => after = format!("?after={next}"),
            None => break,
        }
    }

    assert_eq!(seen, [20, 20, 5]);
    let first = browse(&world, Some(&ada), "/gallery").await.1;
    assert!(first.contains("/gallery?search=&amp;after=ada/p19"), "{first}");
    let last = browse(&world, Some(&ada), "/gallery?after=ada/p39").await.1;
    assert!(last.contains("/mcp/ada/p44") && !last.contains("/mcp/ada/p39"));
    let wrong = world.api(&ada, Method::GET, "/api/v1/gallery?page=2", None).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn people_who_are_not_signed_in_see_what_needs_no_key_where_the_operator_lets_them() {
    let closed = World::open().await;
    assert_eq!(browse(&closed, None, "/gallery").await.0, StatusCode::SEE_OTHER);

    let world = World::with(&[("DOORWARD_PUBLIC_GALLERY", "true")]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    make_all_kinds(&world, &ada).await;
    let (status, page) = browse(&world, None, "/gallery").await;

    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("/mcp/ada/open"), "{page}");
    for hidden in ["keyed", "shared", "mine", "off", "ended"] {
        assert!(!page.contains(&format!("/mcp/ada/{hidden}")), "{hidden}");
    }
    assert_eq!(world.get("/api/v1/gallery").await.status, StatusCode::UNAUTHORIZED);
}

/// One preset for each way to be seen, of which `open` and `keyed` are public.
async fn make_all_kinds(world: &World, person: &Person) {
    for new in [
        json!({"slug": "open", "visibility": "public", "anonymous": true}),
        json!({"slug": "keyed", "visibility": "public"}),
        json!({"slug": "shared", "visibility": "invite_only"}),
        json!({"slug": "mine"}),
        json!({"slug": "ended", "visibility": "public", "anonymous": true, "expires_at": "2020-01-01"}),
    ] {
        make(world, person, new).await;
    }
    let off = make(world, person, json!({"slug": "off", "visibility": "public", "anonymous": true})).await;
    let path = format!("/api/v1/presets/{}", off["id"].as_str().unwrap());
    let switched = json!({"version": 1, "status": "disabled"});
    assert_eq!(world.api(person, Method::PATCH, &path, Some(switched)).await.status, StatusCode::OK);
}

async fn make(world: &World, person: &Person, new: Value) -> Value {
    let made = world.api(person, Method::POST, "/api/v1/presets", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.json()
}

async fn slugs(world: &World, person: &Person, search: &str) -> Vec<String> {
    let found = world.api(person, Method::GET, &format!("/api/v1/gallery?search={search}"), None).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    let found = found.json();
    let items = found["items"].as_array().unwrap().iter();
    items.map(|item| item["slug"].as_str().unwrap().to_owned()).collect()
}

async fn browse(world: &World, person: Option<&Person>, path: &str) -> (StatusCode, String) {
    let request = request(Method::GET, path).header(header::ACCEPT, "text/html");
    let request = match person {
        Some(person) => request.header(header::COOKIE, &person.cookie),
        None => request,
    };
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    (answer.status, answer.body)
}
