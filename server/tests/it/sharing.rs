//! What a preset lets each of those do whom it is shared with: every route, page and form of a preset
//! by everybody on its list, and by another organisation.

use std::time::Duration;

use doorward::{
    model::{AccessLevel, CallRules, Email, InstanceRole, PresetId, Slug, Visibility},
    presets::{NewGrantee, NewInvite, NewPreset, PresetChange},
};
use http::{Method, StatusCode};
use serde_json::json;
use server::isolation::{FORMS, ROUTES, browse, call};

use crate::{
    call::Call,
    scripted::{Scripted, give_tools},
    world::{Answer, Person, World},
};

/// Who asks, in the order of the columns.
const WHO: [&str; 4] = ["viewer", "editor", "sharer", "outsider"];

const STATUSES: &[(&str, [u16; 4])] = &[
    ("GET /api/v1/presets/{id}", [200, 200, 200, 404]),
    ("PATCH /api/v1/presets/{id}", [403, 200, 200, 404]),
    ("DELETE /api/v1/presets/{id}", [403, 403, 403, 404]),
    ("GET /api/v1/presets/{id}/access", [403, 403, 200, 404]),
    ("POST /api/v1/presets/{id}/access", [403, 403, 201, 404]),
    ("DELETE /api/v1/presets/{id}/access/{entry}", [403, 403, 204, 404]),
    ("GET /api/v1/presets/{id}/versions", [403, 200, 200, 404]),
    ("GET /api/v1/presets/{id}/versions/{version}", [403, 200, 200, 404]),
    ("POST /api/v1/presets/{id}/versions/{version}/restore", [403, 200, 200, 404]),
    ("GET /api/v1/presets/{id}/fork", [200, 200, 200, 404]),
    ("POST /api/v1/presets/{id}/fork", [201, 201, 201, 404]),
    ("GET /api/v1/presets/{id}/transfer", [403, 403, 403, 404]),
    ("PUT /api/v1/presets/{id}/transfer", [403, 403, 403, 404]),
    // It is offered to none of them.
    ("POST /api/v1/presets/{id}/transfer", [404, 404, 404, 404]),
    ("DELETE /api/v1/presets/{id}/transfer", [403, 403, 403, 404]),
    ("GET /api/v1/presets/{id}/invitations", [403, 403, 200, 404]),
    ("POST /api/v1/presets/{id}/invitations", [403, 403, 201, 404]),
    ("DELETE /api/v1/presets/{id}/invitations/{invitation}", [403, 403, 204, 404]),
];

const PAGES: &[(&str, [u16; 4])] = &[
    ("/presets/{id}", [200, 200, 200, 404]),
    ("/presets/{id}/connect", [200, 200, 200, 404]),
    ("/presets/{id}/try", [200, 200, 200, 404]),
    ("/presets/{id}/sharing", [403, 403, 200, 404]),
    ("/presets/{id}/settings", [403, 200, 200, 404]),
    ("/presets/{id}/history", [403, 200, 200, 404]),
    ("/presets/{id}/fork", [200, 200, 200, 404]),
    ("/presets/{id}/offered", [404; 4]),
];

/// Whether a form changes the preset or its list.
const CHANGES: &[(&str, [bool; 4])] = &[
    // The form takes nothing from the source any more.
    ("/do/preset-tools", [false, true, true, false]),
    ("/do/preset-settings", [false, true, true, false]),
    ("/do/limits-preset", [false, false, true, false]),
    ("/do/preset-share", [false, false, true, false]),
    ("/do/preset-unshare", [false, false, true, false]),
    ("/do/preset-roll-back", [false, true, true, false]),
    ("/do/preset-invite", [false, false, true, false]),
    ("/do/preset-withdraw", [false, false, true, false]),
    ("/do/preset-switch", [false; 4]),
    ("/do/preset-expiry", [false; 4]),
    ("/do/preset-delete", [false; 4]),
    ("/do/playground-call", [false; 4]),
    // A fork is another preset.
    ("/do/preset-fork", [false; 4]),
    ("/do/preset-offer", [false; 4]),
    ("/do/preset-take-back", [false; 4]),
    ("/do/preset-turn-down", [false; 4]),
    ("/do/preset-take-over", [false; 4]),
];

/// An installation with a preset of Ada's, shared with three people at three levels.
struct Stage {
    world: World,
    ada: Person,
    people: [Person; 4],
}

impl Stage {
    async fn open() -> Self {
        let world = World::open().await;
        let ada = world.person("ada", InstanceRole::Member).await;
        let mut people = Vec::new();
        for who in WHO {
            people.push(world.person(who, InstanceRole::Member).await);
        }
        let people = people.try_into().unwrap_or_else(|_| panic!("one for each column"));
        Self { world, ada, people }
    }

    /// Makes a preset of this slug with its list, and returns what stands in paths and fields.
    async fn preset(&self, slug: &str) -> Vec<(&'static str, String)> {
        let presets = &self.world.engine.presets;
        let new = NewPreset {
            rules: CallRules::default(),
            slug: Slug::parse(slug).unwrap(),
            title: String::new(),
            description: String::new(),
            visibility: Visibility::InviteOnly,
            anonymous: false,
            expires_at: None,
            selections: Vec::new(),
        };
        let id = presets.add(&self.ada.member, new).await.unwrap().id;
        for (person, level) in self.people.iter().zip(AccessLevel::ALL) {
            let who = NewGrantee::User(person.member.handle.clone());
            presets.share(&self.ada.member, id, who, *level).await.unwrap();
        }
        let nobody = NewGrantee::Email(Email::parse("nobody@example.org").unwrap());
        let entry = presets.share(&self.ada.member, id, nobody, AccessLevel::Viewer).await.unwrap();
        let invite =
            NewInvite { email: None, level: AccessLevel::Viewer, lasts: Duration::from_secs(86_400) };
        let invited = presets.invite(&self.ada.member, id, invite, "http://d").await.unwrap();
        vec![
            ("id", id.to_string()),
            ("preset", id.to_string()),
            ("entry", entry.id.to_string()),
            ("version", "1".to_owned()),
            ("slug", slug.to_owned()),
            ("stranger", "outsider".to_owned()),
            ("invitation", invited.invite.id.to_string()),
            // Of no organisation.
            ("source", PresetId::new().to_string()),
        ]
    }

    async fn browse(&self, person: &Person, method: Method, path: &str, fields: String) -> Answer {
        self.world.send(browse(Some(person), method, path, fields).unwrap()).await
    }

    async fn state(&self, names: &[(&str, String)]) -> String {
        let id: PresetId = names[0].1.parse().unwrap();
        let presets = &self.world.engine.presets;
        format!(
            "{:?} {:?} {:?} {:?}",
            presets.find(&self.ada.member, id).await,
            presets.access(&self.ada.member, id).await,
            presets.invites(&self.ada.member, id).await.map(|invites| invites.len()),
            presets.transfer(&self.ada.member, id).await
        )
    }
}

#[tokio::test]
async fn every_route_of_a_preset_opens_to_each_level_as_the_table_says() {
    let stage = Stage::open().await;
    let mut wrong = Vec::new();
    for (number, (route, body, _)) in ROUTES.iter().filter(|row| row.0.contains("presets/{id}")).enumerate() {
        let Some((_, expected)) = STATUSES.iter().find(|(listed, _)| listed == route) else {
            wrong.push(format!("{route} is missing from the table"));
            continue;
        };
        let (method, path) = route.split_once(' ').unwrap();
        for ((who, person), expected) in WHO.iter().zip(&stage.people).zip(expected) {
            let names = stage.preset(&format!("{who}-{number}")).await;
            let (method, path, body) = (method.parse().unwrap(), fill(path, &names), fill(body, &names));
            let answer = stage.world.send(call(Some(person), method, &path, body).unwrap()).await;
            if answer.status.as_u16() != *expected {
                wrong.push(format!("{route} by {who}: {} {}", answer.status, answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_page_and_form_of_a_preset_opens_to_each_level_as_the_table_says() {
    let stage = Stage::open().await;
    let mut wrong = Vec::new();
    for (number, (page, expected)) in PAGES.iter().enumerate() {
        let names = stage.preset(&format!("page-{number}")).await;
        for ((who, person), expected) in WHO.iter().zip(&stage.people).zip(expected) {
            let answer = stage.browse(person, Method::GET, &fill(page, &names), String::new()).await;
            if answer.status.as_u16() != *expected {
                wrong.push(format!("{page} by {who}: {}", answer.status));
            }
        }
    }
    for (number, (form, fields, _)) in FORMS.iter().filter(|row| row.1.contains("{preset}")).enumerate() {
        let Some((_, expected)) = CHANGES.iter().find(|(listed, _)| listed == form) else {
            wrong.push(format!("{form} is missing from the table"));
            continue;
        };
        for ((who, person), expected) in WHO.iter().zip(&stage.people).zip(expected) {
            let slug = format!("form-{who}-{number}");
            let names = stage.preset(&slug).await;
            let before = stage.state(&names).await;
            // What a level does not reach is sent as it is.
            let fields = match *form {
                "/do/preset-tools" => "id={preset}&version=1".to_owned(),
                "/do/preset-settings" => {
                    format!("id={{preset}}&version=1&title=Renamed&slug={slug}&access=invite_only")
                }
                _ => (*fields).to_owned(),
            };
            stage.browse(person, Method::POST, form, fill(&fields, &names)).await;
            let changed = stage.state(&names).await != before;
            if changed != *expected {
                wrong.push(format!("{form} by {who} changed: {changed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn nobody_on_the_list_reaches_further_by_the_fields_of_a_form_they_may_send() {
    let stage = Stage::open().await;
    let [viewer, editor, sharer, outsider] = &stage.people;
    let names = stage.preset("notes").await;
    let before = stage.state(&names).await;

    for (person, fields) in [
        (editor, "access=public&slug=notes"),
        (editor, "access=anonymous&slug=notes"),
        (editor, "access=private&slug=notes"),
        (sharer, "access=invite_only&slug=mine"),
        (viewer, "access=invite_only&slug=notes"),
        (outsider, "access=invite_only&slug=notes"),
    ] {
        let fields = fill(&format!("id={{preset}}&version=1&title=Mine&{fields}"), &names);
        stage.browse(person, Method::POST, "/do/preset-settings", fields).await;
        assert_eq!(stage.state(&names).await, before);
    }
}

#[tokio::test]
async fn an_invited_persons_calls_end_with_the_very_next_one() {
    let stage = Stage::open().await;
    let (world, ada) = (&stage.world, &stage.ada);
    let [viewer, _, _, outsider] = &stage.people;
    let source = Scripted::start().await;
    let (_, preset) = give_tools(world, ada, &source, json!({"visibility": "invite_only"})).await;
    let call = async |person: &Person| {
        let body = json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
            "capabilities":{},"clientInfo":{"name":"t","version":"1"}}});
        let answer = world.send(Call::raw(body.to_string()).key(&person.key).request()).await;
        (answer.status, answer.body)
    };
    let missing = call(outsider).await;
    assert_eq!((missing.0, &call(viewer).await), (StatusCode::NOT_FOUND, &missing));

    let list = format!("/api/v1/presets/{preset}/access");
    let who = json!({"who": {"user": "viewer"}, "level": "viewer"});
    let entry = world.api(ada, Method::POST, &list, Some(who)).await;
    assert_eq!(entry.status, StatusCode::CREATED, "{}", entry.body);
    assert_eq!(call(viewer).await.0, StatusCode::OK);
    assert_eq!(call(outsider).await, missing);

    let entry = format!("{list}/{}", entry.json()["id"].as_str().unwrap());
    assert_eq!(world.api(ada, Method::DELETE, &entry, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(viewer).await, missing);

    let by_address = json!({"who": {"email": "viewer@example.org"}, "level": "viewer"});
    world.api(ada, Method::POST, &list, Some(by_address)).await;
    assert_eq!(call(viewer).await.0, StatusCode::OK);
    let private = PresetChange { visibility: Some(Visibility::Private), ..PresetChange::default() };
    let id: PresetId = preset.parse().unwrap();
    let version = world.engine.presets.find(&ada.member, id).await.unwrap().unwrap().preset.version;
    world.engine.presets.update(&ada.member, id, private, version).await.unwrap();
    assert_eq!(call(viewer).await, missing, "a private preset is its owner's");
}

fn fill(text: &str, names: &[(&str, String)]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
