//! The access table: every route × nobody, a stranger, the owner, an administrator.
//!
//! A route that is missing from its table fails the test. Routes that answer with a status are held
//! to it. Forms always send the browser on, so they are held to what they change: everything that
//! can be seen of the installation is compared before and after.

use std::collections::BTreeSet;

use axum::body::Body;
use doorward::{policy::operator_at_the_shell, store::AnalysisFilter};
use http::{Method, StatusCode, header};
use leptos_axum::generate_route_list;
use server::{
    apply::{Authority, export},
    config::MetricsListen,
    isolation::{self, FORMS, PAGES, ROUTES, Scene, WHO, browse, call},
    routes,
};

use crate::world::{Answer, Person, World, request};

#[tokio::test]
async fn every_route_answers_each_caller_as_the_table_says() {
    let stage = Stage::open().await;
    let there: BTreeSet<String> =
        routes::table(MetricsListen::Main).iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let listed: BTreeSet<String> = ROUTES.iter().map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(there, listed);

    let mut wrong = Vec::new();
    for (route, body, expected) in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        for (who, expected) in WHO.into_iter().zip(expected) {
            let scene = stage.scene().await;
            let person = scene.person(&stage.cast, who);
            let request = call(person, method.parse().unwrap(), &scene.path(path), scene.fill(body)).unwrap();
            let status = stage.world.open_request(request).await.status();
            if status.as_u16() != *expected {
                wrong.push(format!("{route} by {who}: {} and not {expected}", status.as_u16()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_page_answers_each_caller_as_the_table_says() {
    let stage = Stage::open().await;
    let mut wrong = Vec::new();
    let pages: Vec<String> =
        generate_route_list(app::App).iter().map(|route| route.path().to_owned()).collect();
    assert!(pages.contains(&"/presets/{id}".to_owned()), "{pages:?}");
    for path in pages {
        let Some((_, expected)) = PAGES.iter().find(|(listed, _)| *listed == path) else {
            wrong.push(format!("{path} is missing from the table"));
            continue;
        };
        for (who, expected) in WHO.into_iter().zip(expected) {
            let scene = stage.scene().await;
            let answer = stage.browse(&scene, who, Method::GET, &scene.path(&path), "").await;
            if answer.status.as_u16() != *expected {
                wrong.push(format!("{path} by {who}: {} and not {expected}", answer.status.as_u16()));
            }
            if *expected == 303 && who == "nobody" && path != "/setup" {
                let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
                assert!(to.is_some_and(|to| to.starts_with("/sign-in")), "{path}: {to:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_form_changes_what_the_table_says_and_nothing_else() {
    let mut wrong = Vec::new();
    let forms: Vec<_> = leptos::server_fn::axum::server_fn_paths().collect();
    assert!(forms.iter().any(|(path, _)| *path == "/do/preset-delete"));
    for (path, method) in forms {
        let rows: Vec<_> = FORMS.iter().filter(|(listed, ..)| *listed == path).collect();
        if rows.is_empty() {
            wrong.push(format!("{path} is missing from the table"));
        }
        // Some forms end a person's session, so each has people of its own.
        let stage = Stage::open().await;
        for (_, fields, expected) in rows {
            for (who, expected) in WHO.into_iter().zip(expected) {
                let scene = stage.scene().await;
                let before = stage.snapshot(&scene).await;
                let answer = stage.browse(&scene, who, method.clone(), path, &scene.fill(fields)).await;
                let changed = stage.snapshot(&scene).await != before;
                if changed != *expected {
                    let did = if changed { "changed something" } else { "changed nothing" };
                    let flash = answer.headers.get_all(header::SET_COOKIE).iter().next();
                    wrong.push(format!("{path} by {who} {did}; {} {flash:?}", answer.status.as_u16()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_preset_answers_a_stranger_and_a_missing_one_alike() {
    let stage = Stage::open().await;
    let scene = stage.scene().await;
    let owner = scene.owner.member.tenant_handle.to_string();
    let open = async |person: &Person, path: String| {
        let request = request(Method::POST, &path)
            .header(header::AUTHORIZATION, format!("Bearer {}", person.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        stage.world.send(request.body(Body::from(body)).unwrap()).await
    };

    let slug = scene.fill("{slug}");
    let own = open(&scene.owner, format!("/mcp/{owner}/{slug}")).await;
    let mut refusals = Vec::new();
    for (person, path) in [
        (&stage.cast.stranger, format!("/mcp/{owner}/{slug}")),
        (&stage.cast.stranger, format!("/mcp/{owner}/missing")),
        (&stage.cast.stranger, "/mcp/nobody-at-all/notes".to_owned()),
        (&stage.cast.admin, format!("/mcp/{owner}/{slug}")),
        (&scene.owner, format!("/mcp/{owner}/..%2f{slug}")),
    ] {
        let refused = open(person, path).await;
        refusals.push((refused.status, refused.body));
    }

    assert_eq!(own.status, StatusCode::OK, "{}", own.body);
    assert_eq!(refusals[0].0, StatusCode::NOT_FOUND);
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:#?}");
}

/// An installation with the people who stay the same.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) cast: isolation::Stage,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let world = World::with(&[("DOORWARD_METRICS_LISTEN", "main")]).await;
        let cast = isolation::Stage::open(world.scratch.clone()).await.unwrap();
        Self { world, cast }
    }

    pub(crate) async fn scene(&self) -> Scene {
        self.cast.scene().await.unwrap()
    }

    /// Asks as a browser does.
    pub(crate) async fn browse(
        &self,
        scene: &Scene,
        who: &str,
        method: Method,
        path: &str,
        fields: &str,
    ) -> Answer {
        let person = scene.person(&self.cast, who);
        self.world.send(browse(person, method, path, fields.to_owned()).unwrap()).await
    }

    /// Says whether the people who stay the same are still signed in.
    pub(crate) async fn is_signed_in(&self, scene: &Scene) -> bool {
        let mut all = true;
        for who in ["stranger", "admin"] {
            let page = self.browse(scene, who, Method::GET, "/account", "").await;
            all &= page.status == StatusCode::OK;
        }
        all
    }

    /// Returns what can be seen of the installation that a form could change.
    pub(crate) async fn snapshot(&self, scene: &Scene) -> String {
        let engine = &self.world.engine;
        let document = export(&self.world.state.rooms(), &Authority::Operator).await.unwrap();
        let users = engine.identity.users(&operator_at_the_shell()).await.unwrap();
        let owner = scene.owner.member.as_ref();
        let sessions = engine.identity.sessions(owner).await.unwrap().len();
        let second = engine.identity.second_step(owner).await.unwrap();
        let begun = engine.identity.begun_passkey(owner).await.unwrap();
        let grants = engine.issuer.grants(owner).await.unwrap();
        let preset = scene.fill("{preset}").parse().unwrap();
        let invites = engine.presets.invites(owner, preset).await.map(|invites| invites.len()).ok();
        let offered = engine.presets.transfer(owner, preset).await.ok();
        let (mut tunnels, mut analyses, mut joining) = (Vec::new(), Vec::new(), Vec::new());
        for person in [&scene.owner, &self.cast.stranger, &self.cast.admin] {
            tunnels.extend(engine.sources.tunnels(&person.member).await.unwrap());
            let all = AnalysisFilter::default();
            analyses.extend(engine.analyses.list(&person.member, &all).await.unwrap());
        }
        let teams = engine.orgs.teams(&operator_at_the_shell()).await.unwrap();
        let mut tx = engine.store.system_read().await.unwrap();
        for team in &teams {
            let open = tx.list_org_invites(team.organisation.id, engine.clock.now()).await.unwrap();
            joining.extend(open.into_iter().map(|invite| invite.id));
        }
        format!(
            "{teams:?}\n{joining:?}\n{document}\n{users:?}\n{sessions}\n{second:?}\n{begun:?}\n{grants:?}\n{invites:?}\n{offered:?}\n\
             {tunnels:?}\n{analyses:?}"
        )
    }
}
