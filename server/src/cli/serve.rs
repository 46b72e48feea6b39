//! `doorward serve`: opens everything, serves until asked to stop, and ends in order.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use doorward::{clock::Clock, engine::Engine};
use thiserror::Error;
use tokio::net::TcpListener;

use super::{CommandResult, Context, installation::Hold};
use crate::{
    config::{MetricsListen, Settings},
    door::Door,
    logging,
    reach::own_address,
    routes,
    serve::{Ending, Limits, StopSignals, serve},
    state::{AppState, as_usize, engine_settings},
};

/// Says why an address cannot be listened on.
#[derive(Debug, Error)]
#[error("could not listen on {address}")]
struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// How long a process that leaves others behind goes on taking connections, until those of a balancer are elsewhere.
const LEAVE: Duration = Duration::from_millis(1500);
/// How long it then answers what the others handed on before they heard that it leaves, and how long the last connections
/// it took have for their request.
const FAREWELL: Duration = Duration::from_millis(500);

/// How many connections the listener of metrics takes.
const METRICS_CONNECTIONS_MAX: usize = 16;

pub(super) async fn run(context: &Context) -> CommandResult {
    let settings = context.load()?.settings;
    logging::start(&settings.log, settings.log_format);
    // Before anything that must be ended in order.
    let mut signals = StopSignals::listen()?;
    let hold = Hold::take(&settings)?;
    let engine = Engine::open(engine_settings(&settings), Clock::system()).await?;
    settings.check_open_door(!engine.identity.setup_needed().await?)?;
    let listener = listen(settings.listen).await?;
    let metrics = metrics_listener(&settings).await?;

    let ending = Ending::default();
    let state = AppState::new(engine.clone(), settings.clone(), ending.stop.clone());
    engine.start();
    let limits = Limits {
        connections_max: as_usize(settings.connections_max),
        keep_alive: settings.keep_alive(),
        drain: settings.drain(),
    };
    let metrics = metrics.map(|listener| {
        let router = routes::metrics_router(state.clone());
        let limits = Limits { connections_max: METRICS_CONNECTIONS_MAX, ..limits };
        tokio::spawn(serve(listener, router, limits, ending.clone()))
    });
    let address = listener.local_addr()?;
    if let Some(address) = own_address(&settings, address) {
        engine.replicas.join(&address).await?;
    }
    greet(&engine, &settings, address).await?;
    let served = tokio::spawn(serve(listener, Door::new(state), limits, ending.clone()));

    signals.heard().await;
    tracing::info!("stopping: no new connections, {} s for those under way", settings.drain_secs);
    ending.leaving.cancel();
    let has_others = !engine.replicas.others().is_empty();
    if has_others {
        tokio::time::sleep(LEAVE).await;
        if let Err(error) = engine.replicas.leave().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not tell the other replicas");
        }
        tokio::time::sleep(FAREWELL).await;
    }
    // First the callers, since their calls need everything else; then the engine, which writes what
    // they did; last the hold, so that no other process begins before that.
    engine.proxy.drain();
    ending.stop.cancel();
    if has_others {
        tokio::time::sleep(FAREWELL).await;
    }
    ending.shut.cancel();
    served.await?;
    if let Some(metrics) = metrics {
        metrics.await?;
    }
    engine.stop().await;
    drop(hold);
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Returns the listener of metrics. One that nobody asked for and that is taken is done without.
async fn metrics_listener(settings: &Settings) -> Result<Option<TcpListener>, ListenError> {
    let MetricsListen::Own(address) = settings.metrics_listen else { return Ok(None) };
    match listen(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if settings.metrics_listen == Settings::defaults().metrics_listen => {
            tracing::warn!("no metrics: {error}: {}", error.source);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Says where it is, and how to begin.
async fn greet(engine: &Engine, settings: &Settings, address: SocketAddr) -> CommandResult {
    let base = match &settings.public_url {
        Some(_) => settings.base_url(),
        None => format!("http://{address}"),
    };
    println!("Doorward listens on http://{address}");
    if let Some(token) = engine.identity.setup_token().await? {
        println!("Make the owner account: {base}/setup?token={}", token.expose());
    } else if settings.public_url.is_some() {
        println!("Its address is {base}");
    }
    tracing::info!(%address, "serving");
    Ok(ExitCode::SUCCESS)
}
