//! A door that closes while callers come, again and again.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream as Caller,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::body::Body;
use http::Response;

use super::*;
use crate::door::Reply;

/// So many that the flaw shows: of doors that close at once, one in fifteen loses somebody.
const DOORS: usize = 100;
const CALLERS: usize = 4;

/// How long a caller waits to be let in.
const PATIENCE: Duration = Duration::from_millis(25);

#[derive(Clone)]
struct Says;

impl Answers for Says {
    async fn answer<B>(&self, _: SocketAddr, _: Request<B>) -> Response<Reply>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        Response::new(Reply::Page(Body::from("here")))
    }
}

/// What callers saw of one door.
#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    lost: AtomicUsize,
}

impl Seen {
    /// Calls until nobody opens. That is no loss: who is not let in has sent nothing, and goes elsewhere.
    fn call(&self, address: SocketAddr) {
        while let Ok(mut caller) = Caller::connect_timeout(&address, PATIENCE) {
            let mut answer = Vec::new();
            let sent = caller
                .write_all(b"POST / HTTP/1.1\r\nhost: d\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            match sent.and_then(|()| caller.read_to_end(&mut answer)) {
                Ok(_) if answer.ends_with(b"here") => self.answered.fetch_add(1, SeqCst),
                _ => self.lost.fetch_add(1, SeqCst),
            };
        }
    }
}

fn limits(connections_max: usize) -> Limits {
    Limits { connections_max, keep_alive: Duration::from_secs(60), drain: Duration::from_secs(60) }
}

/// Opens a door, lets it close while callers come, and returns how many were answered and how many were lost.
async fn closed_once() -> (usize, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ending, seen) = (Ending::default(), Arc::new(Seen::default()));
    let served = tokio::spawn(serve(listener, Says, limits(64), ending.clone()));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let seen = Arc::clone(&seen);
            tokio::task::spawn_blocking(move || seen.call(address))
        })
        .collect();
    while seen.answered.load(SeqCst) < 5 * CALLERS {
        tokio::task::yield_now().await;
    }

    ending.stop.cancel();
    for caller in callers {
        caller.await.unwrap();
    }
    ending.shut.cancel();
    served.await.unwrap();
    (seen.answered.load(SeqCst), seen.lost.load(SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_closes_loses_nothing_that_was_sent() {
    for door in 0..DOORS {
        let (answered, lost) = closed_once().await;
        assert!(answered >= 5 * CALLERS);
        assert_eq!(lost, 0, "at door {door}, of {answered} answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test is a caller")]
async fn a_door_without_a_place_left_closes_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ending = Ending::default();
    let served = tokio::spawn(serve(listener, Says, limits(1), ending.clone()));
    let kept = tokio::task::spawn_blocking(move || {
        let mut caller = Caller::connect(address).unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\nhost: d\r\n\r\n").unwrap();
        assert!(caller.read(&mut [0; 512]).unwrap() > 0);
        caller
    });
    let mut kept = kept.await.unwrap();

    ending.stop.cancel();
    ending.shut.cancel();
    served.await.unwrap();

    assert_eq!(kept.read(&mut [0; 512]).unwrap(), 0, "it was closed");
}
