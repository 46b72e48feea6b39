//! Listens: accepts connections, hands their requests to the routes, and ends in order.
//!
//! Never looks into a request. What it promises: small answers leave at once (TCP_NODELAY), slow
//! or endless headers do not hold a place, a connection that is kept is kept longer than its other side keeps it, no more
//! connections than the settings say, and after a request to stop no new ones, while those under way may finish until the
//! deadline. Before that it may take its leave: each answer says that its connection closes, so that a balancer in front
//! goes elsewhere and none of its requests meets a closed door.

mod closing;
mod patience;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use doorward::joined::Joined;
use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use self::patience::patient;
use crate::door::Answers;

/// How long a connection is kept at most: moments farther away than the clock goes are none.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long to wait when the system has no room for another connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How a listener ends; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// From when on each answer is the last of its connection.
    pub leaving: CancellationToken,
    /// From when on no connection is taken.
    pub stop: CancellationToken,
    /// From when on connections that have no request are closed.
    pub shut: CancellationToken,
}

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections may be open at once.
    pub connections_max: usize,
    /// How long a connection is kept for its next request.
    pub keep_alive: Duration,
    /// How long connections may take to end after a request to stop.
    pub drain: Duration,
}

/// Serves until it is to stop, and then until every connection has ended or the time for that is over.
pub async fn serve(listener: TcpListener, door: impl Answers, limits: Limits, ending: Ending) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let connections = GracefulShutdown::new();
    let take = |stream, peer| {
        let leaving = ending.leaving.clone();
        connections.watch(connection(stream, peer, door.clone(), limits.keep_alive, leaving))
    };
    {
        let mut closed = pin!(closing::closed(&listener, &ending.stop));
        loop {
            let (place, stream, peer) = tokio::select! {
                () = &mut closed => break,
                next = next(&listener, &places) => next,
            };
            let connection = take(stream, peer);
            tokio::spawn(async move {
                // A connection that breaks is the caller's matter; what was under way has noted it.
                let _ = connection.await;
                drop(place);
            });
        }
    }
    for (stream, peer) in closing::close(listener) {
        let connection = take(stream, peer);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    ending.shut.cancelled().await;
    tokio::select! {
        () = connections.shutdown() => {}
        () = tokio::time::sleep(limits.drain) => tracing::warn!("connections were still open at the deadline"),
    }
}

/// Takes the next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes it");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (place, stream, peer),
            Err(error) => after_failed_accept(&error).await,
        }
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    door: impl Answers,
    keep_alive: Duration,
    leaving: CancellationToken,
) -> impl hyper_util::server::graceful::GracefulConnection {
    // Without it every second small answer waits 40 ms for the caller's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("could not switch off delays: {error}");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let (door, leaving) = (door.clone(), leaving.clone());
        async move {
            // Boxed, so that a stream that stays open for hours does not hold on to the room of finding its answer.
            let mut response = Box::pin(door.answer(peer, request)).await;
            if leaving.is_cancelled() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let (stream, heads) = patient(TokioIo::new(stream));
    http1::Builder::new()
        .timer(heads)
        .header_read_timeout(keep_alive.min(KEEP_ALIVE_MAX))
        .serve_connection(Joined::new(stream), service)
}

async fn after_failed_accept(error: &io::Error) {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !gone {
        tracing::error!("could not accept a connection: {error}");
        tokio::time::sleep(ACCEPT_AGAIN).await;
    }
}

/// Hears when the process is asked to stop (SIGTERM, SIGINT), from the moment it is made.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns when the process is asked to stop.
    pub async fn heard(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
