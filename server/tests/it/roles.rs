//! What each role of an organisation may do with what it owns: every route, page and form of the access table again, by
//! an administrator, an operator and a viewer of a team that has one thing of each kind.

use std::sync::Arc;

use doorward::{
    identity::NewKey,
    model::{EventId, InstanceRole, KeyScope, Member, OrgRole},
    orgs::NewOrganisation,
    policy::operator_at_the_shell,
};
use http::Method;

use server::isolation::{FORMS, PAGES, ROUTES, Scene, browse, call};

use crate::{
    access::Stage,
    world::{Answer, Person},
};

/// Who asks, in the order of what they may.
const WHO: [(&str, OrgRole); 3] =
    [("vera", OrgRole::Viewer), ("opal", OrgRole::Operator), ("adam", OrgRole::Admin)];

/// What not everybody in a team may ask, with the least role that may and what the others are told. What is not here
/// answers everybody in the team as it answers an owner.
const ROUTES_FROM: &[(&str, OrgRole, u16)] = &[
    ("PATCH /api/v1/datasources/{id}", OrgRole::Admin, 403),
    ("DELETE /api/v1/datasources/{id}", OrgRole::Admin, 403),
    ("POST /api/v1/datasources/{id}/test", OrgRole::Operator, 403),
    ("GET /api/v1/datasources/{id}/applications", OrgRole::Operator, 403),
    ("POST /api/v1/analyses", OrgRole::Operator, 403),
    ("DELETE /api/v1/analyses/{id}", OrgRole::Admin, 403),
    // It was begun by somebody else.
    ("POST /api/v1/analyses/{id}/cancel", OrgRole::Admin, 403),
    ("POST /api/v1/analyses/{id}/again", OrgRole::Operator, 403),
    ("POST /api/v1/tunnels", OrgRole::Admin, 403),
    ("PATCH /api/v1/tunnels/{id}", OrgRole::Admin, 403),
    ("DELETE /api/v1/tunnels/{id}", OrgRole::Admin, 403),
    ("POST /api/v1/tunnels/{id}/test", OrgRole::Operator, 403),
    ("POST /api/v1/tunnels/{id}/confirm", OrgRole::Admin, 403),
    ("POST /api/v1/tunnels/{id}/key", OrgRole::Admin, 403),
    ("POST /api/v1/presets", OrgRole::Admin, 403),
    ("PATCH /api/v1/presets/{id}", OrgRole::Admin, 403),
    ("DELETE /api/v1/presets/{id}", OrgRole::Admin, 403),
    ("GET /api/v1/presets/{id}/access", OrgRole::Admin, 403),
    ("POST /api/v1/presets/{id}/access", OrgRole::Admin, 403),
    ("DELETE /api/v1/presets/{id}/access/{entry}", OrgRole::Admin, 403),
    ("GET /api/v1/presets/{id}/invitations", OrgRole::Admin, 403),
    ("POST /api/v1/presets/{id}/invitations", OrgRole::Admin, 403),
    ("DELETE /api/v1/presets/{id}/invitations/{invitation}", OrgRole::Admin, 403),
    ("GET /api/v1/presets/{id}/versions", OrgRole::Admin, 403),
    ("GET /api/v1/presets/{id}/versions/{version}", OrgRole::Admin, 403),
    ("POST /api/v1/presets/{id}/versions/{version}/restore", OrgRole::Admin, 403),
    ("POST /api/v1/presets/{id}/fork", OrgRole::Admin, 403),
    ("GET /api/v1/presets/{id}/transfer", OrgRole::Admin, 403),
    ("PUT /api/v1/presets/{id}/transfer", OrgRole::Admin, 403),
    ("DELETE /api/v1/presets/{id}/transfer", OrgRole::Admin, 403),
    // Somebody else's key and deed.
    ("PATCH /api/v1/keys/{id}", OrgRole::Admin, 404),
    ("DELETE /api/v1/keys/{id}", OrgRole::Admin, 404),
    ("GET /api/v1/audit/{id}", OrgRole::Admin, 404),
    // A proof is of everything that happened.
    ("GET /api/v1/audit/proof.jsonl", OrgRole::Admin, 403),
    ("POST /api/v1/audit/checkpoints", OrgRole::Admin, 403),
    // It tells how data sources are signed in to.
    ("GET /api/v1/export", OrgRole::Admin, 403),
];

/// As above, of pages: they say who may instead of failing once something was typed.
const PAGES_FROM: &[(&str, OrgRole, u16)] = &[
    ("/sources/new", OrgRole::Admin, 403),
    ("/sources/{id}/edit", OrgRole::Admin, 403),
    ("/sources/{id}/process", OrgRole::Admin, 403),
    ("/sources/{id}/delete", OrgRole::Admin, 403),
    ("/tunnels/new", OrgRole::Admin, 403),
    ("/tunnels/{id}/edit", OrgRole::Admin, 403),
    ("/tunnels/{id}/delete", OrgRole::Admin, 403),
    ("/presets/new", OrgRole::Admin, 403),
    ("/presets/{id}/try", OrgRole::Operator, 403),
    ("/presets/{id}/sharing", OrgRole::Admin, 403),
    ("/presets/{id}/settings", OrgRole::Admin, 403),
    ("/presets/{id}/history", OrgRole::Admin, 403),
    ("/presets/{id}/fork", OrgRole::Admin, 403),
    ("/analyses/new", OrgRole::Operator, 403),
    ("/audit/{id}", OrgRole::Admin, 404),
];

/// The least role whose forms change something. What is not here changes nothing of the team's by a viewer's or an
/// operator's hand.
const FORMS_FROM: &[(&str, OrgRole)] = &[
    // Each their own.
    ("/do/key-create", OrgRole::Viewer),
    ("/do/analyses/begin", OrgRole::Operator),
    ("/do/analyses/again", OrgRole::Operator),
];

/// What is of a person, of an organisation's people, or of the instance, has tables of its own.
fn is_of_the_team(path: &str) -> bool {
    let others =
        ["/account", "/admin", "organisations", "/api/v1/invitations", "/oauth", "/consent", "/grant"];
    !others.iter().any(|other| path.contains(other)) && !path.starts_with("/do/sign") && path != "/do/setup"
}

struct Team {
    stage: Stage,
    people: Vec<Person>,
}

impl Team {
    async fn open() -> Self {
        let stage = Stage::open().await;
        let mut people = Vec::new();
        for (name, _) in WHO {
            people.push(stage.world.person(name, InstanceRole::Member).await);
        }
        Self { stage, people }
    }

    /// Makes a team of the three with one thing of each kind, and has everybody act in it.
    async fn scene(&self) -> (Scene, Vec<Person>) {
        let engine = &self.stage.world.engine;
        let word = EventId::new().0.simple().to_string();
        let handle = format!("w{}", &word[12..]).parse().unwrap();
        let new = NewOrganisation { handle, title: String::new() };
        let (permit, admin) = (operator_at_the_shell(), &self.people[2].member);
        let made = engine.orgs.found(&permit, new, &admin.handle).await.unwrap();
        for ((_, role), person) in WHO.iter().zip(&self.people) {
            engine.orgs.put_member(&permit, &made.handle, &person.member.handle, *role).await.unwrap();
        }
        let mut acting = Vec::new();
        for person in &self.people {
            let member = engine.orgs.acting_in(&person.member, &made.handle).await.unwrap();
            engine.identity.switch(&member).await.unwrap();
            acting.push(self.person(person, member).await);
        }
        let owner = self.person(&self.people[2], Arc::clone(&acting[2].member)).await;
        (self.stage.cast.furnish(owner, &word).await.unwrap(), acting)
    }

    async fn person(&self, person: &Person, member: Arc<Member>) -> Person {
        let new = NewKey { name: "team".into(), scope: KeyScope::Everything, expires_at: None, rate: None };
        let (_, key) = self.stage.world.engine.identity.create_key(&member, new).await.unwrap();
        Person { member, cookie: person.cookie.clone(), key: key.expose().to_owned() }
    }

    async fn browse(&self, person: &Person, method: Method, path: &str, fields: String) -> Answer {
        self.stage.world.send(browse(Some(person), method, path, fields).unwrap()).await
    }
}

#[tokio::test]
async fn every_route_answers_each_role_of_a_team_as_the_table_says() {
    let team = Team::open().await;
    let mut wrong = Vec::new();
    for (route, body, statuses) in ROUTES.iter().filter(|(route, ..)| is_of_the_team(route)) {
        let (method, path) = route.split_once(' ').unwrap();
        for (index, (who, role)) in WHO.into_iter().enumerate() {
            let (scene, people) = team.scene().await;
            let from = ROUTES_FROM.iter().find(|(listed, ..)| listed == route);
            let expected = from.filter(|(_, least, _)| role < *least).map_or(statuses[2], |(.., told)| *told);
            let (method, path) = (method.parse().unwrap(), scene.path(path));
            let request = call(Some(&people[index]), method, &path, scene.fill(body)).unwrap();
            let status = team.stage.world.open_request(request).await.status().as_u16();
            if status != expected {
                wrong.push(format!("{route} by {who}: {status} and not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_page_answers_each_role_of_a_team_as_the_table_says() {
    let team = Team::open().await;
    let mut wrong = Vec::new();
    for (path, statuses) in PAGES.iter().filter(|(path, _)| is_of_the_team(path)) {
        for (index, (who, role)) in WHO.into_iter().enumerate() {
            let (scene, people) = team.scene().await;
            let from = PAGES_FROM.iter().find(|(listed, ..)| listed == path);
            let expected = from.filter(|(_, least, _)| role < *least).map_or(statuses[2], |(.., told)| *told);
            let answer = team.browse(&people[index], Method::GET, &scene.path(path), String::new()).await;
            if answer.status.as_u16() != expected {
                wrong.push(format!("{path} by {who}: {} and not {expected}", answer.status.as_u16()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_form_changes_what_the_role_in_the_team_allows_and_nothing_else() {
    let mut wrong = Vec::new();
    for (path, fields, changes) in FORMS.iter().filter(|(path, ..)| is_of_the_team(path)) {
        // What can be seen of an installation grows with each scene, and is compared as a whole.
        let team = Team::open().await;
        for (index, (who, role)) in WHO.into_iter().enumerate() {
            let (scene, people) = team.scene().await;
            let least = FORMS_FROM
                .iter()
                .find(|(listed, _)| listed == path)
                .map_or(OrgRole::Admin, |(_, least)| *least);
            let expected = changes[2] && role >= least;
            let before = team.stage.snapshot(&scene).await;
            let answer = team.browse(&people[index], Method::POST, path, scene.fill(fields)).await;
            let changed = team.stage.snapshot(&scene).await != before;
            if changed != expected {
                wrong.push(format!("{path} by {who} changed: {changed}; {}", answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
