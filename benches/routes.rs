//! How long it takes to get from an address to a tool.
//!
//! `cargo bench --bench routes`. The warm benches are what every call pays; `built_again` is what
//! the first call after a change pays.

use std::{sync::Arc, sync::OnceLock};

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
use divan::{Bencher, black_box};
use doorward::{
    audit::Audit,
    changes::{Change, Changes},
    clock::{Clock, Ms},
    connections::Connections,
    egress::{Egress, EgressLimits, EgressPolicy},
    mail::Mail,
    mcp::ListKind,
    metrics::Metrics,
    model::{
        BrowserSessionId, Credential, Email, Era, EraSetting, Handle, InstanceRole, Member, OrgRole,
        PlanName, Reach, RunsAs, Selection, Slug, SourceName, TenantId, User, UserId, Via, Visibility,
        Whence,
    },
    oauth::OwnNames,
    presets::{NewPreset, Presets, RouteTable},
    sources::{NewSource, SourceSettings, Sources},
    store::Store,
    upstream::{UpstreamLimits, Upstreams},
    vault::{KeySource, Vault},
};
use futures::FutureExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::Url;

const TOOLS: usize = 500;
/// The tool looked for, in the middle of the list.
const TOOL: &str = "tool_250";

fn main() {
    scene();
    divan::main();
}

#[divan::bench]
fn an_address_is_resolved(bencher: Bencher<'_, '_>) {
    let scene = scene();
    bencher.bench(|| scene.table());
}

#[divan::bench]
fn a_tool_is_found(bencher: Bencher<'_, '_>) {
    let table = scene().table();
    bencher.bench(|| table.route(black_box(TOOL)).map(|route| route.source));
}

#[divan::bench]
fn a_link_is_found(bencher: Bencher<'_, '_>) {
    let scene = scene();
    let table = scene.table();
    let source = table.tools[0].source;
    bencher.bench(|| scene.sources.link(table.preset.tenant, black_box(source)).now_or_never());
}

#[divan::bench(args = [Era::Modern, Era::Legacy])]
fn the_first_page_is_ready(bencher: Bencher<'_, '_>, era: Era) {
    let table = scene().table();
    bencher.bench(|| table.page(ListKind::Tools, black_box(era), None));
}

#[divan::bench]
fn the_second_page_is_ready(bencher: Bencher<'_, '_>) {
    let table = scene().table();
    let cursor = table.page(ListKind::Tools, Era::Modern, None).and_then(|page| page.next_cursor);
    bencher.bench(|| table.page(ListKind::Tools, Era::Modern, black_box(cursor.as_deref())));
}

#[divan::bench(sample_count = 20)]
fn a_table_of_500_tools_is_built_again(bencher: Bencher<'_, '_>) {
    let scene = scene();
    bencher.bench(|| {
        scene.changes.announce(Change::Everything);
        scene.runtime.block_on(scene.presets.route_table("ada", "ops")).is_ok()
    });
}

struct Scene {
    runtime: Runtime,
    sources: Sources,
    presets: Presets,
    changes: Changes,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Answers from memory, or not at all.
    fn table(&self) -> Arc<RouteTable> {
        let warm = self.presets.route_table(black_box("ada"), black_box("ops")).now_or_never();
        match warm {
            Some(Ok(Some(table))) => table,
            _ => self
                .runtime
                .block_on(self.presets.route_table("ada", "ops"))
                .expect("the database answers")
                .expect("the preset is there"),
        }
    }
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime starts");
        runtime.block_on(build()).expect("the scene is set")(runtime)
    })
}

type Finished = Box<dyn FnOnce(Runtime) -> Scene>;

async fn build() -> Result<Finished, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = Store::open_sqlite(&folder.path().join("doorward.db")).await?;
    let vault = Vault::open(store.clone(), KeySource::File(folder.path().join("vault.key"))).await?;
    let clock = Clock::system();
    let changes = Changes::new();
    let egress = EgressPolicy { allow: vec!["127.0.0.0/8".parse()?] };
    let egress = Egress::new(egress, EgressLimits::default());
    let upstreams = Upstreams::new(egress.clone(), clock.clone(), UpstreamLimits::default());
    let names = OwnNames::at("http://127.0.0.1:8080").ok_or("no address")?;
    let connections =
        Connections::new(store.clone(), vault.clone(), egress, clock.clone(), changes.clone(), names);
    let sources = Sources::new(
        store.clone(),
        vault,
        upstreams,
        connections,
        Audit::new(store.clone(), Metrics::new(store.clone())),
        clock.clone(),
        SourceSettings::default(),
        changes.clone(),
    );
    let presets = Presets::new(store.clone(), sources.clone(), clock, changes.clone(), Mail::new(None)?);

    let ada = owner(&store).await?;
    let new = NewSource {
        ca_certificates: None,
        tunnel: None,
        name: SourceName::parse("many")?,
        reach: Reach::McpHttp { url: source().await? },
        credential: Credential::default(),
        era: EraSetting::Legacy,
        runs_as: RunsAs::default(),
        enabled: true,
    };
    let source = sources.add(&ada, new).await?.source.id;
    let new = NewPreset {
        rules: doorward::model::CallRules::default(),
        slug: Slug::parse("ops")?,
        title: String::new(),
        description: String::new(),
        visibility: Visibility::Private,
        anonymous: false,
        expires_at: None,
        selections: vec![Selection::all_tools(source)],
    };
    presets.add(&ada, new).await?;
    let table = presets.route_table("ada", "ops").await?;
    assert_eq!(table.map(|table| table.tools.len()), Some(TOOLS));
    sources.link(ada.tenant, source).await?;
    Ok(Box::new(move |runtime| Scene { runtime, sources, presets, changes, _folder: folder }))
}

async fn owner(store: &Store) -> Result<Member, Box<dyn std::error::Error>> {
    let user = User {
        id: UserId::new(),
        tenant: TenantId::new(),
        handle: Handle::parse("ada")?,
        email: Email::parse("ada@example.org")?,
        role: InstanceRole::Admin,
        plan: PlanName::parse("enterprise")?,
        enabled: true,
        created_at: Ms(0),
    };
    let mut tx = store.system().await?;
    tx.add_user(&user, "not a hash").await?;
    tx.commit().await?;
    Ok(Member {
        user: user.id,
        handle: user.handle.clone(),
        tenant: user.tenant,
        tenant_handle: user.handle,
        org_role: OrgRole::Admin,
        instance_role: user.role,
        plan: user.plan,
        via: Via::BrowserSession(BrowserSessionId::new()),
        whence: Whence::default(),
    })
}

/// Starts a source with many tools on the loopback address.
async fn source() -> Result<Url, Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = Url::parse(&format!("http://{}/mcp", listener.local_addr()?))?;
    let router = Router::new().route("/mcp", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn answer(Json(request): Json<Value>) -> axum::response::Response {
    let result = match request["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "many", "version": "1" }
        }),
        Some("tools/list") => json!({ "tools": (0..TOOLS).map(tool).collect::<Vec<_>>() }),
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).into_response()
}

fn tool(n: usize) -> Value {
    json!({
        "name": format!("tool_{n:03}"),
        "description": "Searches issues by text, project and state, and returns the newest first.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "text": { "type": "string", "description": "What to look for." },
                "project": { "type": "string", "description": "Only in this project." },
                "limit": { "type": "integer", "minimum": 1, "maximum": 100 }
            },
            "required": ["text"]
        }
    })
}
