//! `doorward apply` and `export`: idempotent, exact about mistakes, and never more than allowed.

use std::{fs, path::Path, process::Command, sync::Arc};

use axum::body::Body;
use doorward::{
    fault::told,
    model::{Handle, InstanceRole, Member, OrgRole, SourceName},
    policy::operator_at_the_shell,
    tunnel::KeyPair,
};
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
    rules: { tools: { read: 5/second } }
presets:
  - owner: ada
    slug: notes
    visibility: public
    anonymous: true
    tools: [{ source: docs, allow: all, deny: [drop], rename: { read: read_file }, resources: all, prompts: [review] }]
    rules: { rate: 600/minute, tools: { read_file: "10/minute, 2 at once" } }
keys:
  - owner: ada
    name: bench
    secret_file: bench.key
  - owner: ada
    name: narrow
    presets: [notes]
    rate: 60/minute
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
async fn whom_to_trust_is_declared_taken_away_and_exported() {
    let shop = Shop::open().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    fs::write(shop.world.folder.path().join("corner.pem"), certificate.pem()).unwrap();
    let named = DOCUMENT
        .replace("http://127.0.0.1:9/mcp", "https://127.0.0.1:9/mcp")
        .replace("enabled: false", "enabled: false\n    ca_certificates_file: corner.pem");

    shop.apply(&named, false).await;
    let second = shop.apply(&named, false).await;
    let text = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let again = shop.apply(&text, false).await;
    let nobody = named.replace("ca_certificates_file: corner.pem", "ca_certificates: null");
    let taken_away = shop.apply(&nobody, false).await;
    let later = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();

    assert!(second.is_done() && again.is_done(), "{second}\n{text}\n{again}");
    assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
    assert_eq!(
        actions(&taken_away).iter().filter(|done| **done == Action::Change).count(),
        1,
        "{taken_away}"
    );
    assert!(!later.contains("BEGIN CERTIFICATE"), "{later}");
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

    assert!(owner.starts_with("line 4: there is no user or organisation `bob`"), "{owner}");
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
    ("keys: [{owner: nobody, name: k}]", "no user or organisation `nobody`"),
    ("tunnels: [{owner: new, name: t}]", "needs `hops` and `destinations`"),
    ("tunnels: [{owner: new, name: t, hops: [], destinations: ['a:1']}]", "1 to 4 servers"),
    ("tunnels: [{owner: ada, name: t, hops: [{host: b, user: c}], destinations: []}]", "1 to 32 places"),
    ("tunnels: [{owner: new, name: t, hops: [{host: b, user: c d}], destinations: ['a:1']}]", "no spaces"),
    (
        "tunnels: [{owner: new, name: t, hops: [{host: b, user: c, key: x}], destinations: ['a:1']}]",
        "no private key",
    ),
    (
        "tunnels: [{owner: ada, name: t, hops: [{host: b, user: c, password: x}], destinations: ['a:1']}]",
        "does not allow passwords",
    ),
    (
        "sources: [{owner: ada, name: docs, kind: mcp_http, url: 'http://127.0.0.1:9/mcp', tunnel: t}]",
        "`ada` has no tunnel `t`; declare it",
    ),
    (
        "sources: [{owner: new, name: b, kind: mcp_stdio, command: [a], tunnel: t}]\ntunnels: [{owner: new, name: t, hops: [{host: b, user: c}], destinations: ['a:1']}]",
        "not reached over the network",
    ),
    (
        "sources: [{owner: ada, name: docs, kind: mcp_http, url: 'http://127.0.0.1:9/mcp', tunnel: t}]\ntunnels: [{owner: ada, name: t, hops: [{host: b, user: c}], destinations: ['a:1']}]",
        "give the credential again",
    ),
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
            let said = told(&refused.expect_err(end));
            assert!(said.contains(words) && said.starts_with("line 4"), "{end}: {said}");
        }
        assert_eq!(export(&rooms, &Authority::Operator).await.unwrap(), before, "{end}");
    }
}

/// A tunnel over two servers, the first with a key that its owner has, and a source behind it.
const BEHIND: &str = r#"
version: 1
users: [{ handle: ada, email: ada@example.org, password_file: ada.password }]
tunnels:
  - owner: ada
    name: bastion
    hops:
      - host: jump.example.org
        user: ada
        key_file: bastion.key
        host_key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
      - { host: bastion.internal, port: 2222, user: ada, generated: true }
    destinations: ["history.internal:18080"]
sources:
  - { owner: ada, name: spark, kind: spark_history, url: "http://history.internal:18080/", enabled: false, tunnel: bastion }
"#;

#[tokio::test]
async fn a_tunnel_is_declared_with_its_keys_and_a_second_run_does_nothing() {
    let shop = Shop::open().await;
    let (pair, private) = KeyPair::generate("ada@laptop").unwrap();
    fs::write(shop.world.folder.path().join("bastion.key"), private.expose()).unwrap();

    let dry = shop.apply(BEHIND, true).await;
    let first = shop.apply(BEHIND, false).await;
    let second = shop.apply(BEHIND, false).await;
    let text = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let again = shop.apply(&text, false).await;

    assert_eq!(actions(&dry), [Action::Add; 3], "{dry}");
    assert_eq!(actions(&first), [Action::Add; 3], "{first}");
    let said = &first.steps[1].detail;
    assert!(
        said.contains("for ada@bastion.internal:2222: ssh-ed25519 ") && said.contains("confirmed"),
        "{said}"
    );
    assert!(!said.contains("jump.example.org"), "only what is to be done: {said}");
    assert!(second.is_done() && again.is_done(), "{second}\n{text}\n{again}");
    assert!(text.contains("key_file: bastion.key") && text.contains("generated: true"), "{text}");
    assert!(!text.contains("PRIVATE KEY") && !text.contains("ssh-ed25519"), "{text}");
    let ada = shop.member("ada").await;
    let tunnels = shop.world.engine.sources.tunnels(&ada).await.unwrap();
    assert_eq!(tunnels[0].hops[0].public_key, Some(pair.public_line()));

    let direct = shop.apply(&BEHIND.replace("tunnel: bastion }", "tunnel: null }"), false).await;
    assert_eq!(direct.steps.last().unwrap().detail, "tunnel", "{direct}");
    assert_eq!(shop.world.engine.sources.list(&ada).await.unwrap()[0].source.tunnel, None);
}

#[tokio::test]
async fn of_a_tunnel_only_what_differs_is_changed() {
    let shop = Shop::open().await;
    let file = shop.world.folder.path().join("bastion.key");
    let (one, other) = (KeyPair::generate("one").unwrap(), KeyPair::generate("other").unwrap());
    fs::write(&file, one.1.expose()).unwrap();
    shop.apply(BEHIND, false).await;
    let ada = shop.member("ada").await;
    let tunnels = async || shop.world.engine.sources.tunnels(&ada).await.unwrap().remove(0);
    let before = tunnels().await;
    let apply = async |text: &str| {
        let dry = shop.apply(text, true).await.steps[1].detail.clone();
        let done = shop.apply(text, false).await.steps[1].detail.clone();
        assert_eq!(dry, done);
        assert!(shop.apply(text, false).await.is_done());
        done
    };

    fs::write(&file, other.1.expose()).unwrap();
    assert_eq!(apply(BEHIND).await, "keys");
    assert_eq!(tunnels().await.hops[0].public_key, Some(other.0.public_line()));
    let edited = BEHIND.replace("history.internal:18080\"]", "history.internal:18080\", \"other:80\"]");
    assert_eq!(apply(&edited).await, "destinations");
    let edited = edited.replace("port: 2222", "port: 22");
    assert_eq!(apply(&edited).await, "hops");
    assert_eq!(tunnels().await.hops[1].public_key, before.hops[1].public_key, "it keeps the key made for it");
    // What is not said of a server stays, and what is made here takes the place of what was given.
    let kept = edited.replace("key_file: bastion.key", "port: 22");
    assert!(shop.apply(&kept, false).await.is_done());
    let made = edited.replace("key_file: bastion.key", "generated: true");
    assert_eq!(apply(&made).await, "keys");
    assert!(tunnels().await.hops[0].made_here);
}

#[tokio::test]
async fn a_key_with_passphrase_and_certificate_is_declared_and_exported_without_its_secrets() {
    let shop = Shop::open().await;
    let folder = shop.world.folder.path();
    let key = EncryptedKey::make(folder);
    let text = format!(
        "version: 1
users: [{{handle: ada, email: ada@example.org, password_file: ada.password}}]
tunnels:
  - owner: ada
    name: bastion
    hops: [{{host: b, user: ada, key_file: bastion.key, passphrase_file: bastion.passphrase, certificate_file: {}}}]
    destinations: ['a:1']
",
        key.certificate
    );
    shop.apply(&text, false).await;

    let exported = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let again = shop.apply(&exported, false).await;

    assert!(exported.contains("ssh-ed25519-cert-v01@openssh.com"), "{exported}");
    assert!(exported.contains("passphrase_file: bastion.passphrase"), "{exported}");
    assert!(!exported.contains(key.passphrase) && !exported.contains("PRIVATE KEY"), "{exported}");
    assert!(again.is_done(), "{exported}\n{again}");
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_with_its_line() {
    for (hop, words) in [
        ("key_file: a, generated: true", "one of `key_file`"),
        ("key_file: a, password_file: b", "one of `key_file`"),
        ("key_file: a, key: b", "exclude each other"),
        ("passphrase_file: a", "go with `key_file`"),
        ("generated: true, certificate: a", "go with `key_file`"),
        ("host_key: 'MD5:aa'", "SHA256:"),
        ("keyfile: a", "keyfile"),
        ("port: 70000", "a whole number from 1 to 65535"),
        ("port: ssh", "a whole number from 1 to 65535"),
    ] {
        let hop = format!("{{host: b, user: c, {hop}}}");
        let text = format!(
            "version: 1\ntunnels:\n  - {{owner: ada, name: x, hops: [{hop}], destinations: ['a:1']}}\n"
        );
        let wrong = read(&text).unwrap_err();
        assert!(wrong.line == Some(3) && wrong.reason.contains(words), "{hop}: {wrong}");
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
        let said = told(&apply(&rooms, &Authority::Operator, &document, false).await.expect_err(&users));

        assert!(said.contains(words), "{users}: {said}");
        assert_eq!(export(&rooms, &Authority::Operator).await.unwrap(), before, "{users}");
    }
    let only = "version: 1\nusers: [{handle: ada, email: ada@example.org, role: admin}]\n";
    shop.apply(only, false).await;
    let document = read(&only.replace("admin", "member")).unwrap();
    let last = told(&apply(&rooms, &Authority::Operator, &document, true).await.unwrap_err());
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
    let mut done = Vec::new();
    let mut tell = |step: &Step| {
        done.push(step.name.clone());
        if done.len() == 2 {
            let here = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| here.block_on(store.close()));
        }
    };

    let failed = perform(&rooms, &Authority::Operator, &document, &mut tell).await.unwrap_err();

    let said = told(&failed);
    assert!(said.starts_with("applied up to here: plan one, plan two; then: line 2: "), "{said}");
    assert_eq!(done, ["one", "two"]);
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
    let key = "tunnels: [{owner: ada, name: t, hops: [{host: b, user: c, key_file: /etc/passwd}], destinations: ['a:1']}]";
    let key = post(&format!("version: 1\n{key}")).await;
    let wrong = post("version: 1\nnonsense: 1\n").await;

    assert_eq!(
        (own.status, own.json()["steps"][0]["action"].as_str()),
        (StatusCode::OK, Some("add")),
        "{}",
        own.body
    );
    assert_eq!(others.status, StatusCode::FORBIDDEN, "{}", others.body);
    assert_eq!(file.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", file.body);
    assert!(key.status == StatusCode::UNPROCESSABLE_ENTITY && key.body.contains("key_file"), "{}", key.body);
    assert_eq!(user.status, StatusCode::FORBIDDEN, "{}", user.body);
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("line 2"), "{}", wrong.body);
    let b = SourceName::parse("b").unwrap();
    assert!(world.engine.sources.find_by_name(&ada.member, &b).await.unwrap().is_none());
}

/// An organisation with what it owns, declared with the people it is of.
const TEAM: &str = r#"
version: 1
users:
  - { handle: ada, email: ada@example.org, password_file: ada.password }
  - { handle: bob, email: bob@example.org, password_file: ada.password }
organisations:
  - handle: acme
    title: Acme Ltd
    members: [{ user: ada, role: admin }, { user: bob, role: operator }]
sources:
  - { owner: acme, name: docs, kind: mcp_http, url: "http://127.0.0.1:9/mcp", enabled: false }
presets:
  - { owner: acme, slug: notes, tools: [{ source: docs, allow: all }] }
keys:
  - { owner: acme, name: bench, secret_file: bench.key }
  - { owner: acme, user: bob, name: agent, secret_file: bob.key, presets: [notes] }
"#;

#[tokio::test]
async fn an_organisation_is_declared_with_its_people_and_what_it_owns() {
    let shop = Shop::open().await;

    let dry = shop.apply(TEAM, true).await;
    let first = shop.apply(TEAM, false).await;
    let second = shop.apply(TEAM, false).await;
    let key = async |file: &str| {
        let text = fs::read_to_string(shop.world.folder.path().join(file)).unwrap();
        let member = shop.world.engine.identity.authenticate_key(text.trim()).await.unwrap();
        (member.handle.to_string(), member.tenant_handle.to_string(), member.org_role)
    };

    assert_eq!(actions(&dry), [Action::Add; 7], "{dry}");
    assert_eq!(actions(&first), [Action::Add; 7], "{first}");
    assert!(second.is_done(), "{second}");
    assert_eq!(key("bench.key").await, ("ada".into(), "acme".into(), OrgRole::Admin));
    assert_eq!(key("bob.key").await, ("bob".into(), "acme".into(), OrgRole::Operator));

    let other = TEAM
        .replace("Acme Ltd", "Acme & Sons")
        .replace("user: bob, role: operator", "user: bob, role: admin");
    let changed = shop.apply(&other, false).await;
    let step = changed.steps.iter().find(|step| step.kind == "organisation").unwrap();
    assert_eq!((step.action, step.detail.as_str()), (Action::Change, "title, members"));
    // Where two change places there is an administrator at every moment.
    let swapped = other.replace("user: ada, role: admin", "user: ada, role: viewer");
    shop.apply(&swapped, false).await;
    assert_eq!(key("bench.key").await.2, OrgRole::Viewer);
}

#[tokio::test]
async fn what_is_exported_of_an_organisation_is_as_declared() {
    let shop = Shop::open().await;
    shop.apply(TEAM, false).await;

    let text = export(&shop.world.state.rooms(), &Authority::Operator).await.unwrap();
    let document = read(&text).unwrap();
    let again = apply(&shop.world.state.rooms(), &Authority::Operator, &document, true).await.unwrap();

    assert!(again.is_done(), "{again}\n{text}");
    assert!(text.contains("Acme Ltd") && text.contains("user: bob"), "{text}");
}

#[tokio::test]
async fn an_organisation_is_declared_with_its_plan_which_bounds_what_is_declared_of_it() {
    let shop = Shop::open().await;
    let planned = TEAM.replace("    title: Acme Ltd\n", "    title: Acme Ltd\n    plan: small\n").replace(
        "users:\n",
        "plans: [{ name: small, sources_max: 1 }, { name: none, sources_max: 0 }]\nusers:\n",
    );
    let rooms = shop.world.state.rooms();
    let fails = async |text: &str, dry_run| {
        let mut document = read(text).unwrap();
        resolve(&mut document, shop.world.folder.path()).unwrap();
        told(&apply(&rooms, &Authority::Operator, &document, dry_run).await.unwrap_err())
    };

    for dry_run in [true, false] {
        let said = fails(&planned.replace("plan: small", "plan: gold"), dry_run).await;
        assert!(said.contains("there is no plan `gold`"), "{said}");
        let said = fails(&planned.replace("plan: small", "plan: none"), true).await;
        assert!(said.contains("the plan `none` holds 0 data sources"), "{said}");
        let without =
            planned.replace("plan: small", "plan: none").replace("sources_max: 0", "presets_max: 0");
        let said = fails(&without, true).await;
        assert!(said.contains("the plan `none` holds 0 presets"), "{said}");
    }
    let first = shop.apply(&planned, false).await;
    let second = shop.apply(&planned, true).await;
    let text = export(&rooms, &Authority::Operator).await.unwrap();
    let changed = shop.apply(&planned.replace("plan: small", "plan: none"), false).await;
    let taken = shop.apply(&planned.replace("plan: small", "plan: null"), false).await;

    assert_eq!(actions(&first), [Action::Add; 9], "{first}");
    assert!(second.is_done(), "{second}");
    assert!(text.contains("plan: small"), "{text}");
    for plan in [changed, taken] {
        let step = plan.steps.iter().find(|step| step.kind == "organisation").unwrap();
        assert_eq!((step.action, step.detail.as_str()), (Action::Change, "plan"));
    }
}

#[tokio::test]
async fn a_mistake_in_an_organisation_is_found_before_anything_is_done() {
    let shop = Shop::open().await;
    let rooms = shop.world.state.rooms();
    for (from, to, said) in [
        (
            "{ user: bob, role: operator }",
            "{ user: carol, role: operator }",
            "no user or organisation `carol`",
        ),
        ("role: admin }, ", "role: viewer }, ", "needs a member with `role: admin`"),
        ("handle: acme", "handle: ada", "`ada` is taken"),
        ("user: bob, name: agent", "user: carol, name: agent", "no user or organisation `carol`"),
    ] {
        let mut document = read(&TEAM.replacen(from, to, 1)).unwrap();
        resolve(&mut document, shop.world.folder.path()).unwrap();
        let error = apply(&rooms, &Authority::Operator, &document, false).await.unwrap_err();
        assert!(told(&error).contains(said), "{}", told(&error));
        let users = rooms.identity.users(&operator_at_the_shell()).await.unwrap();
        assert!(users.is_empty(), "{to} left {users:?}");
    }
}

#[tokio::test]
async fn a_member_applies_to_a_team_by_their_own_key_what_their_role_allows() {
    let shop = Shop::open().await;
    shop.apply(TEAM, false).await;
    let key = |file: &str| fs::read_to_string(shop.world.folder.path().join(file)).unwrap().trim().to_owned();
    let send = async |key: String, text: &str| {
        let request =
            request(Method::POST, "/api/v1/apply").header(header::AUTHORIZATION, format!("Bearer {key}"));
        let answer = shop.world.send(request.body(Body::from(text.to_owned())).unwrap()).await;
        (answer.status, answer.body)
    };
    let more = "version: 1\npresets:\n  - {owner: acme, slug: more}\n";
    let (in_acme, operators) = (key("bench.key"), key("bob.key"));

    let (made, said) = send(in_acme.clone(), more).await;
    assert_eq!(made, StatusCode::OK, "{said}");
    let (elsewhere, said) = send(in_acme.clone(), &more.replace("acme", "ada")).await;
    assert_eq!(elsewhere, StatusCode::FORBIDDEN, "{said}");
    let (limited, said) = send(operators, more).await;
    assert_eq!(limited, StatusCode::FORBIDDEN, "{said}");
    let declared = "version: 1\norganisations:\n  - {handle: other, members: [{user: ada, role: admin}]}\n";
    let (denied, said) = send(in_acme, declared).await;
    assert_eq!(denied, StatusCode::FORBIDDEN, "{said}");
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

    async fn member(&self, handle: &str) -> Arc<Member> {
        let handle = Handle::parse(handle).unwrap();
        self.world.engine.identity.at_the_shell(&handle).await.unwrap().unwrap()
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

/// A key as people make it, with a certificate of an authority of its own.
struct EncryptedKey {
    passphrase: &'static str,
    certificate: &'static str,
}

impl EncryptedKey {
    /// Makes `bastion.key`, `bastion.passphrase` and the certificate in a folder.
    #[expect(clippy::disallowed_methods, reason = "keys as people make them")]
    fn make(folder: &Path) -> Self {
        let keygen = |arguments: &[&str]| {
            let done =
                Command::new("ssh-keygen").arg("-q").args(arguments).current_dir(folder).output().unwrap();
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        let passphrase = "open sesame";
        keygen(&["-t", "ed25519", "-N", "", "-f", "ca"]);
        keygen(&["-t", "ed25519", "-N", passphrase, "-f", "bastion.key"]);
        keygen(&["-s", "ca", "-I", "ada", "-n", "ada", "bastion.key.pub"]);
        fs::write(folder.join("bastion.passphrase"), passphrase).unwrap();
        Self { passphrase, certificate: "bastion.key-cert.pub" }
    }
}

fn actions(plan: &Plan) -> Vec<Action> {
    plan.steps.iter().map(|step| step.action).collect()
}
