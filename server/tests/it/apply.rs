//! `doorward apply` and `export`: idempotent, exact about mistakes, and never more than allowed.

use std::fs;

use axum::body::Body;
use doorward::model::{Handle, InstanceRole, SourceName};
use http::{Method, StatusCode, header};
use server::apply::{
    Action, Authority, Plan, Step, apply, export, perform, read, resolve, write_new_secrets,
};

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
    tools: [{ source: docs, allow: all, deny: [drop], rename: { read: read_file }, resources: all, prompts: [review] }]
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
        .replace("slug: notes", "slug: notes\n    expires_at: 2999-12-31")
        .replace("deny: [drop]", "deny: [drop, remove]");
    fs::write(shop.world.folder.path().join("docs.token"), "another").unwrap();

    let changed = shop.apply(&edited, false).await;
    let again = shop.apply(&edited, false).await;

    let of = |kind: &str| changed.steps.iter().find(|step| step.kind == kind).unwrap();
    assert_eq!(of("plan").action, Action::Change);
    assert_eq!(of("user").action, Action::Same);
    assert_eq!((of("source").action, of("source").detail.as_str()), (Action::Change, "url, credential"));
    assert_eq!((of("preset").action, of("preset").detail.as_str()), (Action::Change, "expires_at, tools"));
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
async fn resources_and_prompts_are_declared_changed_and_exported() {
    let shop = Shop::open().await;
    shop.apply(DOCUMENT, false).await;
    let edited = DOCUMENT.replace("resources: all", "resources: [\"file:///b\", \"file:///{name}\"]");

    let changed = shop.apply(&edited, false).await;
    let text = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let nothing = edited.replace(", prompts: [review]", ", prompts: none");
    let taken_away = shop.apply(&nothing, true).await;

    let of_preset = |plan: &Plan| plan.steps.iter().find(|step| step.kind == "preset").unwrap().action;
    assert_eq!(of_preset(&changed), Action::Change);
    assert!(shop.apply(&text, true).await.is_done(), "{text}");
    assert!(text.contains("file:///{name}") && text.contains("review"), "{text}");
    assert_eq!(of_preset(&taken_away), Action::Change);
}

#[tokio::test]
async fn the_old_transport_is_declared_by_its_word() {
    let shop = Shop::open().await;
    let document = DOCUMENT.replace("enabled: false", "enabled: false\n    era: sse");

    shop.apply(&document, false).await;

    let text = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    assert!(text.contains("era: sse"), "{text}");
    assert!(shop.apply(&document, false).await.is_done());
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
async fn names_of_users_and_headers_are_exported_and_their_secrets_are_not() {
    let shop = Shop::open().await;
    let off = "kind: mcp_http, url: 'http://127.0.0.1:9/mcp', enabled: false";
    let text = format!(
        "version: 1
plans: [{{name: roomy, sources_max: 9}}]
users: [{{handle: ada, email: ada@example.org, password_file: ada.password, plan: roomy}}]
sources:
  - {{owner: ada, name: basic, {off}, auth: {{basic: {{user: robot, password_file: basic.password}}}}}}
  - {{owner: ada, name: own, {off}, auth: {{header: {{name: X-Api-Key, value_file: own.token}}}}}}
"
    );
    for (file, secret) in [("basic.password", "s3cret-1"), ("own.token", "s3cret-2")] {
        fs::write(shop.world.folder.path().join(file), secret).unwrap();
    }
    shop.apply(&text, false).await;

    let exported = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let again = shop.apply(&exported, false).await;

    assert!(exported.contains("user: robot") && exported.contains("name: X-Api-Key"), "{exported}");
    assert!(!exported.contains("s3cret"), "{exported}");
    assert!(again.is_done(), "{exported}\n{again}");
}

#[tokio::test]
async fn an_access_list_is_declared_as_a_whole_and_exported() {
    let shop = Shop::open().await;
    let text = |access: &str| {
        format!(
            "version: 1
users:
  - {{handle: ada, email: ada@example.org, password_file: ada.password}}
  - {{handle: bob, email: bob@example.org, password_file: ada.password}}
presets:
  - {{owner: ada, slug: notes, access: [{access}]}}
"
        )
    };
    let two = "{user: bob, level: editor}, {email: grace@example.org, level: viewer}";
    // Bob is made by the same document.
    shop.apply(&text(two), true).await;
    shop.apply(&text(two), false).await;

    let exported = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let same = shop.apply(&text(two), true).await;
    let again = shop.apply(&exported, true).await;
    let team = "{user: bob, level: viewer}, {organisation: bob, role: admin, level: viewer}";
    let changed = shop.apply(&text(team), false).await;
    let emptied = shop.apply(&text(""), false).await;

    assert!(
        exported.contains("visibility: invite_only") && exported.contains("grace@example.org"),
        "{exported}"
    );
    assert!(same.is_done() && again.is_done(), "{exported}\n{again}");
    assert!(changed.to_string().contains("access") && emptied.to_string().contains("access"), "{changed}");
    assert!(shop.apply(&text(""), true).await.is_done());
}

/// What can be wrong at the end of a document, and what is said of it.
const WRONG_ENDS: &[(&str, &str)] = &[
    ("keys: [{owner: new, name: k, presets: [none-such]}]", "`new` has no preset `none-such`"),
    ("keys: [{owner: ada, name: k, presets: [none-such]}]", "`ada` has no preset `none-such`"),
    ("keys: [{owner: ada, name: k, presets: []}]", "presets are none"),
    ("keys: [{owner: ada, name: ' '}]", "name is empty"),
    (
        "presets: [{owner: new, slug: x, access: [{user: none-such, level: viewer}]}]",
        "no account `none-such`",
    ),
    ("keys: [{owner: ada, name: k, expires_in_days: 0}]", "end lies in the past"),
    ("keys: [{owner: new, name: k, secret: dw_1}]", "not one that this program could have made"),
    ("presets: [{owner: new, slug: x, tools: [{source: none-such, allow: all}]}]", "has no source"),
    ("presets: [{owner: new, slug: x, anonymous: true}]", "only a public preset"),
    ("presets: [{owner: ada, slug: notes, anonymous: true, visibility: private}]", "only a public preset"),
    ("presets: [{owner: ada, slug: y, title: \"a\\nb\"}]", "a title is one line"),
    (
        "presets: [{owner: ada, slug: y, tools: [{source: docs, allow: all, rename: {a: \"b c\"}}]}]",
        "exposed_name",
    ),
    ("sources: [{owner: new, name: b, kind: mcp_http, url: 'ftp://127.0.0.1/'}]", "http://"),
    ("sources: [{owner: ada, name: docs, kind: mcp_http, url: 'http://127.0.0.2/'}]", "another host"),
    (
        "sources: [{owner: new, name: b, kind: mcp_http, url: 'http://a/', auth: {header: {name: Host, value: x}}}]",
        "set by the protocol",
    ),
    ("sources: [{owner: new, name: b, kind: mcp_stdio, command: [a], working_dir: b}]", "begins with /"),
    (
        "sources: [{owner: new, name: b, kind: mcp_http, url: 'http://a/'}, {owner: new, name: c, kind: mcp_http, url: 'http://a/'}]",
        "1 data source",
    ),
    ("keys: [{owner: nobody, name: k}]", "no user `nobody`"),
];

#[tokio::test]
async fn a_mistake_at_the_end_leaves_nothing_of_the_beginning() {
    let shop = Shop::open().await;
    shop.apply(DOCUMENT, false).await;
    let rooms = shop.world.state.rooms();
    let before = export(&rooms, &Authority::Operator).await.unwrap();

    for (end, words) in WRONG_ENDS {
        let text = format!(
            "version: 1
plans: [{{name: other, calls_per_month: 1}}, {{name: single, sources_max: 1}}]
users: [{{handle: new, email: new@example.org, password: correct horse battery, plan: single}}]
{end}
"
        );
        let document = read(&text).unwrap();
        let dry = apply(&rooms, &Authority::Operator, &document, true).await;
        let real = apply(&rooms, &Authority::Operator, &document, false).await;

        for refused in [dry, real] {
            let said = chain(&refused.expect_err(end));
            assert!(said.contains(words) && said.starts_with("line 4"), "{end}: {said}");
        }
        assert_eq!(export(&rooms, &Authority::Operator).await.unwrap(), before, "{end}");
    }
}

#[tokio::test]
async fn accounts_are_looked_at_together_before_any_is_made() {
    let shop = Shop::open().await;
    shop.apply(DOCUMENT, false).await;
    let rooms = shop.world.state.rooms();
    let before = export(&rooms, &Authority::Operator).await.unwrap();
    let password = "password: correct horse battery";

    for (users, words) in [
        (format!("{{handle: eve, email: ada@example.org, {password}}}"), "the e-mail address is taken"),
        (
            format!(
                "{{handle: eve, email: e@example.org, {password}}}, {{handle: rob, email: e@example.org, {password}}}"
            ),
            "the e-mail address is taken",
        ),
        ("{handle: eve, email: e@example.org, password: eve}".to_owned(), "the password"),
        (format!("{{handle: eve, email: e@example.org, {password}, plan: gold}}"), "no plan `gold`"),
        (
            format!(
                "{{handle: eve, email: e@example.org, {password}, role: admin}}, {{handle: ada, email: ada@example.org, plan: gold}}"
            ),
            "no plan `gold`",
        ),
    ] {
        let document = read(&format!("version: 1\nusers: [{users}]\n")).unwrap();
        let said = chain(&apply(&rooms, &Authority::Operator, &document, false).await.expect_err(&users));

        assert!(said.contains(words), "{users}: {said}");
        assert_eq!(export(&rooms, &Authority::Operator).await.unwrap(), before, "{users}");
    }
    let only = "version: 1\nusers: [{handle: ada, email: ada@example.org, role: admin}]\n";
    shop.apply(only, false).await;
    let document = read(&only.replace("admin", "member")).unwrap();
    let last = chain(&apply(&rooms, &Authority::Operator, &document, true).await.unwrap_err());
    assert!(last.contains("the last administrator"), "{last}");
}

#[tokio::test]
async fn a_process_by_request_of_a_member_is_refused_before_anything_is_made() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let text = "version: 1
sources:
  - {owner: ada, name: a, kind: mcp_http, url: 'http://127.0.0.1:9/', enabled: false}
  - {owner: ada, name: b, kind: mcp_stdio, command: [/bin/true], enabled: false}
";
    for path in ["/api/v1/apply?dry_run=true", "/api/v1/apply"] {
        let request =
            request(Method::POST, path).header(header::AUTHORIZATION, format!("Bearer {}", ada.key));
        let refused = world.send(request.body(Body::from(text)).unwrap()).await;

        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        assert!(world.engine.sources.list(&ada.member).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_in_the_middle_leaves_what_is_told() {
    let shop = Shop::open().await;
    let text = "version: 1\nplans: [{name: one}, {name: two}, {name: three}]\n";
    let document = read(text).unwrap();
    let (rooms, store) = (shop.world.state.rooms(), shop.world.engine.store.clone());
    let mut told = Vec::new();
    let mut tell = |step: &Step| {
        told.push(step.name.clone());
        if told.len() == 2 {
            let here = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| here.block_on(store.close()));
        }
    };

    let failed = perform(&rooms, &Authority::Operator, &document, &mut tell).await.unwrap_err();

    let said = chain(&failed);
    assert!(said.starts_with("applied up to here: plan one, plan two; then: line 2: "), "{said}");
    assert_eq!(told, ["one", "two"]);
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

/// Writes an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.steps.iter().map(|step| step.action).collect()
}
