//! `doorward apply` and `export`: idempotent, exact about mistakes, and never more than allowed.

use std::fs;

use axum::body::Body;
use doorward::model::{Handle, InstanceRole, SourceName};
use http::{Method, StatusCode, header};
use server::apply::{Action, Authority, Plan, apply, export, read, resolve, write_new_secrets};

use crate::world::{World, request};

const DOCUMENT: &str = r#"
version: 1
plans:
  - name: small
    calls_per_month: 1000
users:
  - handle: ada
    email: ada@example.org
    password_file: ada.password
    plan: small
sources:
  - owner: ada
    name: docs
    kind: mcp_http
    url: http://127.0.0.1:9/mcp
    enabled: false
    auth: { bearer_file: docs.token }
presets:
  - owner: ada
    slug: notes
    visibility: public
    anonymous: true
    tools: [{ source: docs, allow: all, deny: [drop], rename: { read: read_file } }]
keys:
  - owner: ada
    name: bench
    secret_file: bench.key
  - owner: ada
    name: narrow
    presets: [notes]
"#;

#[tokio::test]
async fn a_second_run_does_nothing() {
    let shop = Shop::open().await;

    let dry = shop.apply(DOCUMENT, true).await;
    let first = shop.apply(DOCUMENT, false).await;
    let second = shop.apply(DOCUMENT, false).await;
    let key = fs::read_to_string(shop.world.folder.path().join("bench.key")).unwrap();

    assert_eq!(actions(&dry), [Action::Add; 6], "{dry}");
    assert_eq!(actions(&first), [Action::Add; 6], "{first}");
    assert!(second.is_done(), "{second}");
    let member = shop.world.engine.identity.authenticate_key(key.trim()).await.unwrap();
    assert_eq!(member.handle, Handle::parse("ada").unwrap());
}

#[tokio::test]
async fn only_what_differs_is_changed() {
    let shop = Shop::open().await;
    shop.apply(DOCUMENT, false).await;
    let edited = DOCUMENT
        .replace("calls_per_month: 1000", "calls_per_month: 2000")
        .replace("url: http://127.0.0.1:9/mcp", "url: http://127.0.0.1:9/other")
        .replace("deny: [drop]", "deny: [drop, remove]");
    fs::write(shop.world.folder.path().join("docs.token"), "another").unwrap();

    let changed = shop.apply(&edited, false).await;
    let again = shop.apply(&edited, false).await;

    let of = |kind: &str| changed.steps.iter().find(|step| step.kind == kind).unwrap();
    assert_eq!(of("plan").action, Action::Change);
    assert_eq!(of("user").action, Action::Same);
    assert_eq!((of("source").action, of("source").detail.as_str()), (Action::Change, "url, credential"));
    assert_eq!((of("preset").action, of("preset").detail.as_str()), (Action::Change, "tools"));
    assert!(again.is_done(), "{again}");
}

#[tokio::test]
async fn what_is_exported_applies_again_and_holds_no_secret() {
    let shop = Shop::open().await;
    shop.apply(DOCUMENT, false).await;

    let text = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let again = shop.apply(&text, false).await;

    assert!(!text.contains("s3cret") && !text.contains("dw_") && !text.contains("argon2"), "{text}");
    assert!(text.contains("calls_per_month: 1000"), "{text}");
    assert!(again.is_done(), "{text}\n{again}");
}

#[tokio::test]
async fn a_mistake_in_what_things_refer_to_names_its_line() {
    let shop = Shop::open().await;
    shop.apply(DOCUMENT, false).await;
    let try_apply = async |text: &str| {
        let document = read(text).unwrap();
        let rooms = shop.world.state.rooms();
        apply(&rooms, &Authority::Operator, &document, true).await.unwrap_err().to_string()
    };

    let owner =
        try_apply("version: 1\nsources:\n\n  - {owner: bob, name: a, kind: mcp_http, url: 'http://a/'}\n")
            .await;
    let source = "version: 1\npresets:\n  - owner: ada\n    slug: x\n    tools:\n      - {source: none-such, allow: all}\n";
    let source = try_apply(source).await;

    assert!(owner.starts_with("line 4: there is no user `bob`"), "{owner}");
    assert!(source.starts_with("line 6: `ada` has no source `none-such`"), "{source}");
}

#[tokio::test]
async fn by_request_nobody_reaches_files_or_other_people() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    world.person("bob", InstanceRole::Member).await;
    let post = |text: &str| {
        let request = request(Method::POST, "/api/v1/apply")
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.key));
        world.send(request.body(Body::from(text.to_owned())).unwrap())
    };
    let off = "kind: mcp_http, url: 'http://127.0.0.1:9/', enabled: false";

    let own = post(&format!("version: 1\nsources: [{{owner: ada, name: a, {off}}}]")).await;
    let others = post(&format!("version: 1\nsources: [{{owner: bob, name: a, {off}}}]")).await;
    let file =
        format!("version: 1\nsources: [{{owner: ada, name: b, {off}, auth: {{bearer_file: /etc/passwd}}}}]");
    let file = post(&file).await;
    let user = post("version: 1\nusers: [{handle: eve, email: e@example.org, password: correct horse battery, role: admin}]").await;
    let wrong = post("version: 1\nnonsense: 1\n").await;

    assert_eq!(
        (own.status, own.json()["steps"][0]["action"].as_str()),
        (StatusCode::OK, Some("add")),
        "{}",
        own.body
    );
    assert_eq!(others.status, StatusCode::FORBIDDEN, "{}", others.body);
    assert_eq!(file.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", file.body);
    assert_eq!(user.status, StatusCode::FORBIDDEN, "{}", user.body);
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("line 2"), "{}", wrong.body);
    let b = SourceName::parse("b").unwrap();
    assert!(world.engine.sources.find_by_name(&ada.member, &b).await.unwrap().is_none());
}

struct Shop {
    world: World,
}

impl Shop {
    async fn open() -> Self {
        let world = World::open().await;
        let folder = world.folder.path();
        fs::write(folder.join("ada.password"), "correct horse battery\n").unwrap();
        fs::write(folder.join("docs.token"), "s3cret\n").unwrap();
        Self { world }
    }

    async fn apply(&self, text: &str, dry_run: bool) -> Plan {
        let folder = self.world.folder.path();
        let mut document = read(text).unwrap();
        resolve(&mut document, folder).unwrap();
        let rooms = self.world.state.rooms();
        let mut plan = apply(&rooms, &Authority::Operator, &document, dry_run).await.unwrap();
        write_new_secrets(&document, &mut plan, folder).unwrap();
        plan
    }
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.steps.iter().map(|step| step.action).collect()
}
