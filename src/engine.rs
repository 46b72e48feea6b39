//! Every shared part of the program, built once.
//!
//! An [`Engine`] is cheap to clone: it is the state of the HTTP server and the context of the
//! console alike. Never holds a rule of its own. A new part is a field here, a line in
//! [`Engine::open`], and, if it works in the background, a line in [`Engine::start`].

use std::{io, ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use thiserror::Error;

use crate::{
    audit::{self, Audit, ExportSettings, Exporter, Notary, Otlp, OtlpSettings},
    changes::Changes,
    clock::Clock,
    connections::Connections,
    egress::{Egress, EgressLimits, EgressPolicy},
    explain::Explain,
    fault::Fault,
    identity::{Identity, IdentitySettings},
    insights::{Analyses, AnalysisParts, AnalysisSettings},
    issuer::Issuer,
    jobs::Jobs,
    mail::{Mail, MailError, MailSettings},
    metrics::{Gauge, Metrics},
    oauth::OwnNames,
    orgs::Orgs,
    plan_changes::PlanChanges,
    presets::Presets,
    proxy::{self, Proxy, ProxyParts, ProxySettings},
    quota::{Once, Quota, RateSettings, RedisSettings},
    replicas::{self, ReplicaParts, Replicas},
    secret::Secret,
    sources::{Providers, SourceSettings, Sources},
    store::{Store, StoreError},
    upstream::{UpstreamLimits, Upstreams},
    vault::{KeySource, Vault, VaultError},
    warnings::{WarningSettings, Warnings},
};

/// How often what a call used is written, and unused leases are given back.
const QUOTA_PAUSE: Duration = Duration::from_secs(1);
/// How often the time of keys' last use is written.
const KEYS_PAUSE: Duration = Duration::from_secs(10);
/// How often attempts to sign in that count no more are removed.
const ATTEMPTS_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether a source is due for a look.
const SOURCES_PAUSE: Duration = Duration::from_secs(15);
/// How often it is looked whether the token of a connection ends soon.
const CONNECTIONS_PAUSE: Duration = Duration::from_secs(20);
/// How often it is looked whether something will stop working that its owner is to be told of.
const WARNINGS_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether the time of a change of a plan has come.
const PLAN_CHANGES_PAUSE: Duration = Duration::from_secs(10);
/// How often analyses are looked for whose process is gone.
const ANALYSES_PAUSE: Duration = Duration::from_secs(15);
/// How often events are looked for that processes of a version before still write.
const PACK_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether the audit log of an organisation is to be signed for.
const CHECKPOINTS_PAUSE: Duration = Duration::from_secs(3600);
/// How often it is looked whether an hour or a day of the audit log is to be exported.
const EXPORTS_PAUSE: Duration = Duration::from_secs(30);
/// For how long the process that sends events as logs has the turn without coming back.
const LOGS_TURN: Duration = Duration::from_secs(30);
/// How often processes and sessions that nobody uses are looked for.
const IDLE_PAUSE: Duration = Duration::from_secs(15);
/// How often events, metrics and analyses past their plan's retention are removed.
const RETENTION_PAUSE: Duration = Duration::from_secs(3600);

/// What the parts need to know.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Where the state is.
    pub database: Database,
    /// Where the vault's keys are.
    pub vault_key: KeySource,
    /// Which addresses sources may be at.
    pub egress: EgressPolicy,
    /// The bounds of outbound requests.
    pub egress_limits: EgressLimits,
    /// The bounds of links to sources.
    pub upstream: UpstreamLimits,
    /// Our own addresses, as the issuers of sources know them.
    pub own_names: OwnNames,
    /// How people are recognised.
    pub identity: IdentitySettings,
    /// The bounds of sources.
    pub sources: SourceSettings,
    /// How fast calls may come.
    pub rates: RateSettings,
    /// Where replicas share what is left of that; `None` = there is one process.
    pub redis: Option<RedisSettings>,
    /// How long what came of a call that is made once is kept.
    pub calls_kept: Duration,
    /// The mail server; `None` = no letter is ever sent.
    pub mail: Option<MailSettings>,
    /// Where warnings go beside the console and e-mail.
    pub warnings: WarningSettings,
    /// What changes of plans are signed with that a payment provider posts; `None` = none is taken.
    pub plan_webhook_secret: Option<Secret>,
    /// Where the audit log is exported to.
    pub audit_export: ExportSettings,
    /// The collector that run events are sent to as logs; `None` = none.
    pub otlp_logs: Option<OtlpSettings>,
    /// What analyses need to know.
    pub analyses: AnalysisSettings,
    /// What the path of a call needs to know.
    pub proxy: ProxySettings,
}

/// Where the state is.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres {
        /// The database in a role that owns no tables.
        app: Secret,
        /// The database in the role that owns the tables; `None` = migrated by somebody else.
        owner: Option<Secret>,
    },
}

/// Says why the program cannot begin.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The folder of the state could not be made.
    #[error("could not make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the machine says.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("could not open the database")]
    Store(#[from] StoreError),
    /// The vault cannot be used.
    #[error("could not open the vault")]
    Vault(#[from] VaultError),
    /// The address of Redis cannot be used. It may hold a password, so it is not repeated.
    #[error("could not set up Redis: {}", .0.category())]
    Redis(#[from] redis::RedisError),
    /// The settings of the mail server cannot be used.
    #[error("could not set up e-mail")]
    Mail(#[from] MailError),
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

impl EngineError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        Fault::Gateway
    }
}

/// Every shared part of the program.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

/// The parts, as fields of an [`Engine`].
#[expect(missing_docs, reason = "each part is described by its room")]
pub struct Parts {
    pub clock: Clock,
    pub store: Store,
    pub vault: Vault,
    pub changes: Changes,
    pub replicas: Replicas,
    pub metrics: Metrics,
    pub audit: Audit,
    pub notary: Notary,
    pub exporter: Exporter,
    pub otlp: Otlp,
    pub identity: Identity,
    pub orgs: Orgs,
    pub quota: Quota,
    pub once: Once,
    pub upstreams: Upstreams,
    pub connections: Connections,
    pub sources: Sources,
    pub presets: Presets,
    pub issuer: Issuer,
    pub warnings: Warnings,
    pub plan_changes: PlanChanges,
    pub explain: Explain,
    pub proxy: Proxy,
    pub analyses: Analyses,
    pub jobs: Jobs,
}

impl Deref for Engine {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Engine {
    /// Opens database and vault and builds every part. Nothing runs in the background yet.
    pub async fn open(settings: EngineSettings, clock: Clock) -> Result<Self, EngineError> {
        let store = match &settings.database {
            Database::Sqlite(path) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)
                        .map_err(|source| EngineError::Folder { path: folder.to_owned(), source })?;
                }
                Store::open_sqlite(path).await?
            }
            Database::Postgres { app, owner } => Store::open_postgres(app, owner.as_ref()).await?,
        };
        let vault = Vault::open(store.clone(), settings.vault_key).await?;
        let changes = Changes::new();
        let replicas = Replicas::new(ReplicaParts {
            store: store.clone(),
            changes: changes.clone(),
            clock: clock.clone(),
            keys: vault.derive(replicas::KEY_PURPOSE),
        })
        .map_err(EngineError::Random)?;
        replicas.relay_changes();
        let metrics = Metrics::new(store.clone());
        let audit = Audit::new(store.clone(), metrics.clone());
        let notary = Notary::new(store.clone(), vault.clone(), audit.clone(), clock.clone());
        let egress = Egress::new(settings.egress, settings.egress_limits);
        let exporter = Exporter::new(
            store.clone(),
            notary.clone(),
            egress.with_own_pool(),
            clock.clone(),
            settings.audit_export,
        );
        let otlp = Otlp::new(store.clone(), egress.with_own_pool(), clock.clone(), settings.otlp_logs);
        let identity = Identity::new(
            store.clone(),
            audit.clone(),
            changes.clone(),
            clock.clone(),
            egress.with_own_pool(),
            vault.clone(),
            settings.identity,
        );
        let quota = match &settings.redis {
            None => Quota::new(store.clone(), &changes, clock.clone(), settings.rates),
            Some(redis) => Quota::sharing(store.clone(), &changes, clock.clone(), settings.rates, redis)?,
        };
        let once = Once::new(store.clone(), vault.clone(), clock.clone(), settings.calls_kept);
        let upstreams = Upstreams::with_insides(
            egress.clone(),
            clock.clone(),
            settings.upstream,
            Some(Arc::new(Providers::new(clock.clone(), settings.analyses.thresholds.clone()))),
        );
        let connections = Connections::new(
            store.clone(),
            vault.clone(),
            egress.clone(),
            clock.clone(),
            changes.clone(),
            settings.own_names,
        );
        let sources = Sources::new(
            store.clone(),
            vault.clone(),
            upstreams.clone(),
            connections.clone(),
            audit.clone(),
            clock.clone(),
            settings.sources,
            changes.clone(),
        );
        let mail = Mail::new(settings.mail)?;
        let orgs = Orgs::new(
            store.clone(),
            audit.clone(),
            changes.clone(),
            mail.clone(),
            clock.clone(),
            upstreams.clone(),
        );
        let presets =
            Presets::new(store.clone(), sources.clone(), clock.clone(), changes.clone(), mail.clone());
        let plan_changes = PlanChanges::new(
            store.clone(),
            audit.clone(),
            changes.clone(),
            clock.clone(),
            settings.plan_webhook_secret,
        );
        let warnings = Warnings::new(store.clone(), mail, egress.clone(), clock.clone(), settings.warnings);
        let explain =
            Explain::new(store.clone(), sources.clone(), presets.clone(), quota.clone(), clock.clone());
        let parts = AnalysisParts {
            store: store.clone(),
            sources: sources.clone(),
            metrics: metrics.clone(),
            egress: egress.with_own_pool(),
            clock: clock.clone(),
        };
        let analyses = Analyses::new(parts, settings.analyses);
        let issuer = Issuer::new(
            store.clone(),
            identity.clone(),
            presets.clone(),
            audit.clone(),
            changes.clone(),
            clock.clone(),
            &vault,
            egress,
        );
        let parts = ProxyParts {
            identity: identity.clone(),
            presets: presets.clone(),
            sources: sources.clone(),
            quota: quota.clone(),
            once: once.clone(),
            audit: audit.clone(),
            analyst: Arc::new(analyses.clone()),
            changes: changes.clone(),
            replicas: replicas.clone(),
            clock: clock.clone(),
            keys: vault.derive(proxy::KEY_PURPOSE),
        };
        let proxy = Proxy::new(parts, settings.proxy);
        let jobs = Jobs::default();
        Ok(Self(Arc::new(Parts {
            clock,
            store,
            vault,
            changes,
            replicas,
            metrics,
            audit,
            notary,
            exporter,
            otlp,
            identity,
            orgs,
            quota,
            once,
            upstreams,
            connections,
            sources,
            presets,
            issuer,
            warnings,
            plan_changes,
            explain,
            proxy,
            analyses,
            jobs,
        })))
    }

    /// Starts the background work. Called once; [`Engine::stop`] ends it.
    pub fn start(&self) {
        let audit = self.audit.clone();
        self.jobs.writer(async move |stop| audit.run(stop).await);
        if self.replicas.are_possible() {
            let replicas = self.replicas.clone();
            self.jobs.writer(async move |stop| replicas.speak(stop).await);
            let replicas = self.replicas.clone();
            self.jobs.worker(async move |stop| replicas.hear(stop).await);
            let replicas = self.replicas.clone();
            self.jobs.every(replicas::BEAT, move || {
                let replicas = replicas.clone();
                async move { log_failure("the sign of life", replicas.beat().await) }
            });
            let audit = self.audit.clone();
            self.jobs.every(audit::LOOK_PAUSE, move || {
                let audit = audit.clone();
                async move { log_failure("the live tails", audit.look_at_others().await) }
            });
        }
        let identity = self.identity.clone();
        self.jobs.every(KEYS_PAUSE, move || {
            let identity = identity.clone();
            async move { log_failure("the keys' last use", identity.flush_used().await) }
        });
        let (identity, replicas) = (self.identity.clone(), self.replicas.clone());
        self.jobs.every(ATTEMPTS_PAUSE, move || {
            let (identity, replicas) = (identity.clone(), replicas.clone());
            async move {
                if has_turn(&replicas, "attempts", ATTEMPTS_PAUSE).await {
                    log_failure("the attempts to sign in", identity.forget_old_attempts().await);
                }
            }
        });
        let quota = self.quota.clone();
        self.jobs.every(QUOTA_PAUSE, move || {
            let quota = quota.clone();
            async move { log_failure("the quota counters", quota.flush().await) }
        });
        let sources = self.sources.clone();
        self.jobs.every(SOURCES_PAUSE, move || {
            let sources = sources.clone();
            async move { log_failure("the sources' health", sources.check_due().await) }
        });
        let connections = self.connections.clone();
        self.jobs.every(CONNECTIONS_PAUSE, move || {
            let connections = connections.clone();
            async move { log_failure("the tokens of connections", connections.renew_due().await) }
        });
        let (warnings, replicas) = (self.warnings.clone(), self.replicas.clone());
        self.jobs.every(WARNINGS_PAUSE, move || {
            let (warnings, replicas) = (warnings.clone(), replicas.clone());
            async move {
                if has_turn(&replicas, "warnings", WARNINGS_PAUSE).await {
                    log_failure("the warnings", warnings.tell().await.map(drop));
                }
            }
        });
        let plan_changes = self.plan_changes.clone();
        self.jobs.every(PLAN_CHANGES_PAUSE, move || {
            let plan_changes = plan_changes.clone();
            async move { log_failure("the changes of plans", plan_changes.apply_due().await) }
        });
        let analyses = self.analyses.clone();
        self.jobs.every(ANALYSES_PAUSE, move || {
            let analyses = analyses.clone();
            async move { log_failure("the end of analyses", analyses.end_all_lost().await) }
        });
        let audit = self.audit.clone();
        self.jobs.every(PACK_PAUSE, move || {
            let audit = audit.clone();
            async move { log_failure("the blocks of old events", audit.pack_old().await) }
        });
        let notary = self.notary.clone();
        self.jobs.every(CHECKPOINTS_PAUSE, move || {
            let notary = notary.clone();
            async move { log_failure("the checkpoints of the audit log", notary.sign_due().await) }
        });
        if self.exporter.is_on() {
            let exporter = self.exporter.clone();
            self.jobs.every(EXPORTS_PAUSE, move || {
                let exporter = exporter.clone();
                async move { log_failure("the exports of the audit log", exporter.export_due().await) }
            });
        }
        if self.otlp.is_on() {
            let (otlp, replicas) = (self.otlp.clone(), self.replicas.clone());
            self.jobs.every(audit::SEND_PAUSE, move || {
                let (otlp, replicas) = (otlp.clone(), replicas.clone());
                async move {
                    if has_turn(&replicas, "logs", LOGS_TURN).await {
                        log_failure("the events sent as logs", otlp.send_due().await);
                    }
                }
            });
        }
        let (upstreams, proxy) = (self.upstreams.clone(), self.proxy.clone());
        self.jobs.every(IDLE_PAUSE, move || {
            upstreams.end_idle();
            proxy.end_idle();
            async {}
        });
        let engine = self.clone();
        self.jobs.every(RETENTION_PAUSE, move || {
            let (store, now) = (engine.store.clone(), engine.clock.now());
            let (identity, issuer) = (engine.identity.clone(), engine.issuer.clone());
            let (connections, presets) = (engine.connections.clone(), engine.presets.clone());
            let (warnings, once) = (engine.warnings.clone(), engine.once.clone());
            let replicas = engine.replicas.clone();
            let plan_changes = engine.plan_changes.clone();
            let are_exported = engine.exporter.is_on();
            async move {
                if !has_turn(&replicas, "retention", RETENTION_PAUSE).await {
                    return;
                }
                log_failure("the replicas of long ago", replicas.forget_old().await);
                log_failure("the retention", audit::retain(&store, now, are_exported).await);
                log_failure("the ended invitations", presets.remove_ended_invites().await);
                log_failure("the calls made once", once.forget_ended().await);
                log_failure("the old warnings", warnings.forget_old().await);
                log_failure("the old changes of plans", plan_changes.forget_old().await);
                log_failure("the ended offers", presets.remove_ended_transfers().await);
                log_failure("the ended browser sessions", identity.remove_ended_sessions().await);
                log_failure("the ended logins", identity.remove_ended_logins().await);
                log_failure("the passkeys not made in time", identity.remove_ended_passkeys().await);
                log_failure("the ended tokens", issuer.remove_ended().await);
                log_failure("the sign-ins that were given up", connections.remove_late().await);
            }
        });
    }

    /// Ends everything in order: analyses first, so that each is told why, then links, so that no call is
    /// under way, then the work in the background, then the counters, then the database.
    pub async fn stop(&self) {
        self.analyses.stop().await;
        self.upstreams.shutdown().await;
        self.jobs.end().await;
        log_failure("the keys' last use", self.identity.flush_used().await);
        log_failure("the quota counters", self.quota.give_back().await);
        log_failure("the farewell to the other replicas", self.replicas.leave().await);
        self.store.close().await;
    }

    /// Returns what is worth watching beside the calls, for [`Metrics::text`].
    pub fn gauges(&self) -> Vec<Gauge> {
        vec![
            Gauge {
                name: "audit_waiting",
                help: "Run events that wait for their commit.",
                value: self.audit.waiting() as f64,
            },
            Gauge {
                name: "audit_lost",
                help: "Run events that came when the log had ended already.",
                value: self.audit.dropped() as f64,
            },
            Gauge {
                name: "audit_export_failing",
                help: "Organisations whose audit log could not be exported the last time it was tried.",
                value: self.exporter.failing() as f64,
            },
            Gauge {
                name: "otlp_logs_sent",
                help: "Run events sent as logs since the start.",
                value: self.otlp.sent() as f64,
            },
            Gauge {
                name: "otlp_logs_dropped",
                help: "Run events that the collector of logs refused, or that retention took before, since the start.",
                value: self.otlp.dropped() as f64,
            },
            Gauge {
                name: "otlp_logs_failing",
                help: "Whether the collector of logs did not take what it was sent last.",
                value: f64::from(u8::from(self.otlp.is_failing())),
            },
            Gauge {
                name: "too_fast",
                help: "Calls and requests refused by a rate limit since the start.",
                value: self.quota.too_fast() as f64,
            },
            Gauge {
                name: "redis_away",
                help: "Whether Redis did not answer the last time it was asked.",
                value: f64::from(u8::from(self.quota.redis_is_away())),
            },
            self.analyses.gauge(),
        ]
    }
}

/// Says whether this process is the one that does a piece of work for all, this time. Whoever had the turn keeps it
/// while it comes back in time.
async fn has_turn(replicas: &Replicas, work: &str, pause: Duration) -> bool {
    match replicas.take_turn(work, pause + pause / 2).await {
        Ok(has_turn) => has_turn,
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not ask whose turn it is: {work}"
            );
            false
        }
    }
}

fn log_failure<T, E: std::error::Error + 'static>(what: &str, result: Result<T, E>) {
    if let Err(error) = result {
        tracing::warn!(error = &error as &dyn std::error::Error, "{what} could not be written: {error}");
    }
}
