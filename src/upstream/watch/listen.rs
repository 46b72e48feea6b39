//! The one who listens at a source for all who watch, and comes back when the stream is lost.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Hub, Turn};

/// How a stretch of listening ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::upstream) enum Stretch {
    /// What is asked for, or the terms, have changed: begin again at once.
    Changed,
    /// The stream was lost, or could not be opened.
    Lost {
        /// Whether it had been open.
        was_open: bool,
        /// How long the source wants to be left alone.
        retry: Option<Duration>,
    },
    /// The source has no such stream; there is no point in asking again soon.
    Deaf,
}

/// Listens at a source of one kind.
pub(in crate::upstream) trait Ear: Send + 'static {
    /// Listens until something changes or goes wrong, and tells the hub what it hears.
    fn listen(
        &mut self,
        hub: &Arc<Hub>,
        bell: &mut watch::Receiver<u64>,
    ) -> impl Future<Output = Stretch> + Send;

    /// Tells the source that nobody listens any more.
    fn leave(&mut self) -> impl Future<Output = ()> + Send;
}

/// The waits between two stretches.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Pauses {
    pub(in crate::upstream) first: Duration,
    pub(in crate::upstream) longest: Duration,
}

/// Listens until nobody watches any more.
pub(in crate::upstream) async fn listen(mut ear: impl Ear, hub: Arc<Hub>, turn: Turn, pauses: Pauses) {
    let Turn { ended, mut bell } = turn;
    let mut failures = 0;
    loop {
        let stretch = tokio::select! {
            // First: a stretch that begins to follow the last one's leaving would be cut off in the
            // middle of it.
            biased;
            () = ended.cancelled() => break,
            stretch = ear.listen(&hub, &mut bell) => stretch,
        };
        if stretch != Stretch::Changed {
            hub.opened();
        }
        let pause = match stretch {
            Stretch::Changed => continue,
            Stretch::Deaf => pauses.longest,
            Stretch::Lost { was_open, retry } => {
                failures = if was_open { 0 } else { failures + 1 };
                let pause = pauses.first.saturating_mul(1 << failures.min(16));
                retry.unwrap_or(pause).max(pause).min(pauses.longest)
            }
        };
        tokio::select! {
            () = ended.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
            // Somebody asks for something else, or the source was reached by a call.
            _ = bell.changed(), if stretch == Stretch::Deaf => {}
        }
    }
    ear.leave().await;
}
