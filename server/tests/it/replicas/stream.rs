//! A stream of server-sent events from one of the processes.

use axum::body::Body;
use futures::StreamExt as _;
use http::{Request, StatusCode};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use serde_json::Value;

use crate::running::{Door, PATIENCE};

/// Events as they come. Closed when dropped.
pub(crate) struct Stream {
    pieces: BodyDataStream<Incoming>,
    text: String,
}

/// One event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Stream {
    pub(crate) async fn open(door: &Door, request: Request<Body>) -> Self {
        let response = door.open(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { pieces: BodyDataStream::new(response.into_body()), text: String::new() }
    }

    /// Returns the next event that says something; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(str::trim_start).unwrap_or_default().to_owned()
                };
                let event = Event { id: field("id:"), data: field("data:") };
                self.text = rest.to_owned();
                if !event.id.is_empty() || !event.data.is_empty() {
                    return Some(event);
                }
            }
            let piece = tokio::time::timeout(PATIENCE, self.pieces.next()).await.expect("news in time");
            self.text.push_str(std::str::from_utf8(&piece?.ok()?).unwrap());
        }
    }

    /// Returns the next message of MCP, with the id of its event.
    pub(crate) async fn message(&mut self) -> (Value, String) {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if !event.data.is_empty() {
                return (serde_json::from_str(&event.data).unwrap(), event.id);
            }
        }
    }
}
