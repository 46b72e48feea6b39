//! What analyses promise whatever the source does: who may, what is charged, and how each ends. What they find is tried
//! against a real history server in `server/tests/it/analyses.rs`.

mod ending;
mod plans;
mod rewriting;

use std::{net::SocketAddr, time::Duration};

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;
use crate::{
    audit::Audit,
    changes::Changes,
    connections::Connections,
    egress::{EgressLimits, EgressPolicy},
    model::{BrowserSessionId, InstanceRole, Plan, PlanName, Reach, SourceName, User, Via, Whence, samples},
    oauth::OwnNames,
    providers::spark::Thresholds,
    sources::{Providers, SourceSettings},
    store::testing::TestStore,
    upstream::{UpstreamLimits, Upstreams},
    vault::{KeySource, Vault},
};

const NOW: Ms = Ms(1_795_233_963_183);

/// A database with an organisation that has one history server, which takes connections and never answers.
struct Scene {
    store: Store,
    clock: Clock,
    audit: Audit,
    ada: Member,
    source: Source,
    analyses: Analyses,
    _silent: TcpListener,
    _folder: TempDir,
    /// Keeps the database until the test ends.
    _test: Option<TestStore>,
}

impl Scene {
    async fn new() -> Self {
        let test = TestStore::sqlite().await;
        let scene = Self::on(&test, AnalysisSettings::default()).await;
        Self { _test: Some(test), ..scene }
    }

    async fn with(settings: AnalysisSettings) -> Self {
        let test = TestStore::sqlite().await;
        let scene = Self::on(&test, settings).await;
        Self { _test: Some(test), ..scene }
    }

    async fn on(test: &TestStore, settings: AnalysisSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let clock = Clock::manual(NOW);
        let user = test.add_user("ada").await;
        let source = source(&user, "spark", silent.local_addr().unwrap());
        let mut tx = test.store.tenant(user.tenant).await.unwrap();
        tx.add_source(&source, None).await.unwrap();
        tx.commit().await.unwrap();
        let (analyses, audit) = process(&test.store, &folder, &clock, settings).await;
        let store = test.store.clone();
        let ada = member(&user, OrgRole::Admin);
        Self { store, clock, audit, ada, source, analyses, _silent: silent, _folder: folder, _test: None }
    }

    /// Makes the analyses of another process that shares the database.
    async fn another_process(&self) -> Analyses {
        process(&self.store, &self._folder, &self.clock, AnalysisSettings::default()).await.0
    }

    /// Sets what Ada's plan allows: analyses in a month, and at the same time.
    async fn allow(&mut self, per_month: Option<i64>, concurrent: Option<i64>) {
        let name = PlanName::parse("tried").unwrap();
        let mut tx = self.store.system().await.unwrap();
        tx.save_plan(&Plan {
            name: name.clone(),
            calls_per_month: None,
            analyses_per_month: per_month,
            concurrent_analyses: concurrent,
            sources_max: None,
            presets_max: None,
            stored_analyses_max: None,
            retention_days: None,
            rate: None,
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        self.ada.plan = name;
    }

    fn wanted(&self) -> NewAnalysis {
        NewAnalysis { source: self.source.id, app_id: "app-1".into(), attempt: None }
    }

    async fn begin(&self) -> Analysis {
        self.analyses.begin(&self.ada, self.wanted()).await.unwrap()
    }

    /// Returns how many analyses are charged, and how many run.
    async fn used(&self) -> (i64, i64) {
        let usage = self.analyses.usage(&self.ada).await.unwrap();
        (usage.used, usage.running)
    }
}

async fn process(
    store: &Store,
    folder: &TempDir,
    clock: &Clock,
    settings: AnalysisSettings,
) -> (Analyses, Audit) {
    let key = KeySource::File(folder.path().join("vault.key"));
    let vault = Vault::open(store.clone(), key).await.unwrap();
    let metrics = Metrics::new(store.clone());
    let (audit, changes) = (Audit::new(store.clone(), metrics.clone()), Changes::new());
    let egress = egress();
    let providers: Arc<dyn crate::upstream::Insides> =
        Arc::new(Providers::new(clock.clone(), Thresholds::default()));
    let limits = UpstreamLimits::default();
    let upstreams = Upstreams::with_insides(egress.clone(), clock.clone(), limits, Some(providers));
    let names = OwnNames::at("http://127.0.0.1:8080").unwrap();
    let connections =
        Connections::new(store.clone(), vault.clone(), egress.clone(), clock.clone(), changes.clone(), names);
    let sources = Sources::new(
        store.clone(),
        vault,
        upstreams,
        connections,
        audit.clone(),
        clock.clone(),
        SourceSettings::default(),
        changes,
    );
    let parts = AnalysisParts { store: store.clone(), sources, metrics, egress, clock: clock.clone() };
    (Analyses::new(parts, settings), audit)
}

fn egress() -> Egress {
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    Egress::new(EgressPolicy { allow }, EgressLimits::default())
}

fn member(user: &User, org_role: OrgRole) -> Member {
    Member {
        user: user.id,
        handle: user.handle.clone(),
        tenant: user.tenant,
        tenant_handle: user.handle.clone(),
        org_role,
        instance_role: InstanceRole::Member,
        plan: PlanName::parse("enterprise").unwrap(),
        via: Via::BrowserSession(BrowserSessionId::new()),
        whence: Whence::default(),
    }
}

fn source(user: &User, name: &str, address: SocketAddr) -> Source {
    Source {
        reach: Reach::SparkHistory { url: format!("http://{address}").parse().unwrap() },
        created_at: NOW,
        updated_at: NOW,
        ..samples::source(user.tenant, name)
    }
}

/// A deadline that is over at once.
fn hurried() -> AnalysisSettings {
    AnalysisSettings { deadline: Duration::from_millis(50), ..AnalysisSettings::default() }
}
