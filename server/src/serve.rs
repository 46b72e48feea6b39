//! Listens: accepts connections, hands their requests to the routes, and ends in order.
//!
//! Never looks into a request. What it promises: small answers leave at once (TCP_NODELAY), slow
//! or endless headers do not hold a place, no more connections than the settings say, and after a
//! request to stop no new ones, while those under way may finish until the deadline. Before that it may take its leave:
//! each answer says that its connection closes, so that a balancer in front goes elsewhere and none of its requests
//! meets a closed door.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use doorward::joined::Joined;
use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::door::Answers;

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

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

/// Serves until it is to stop, and then until every connection has ended or `drain` is over.
pub async fn serve(
    listener: TcpListener,
    door: impl Answers,
    connections_max: usize,
    ending: Ending,
    drain: Duration,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    let connections = GracefulShutdown::new();
    let take =
        |stream, peer| connections.watch(connection(stream, peer, door.clone(), ending.leaving.clone()));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = ending.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                after_failed_accept(&error).await;
                continue;
            }
        };
        let connection = take(stream, peer);
        tokio::spawn(async move {
            // A connection that breaks is the caller's matter; what was under way has noted it.
            let _ = connection.await;
            drop(place);
        });
    }
    for (stream, peer) in rest(listener) {
        let connection = take(stream, peer);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    ending.shut.cancelled().await;
    tokio::select! {
        () = connections.shutdown() => {}
        () = tokio::time::sleep(drain) => tracing::warn!("connections were still open at the deadline"),
    }
}

/// Closes a listener and returns the connections that the system had taken in for it: to close on them would lose
/// requests that were sent.
fn rest(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut rest = Vec::new();
    if let Ok(listener) = listener.into_std() {
        // It does not block, so that the first error is that there are no more.
        while let Ok((stream, peer)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            rest.extend(stream.map(|stream| (stream, peer)));
        }
    }
    rest
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    door: impl Answers,
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
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(Joined::new(TokioIo::new(stream)), service)
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
