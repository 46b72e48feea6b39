//! Callers that go on calling while something happens.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use http::StatusCode;
use serde_json::json;

use super::{
    calls::{begin, in_session, upstream},
    scene::Scene,
};
use crate::{call::Call, running::until, world::Answer};

/// Callers of both eras, one call after another.
pub(crate) struct Load {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    calls: AtomicUsize,
    failed: AtomicUsize,
    ends: AtomicBool,
}

impl Load {
    pub(crate) async fn begin(scene: &Scene, key: &str, callers: usize) -> Self {
        let counts = Arc::new(Counts::default());
        let mut tasks = Vec::new();
        for number in 0..callers {
            let session = if number % 2 == 0 { Some(begin(&scene.front, key).await) } else { None };
            let (front, key, counts) = (scene.front.clone(), key.to_owned(), Arc::clone(&counts));
            tasks.push(tokio::spawn(async move {
                while !counts.ends.load(Ordering::SeqCst) {
                    let call = match &session {
                        Some(session) => in_session(session, &key, "echo", &json!({})),
                        None => Call::tool("echo", json!({})).key(&key),
                    };
                    let answer = front.send(call.request()).await;
                    let is_good = |answer: &Answer| answer.status == StatusCode::OK && !answer.tool_text().1;
                    if !answer.as_ref().is_some_and(is_good) {
                        eprintln!(
                            "{:?}",
                            answer.map(|answer| (answer.status, upstream(&answer), answer.body))
                        );
                        counts.failed.fetch_add(1, Ordering::SeqCst);
                    }
                    counts.calls.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        let load = Self { tasks, counts };
        load.more(50).await;
        load
    }

    async fn more(&self, calls: usize) {
        let so_far = self.counts.calls.load(Ordering::SeqCst);
        until("calls go on", async || self.counts.calls.load(Ordering::SeqCst) >= so_far + calls).await;
    }

    /// Ends after so many more calls; returns how many there were, and how many failed.
    pub(crate) async fn end_after(self, calls: usize) -> (usize, usize) {
        self.more(calls).await;
        self.counts.ends.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        (self.counts.calls.load(Ordering::SeqCst), self.counts.failed.load(Ordering::SeqCst))
    }
}
