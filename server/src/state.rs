//! What every route is given: the engine, the settings, and what is made of them once.

use std::{net::IpAddr, sync::Arc, time::Duration};

use app::context::{Console, ConsoleSettings};
use axum::extract::FromRef;
use doorward::{
    egress::{EgressLimits, EgressPolicy},
    engine::{Database, Engine, EngineSettings},
    identity::IdentitySettings,
    insights::AnalysisSettings,
    oauth::OwnNames,
    proxy::ProxySettings,
    sources::SourceSettings,
    tunnel::TunnelLimits,
    upstream::UpstreamLimits,
    vault::KeySource,
};
use http::HeaderMap;
use leptos::config::LeptosOptions;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    apply::Rooms,
    config::{Settings, search_path},
    layers::{Doorkeeper, Names, Peer, client_address},
    prefix::Prefix,
    routes::assets,
};

/// The state of the routes; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: Settings,
    keeper: Arc<Doorkeeper>,
    console: Arc<ConsoleSettings>,
    leptos: LeptosOptions,
    tails: Arc<Semaphore>,
    stopping: CancellationToken,
}

/// How many live tails may be open at once.
const TAILS_MAX: usize = 512;

impl AppState {
    /// Makes the state of an engine and the settings it was opened with. Streams end when
    /// `stopping` is cancelled.
    pub fn new(engine: Engine, settings: Settings, stopping: CancellationToken) -> Self {
        let https = settings.is_https();
        let keeper = Arc::new(Doorkeeper {
            names: Names::new(&settings),
            https,
            trusted_proxies: settings.trusted_proxies.0.clone(),
            body_timeout: Duration::from_millis(settings.body_timeout_ms),
        });
        let prefix = Prefix::of(settings.public_url.as_ref());
        let console = Arc::new(ConsoleSettings {
            public_gallery: settings.public_gallery,
            base_url: settings.base_url(),
            public_url: settings.public_base(),
            base_path: prefix.map_or_else(String::new, |prefix| prefix.as_str().to_owned()),
            https,
            stylesheet: assets::SHEET_PATH.clone(),
        });
        let (leptos, tails) = (leptos_options(), Arc::new(Semaphore::new(TAILS_MAX)));
        Self(Arc::new(Inner { engine, settings, keeper, console, leptos, tails, stopping }))
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns what the layers need to know.
    pub fn keeper(&self) -> &Arc<Doorkeeper> {
        &self.0.keeper
    }

    /// Returns the name of the cookie of a browser session.
    pub fn cookie_name(&self) -> &'static str {
        if self.0.keeper.https { "__Host-doorward" } else { "doorward" }
    }

    /// Returns the caller's address.
    pub fn address(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        client_address(&self.0.keeper.trusted_proxies, peer.0.ip(), headers)
    }

    /// Returns the places for live tails.
    pub fn tails(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.tails)
    }

    /// Returns what is cancelled when the program is asked to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Returns the parts that the console sees.
    pub fn console(&self) -> Console {
        Console { engine: self.0.engine.clone(), settings: Arc::clone(&self.0.console) }
    }

    /// Returns the rooms that documents are applied to.
    pub fn rooms(&self) -> Rooms {
        rooms(&self.0.engine)
    }
}

/// Returns the rooms that documents are applied to.
pub fn rooms(engine: &Engine) -> Rooms {
    Rooms {
        identity: engine.identity.clone(),
        orgs: engine.orgs.clone(),
        sources: engine.sources.clone(),
        presets: engine.presets.clone(),
        clock: engine.clock.clone(),
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.0.leptos.clone()
    }
}

/// Without an output name pages ask for no script, which is right when no islands were built.
fn leptos_options() -> LeptosOptions {
    let output_name = if assets::ISLANDS.is_empty() { "" } else { "app" };
    LeptosOptions::builder().output_name(output_name).site_pkg_dir(assets::ISLANDS).build()
}

/// Returns what the engine needs to know of the settings.
pub fn engine_settings(settings: &Settings) -> EngineSettings {
    let database = match &settings.database_url {
        Some(app) => Database::Postgres { app: app.clone(), owner: settings.database_owner_url.clone() },
        None => Database::Sqlite(settings.sqlite_path()),
    };
    let vault_key = match &settings.vault_key {
        Some(key) => KeySource::Settings(key.clone()),
        None => KeySource::File(settings.vault_key_path()),
    };
    let upstream = UpstreamLimits::default();
    EngineSettings {
        database,
        vault_key,
        egress: EgressPolicy { allow: settings.egress_ranges() },
        egress_limits: EgressLimits {
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            ..EgressLimits::default()
        },
        upstream: UpstreamLimits {
            answer_bytes_max: as_usize(settings.response_bytes_max),
            processes_max: as_usize(settings.stdio_processes_max),
            process_idle: Duration::from_secs(settings.stdio_idle_secs),
            working_dirs: settings.data_dir.join("work"),
            tunnel: TunnelLimits {
                read_ahead_bytes: TunnelLimits::ahead_of(as_usize(settings.response_bytes_max)),
                passwords: settings.tunnel_passwords,
                known_hosts: settings
                    .tunnel_known_hosts
                    .as_ref()
                    .map(|file| file.known_hosts.clone())
                    .unwrap_or_default(),
                ..upstream.tunnel
            },
            program_path: search_path().unwrap_or(upstream.program_path),
            ..upstream
        },
        own_names: OwnNames::at(&settings.base_url())
            .expect("the settings hold an address, or a host and port"),
        identity: IdentitySettings {
            login_providers: settings
                .logins_file
                .as_ref()
                .map_or_else(Vec::new, |file| file.providers.clone()),
            sign_up: settings.sign_up.clone(),
            base_url: settings.base_url(),
            ..IdentitySettings::default()
        },
        sources: SourceSettings::default(),
        rates: settings.rates(),
        calls_kept: Duration::from_secs(settings.retries_kept_secs),
        // What does not fit was refused when the settings were read.
        redis: settings.redis().unwrap_or_default(),
        // What does not fit was refused when the settings were read.
        mail: settings.mail().unwrap_or_default(),
        warnings: settings.warnings().unwrap_or_default(),
        plan_webhook_secret: settings.plan_webhook_secret.clone(),
        audit_export: settings.audit_export().unwrap_or_default(),
        otlp_logs: settings.otlp_logs().unwrap_or_default(),
        analyses: AnalysisSettings {
            deadline: Duration::from_millis(settings.analysis_timeout_ms),
            // What does not fit was refused when the settings were read.
            model: settings.model().unwrap_or_default(),
            thresholds: settings
                .analysis_thresholds_file
                .as_ref()
                .map(|file| file.thresholds.clone())
                .unwrap_or_default(),
        },
        proxy: ProxySettings {
            base_url: settings.base_url(),
            public_url: settings.public_base(),
            allowed_origins: settings.allowed_origins.0.clone(),
            request_bytes_max: as_usize(settings.request_bytes_max),
            call_timeout_ms: settings.call_timeout_ms,
        },
    }
}

/// Returns a bound as the machine counts; one beyond what it can count is no bound.
pub fn as_usize(bound: u64) -> usize {
    usize::try_from(bound).unwrap_or(usize::MAX)
}
