//! Connections without TLS and their coming back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::{Egress, EgressError, EgressLimits, EgressPolicy, read_body};

/// A server of a few lines that counts its connections and answers each request by its path.
struct Server {
    uri: Uri,
    connections: Arc<AtomicUsize>,
    /// Told when a connection has ended.
    ended: Arc<Notify>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = Self { uri, connections: Arc::default(), ended: Arc::default() };
        let (connections, ended) = (Arc::clone(&server.connections), Arc::clone(&server.ended));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let ended = Arc::clone(&ended);
                tokio::spawn(async move {
                    answer(stream).await;
                    ended.notify_one();
                });
            }
        });
        server
    }

    async fn ask(&self, egress: &Egress, path: &str) -> Result<super::Answered, EgressError> {
        let uri = format!("{}{}", self.uri.to_string().trim_end_matches('/'), path).parse().unwrap();
        let make = |uri: &Uri| Request::get(uri).body(Full::<Bytes>::default()).unwrap();
        egress.request(&uri, make, Duration::from_secs(20)).await
    }

    async fn text(&self, egress: &Egress, path: &str) -> String {
        let body = self.ask(egress, path).await.unwrap().response.into_body();
        String::from_utf8(read_body(body, 1024).await.unwrap().to_vec()).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Answers requests until the path says otherwise or the other side goes.
async fn answer(mut stream: TcpStream) {
    let mut heard = Vec::new();
    loop {
        while !heard.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let request = String::from_utf8(std::mem::take(&mut heard)).unwrap();
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let text = if request.starts_with("GET /whole ") {
            let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{host}", host.len())
        } else if request.starts_with("GET /last ") {
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast".to_owned()
        } else if request.starts_with("GET /marked ") {
            format!("{head}4\r\ntext\r\n0\r\n\r\n")
        } else {
            format!("{head}4\r\ntext\r\n")
        };
        if stream.write_all(text.as_bytes()).await.is_err() || request.starts_with("GET /last ") {
            return;
        }
    }
}

fn egress(limits: EgressLimits) -> Egress {
    Egress::new(EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()] }, limits)
}

#[tokio::test]
async fn a_connection_is_used_again_once_its_answer_was_read() {
    let (server, egress) = (Server::start().await, egress(EgressLimits::default()));

    let hosts = [server.text(&egress, "/whole").await, server.text(&egress, "/whole").await];
    let host = server.uri.authority().unwrap().as_str();
    assert_eq!((hosts, server.connections()), ([host.to_owned(), host.to_owned()], 1));

    let (one, two) = (server.ask(&egress, "/marked").await, server.ask(&egress, "/marked").await);
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(server.connections(), 2, "one whose answer is not read yet is not shared");
}

#[tokio::test]
async fn what_the_other_side_has_closed_is_not_used() {
    let (server, egress) = (Server::start().await, egress(EgressLimits::default()));

    assert_eq!(server.text(&egress, "/last").await, "last");
    server.ended.notified().await;

    assert_eq!(server.text(&egress, "/marked").await, "text");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_given_up_in_its_middle_ends_its_connection() {
    let (server, egress) = (Server::start().await, egress(EgressLimits::default()));

    drop(server.ask(&egress, "/endless").await.unwrap());

    server.ended.notified().await;
    assert_eq!(server.text(&egress, "/marked").await, "text");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_in_time() {
    let limits = EgressLimits { idle_timeout: Duration::from_millis(20), ..EgressLimits::default() };
    let (server, egress) = (Server::start().await, egress(limits));

    assert_eq!(server.text(&egress, "/marked").await, "text");
    server.ended.notified().await;

    assert_eq!((server.text(&egress, "/marked").await.as_str(), server.connections()), ("text", 2));
}

#[tokio::test]
async fn a_pool_of_its_own_closes_its_connections_with_it() {
    let (server, egress) = (Server::start().await, egress(EgressLimits::default()).with_own_pool());

    assert_eq!(server.text(&egress, "/marked").await, "text");
    drop(egress);

    server.ended.notified().await;
}
