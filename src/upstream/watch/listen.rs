//! The one who listens at a source for all who watch, and comes back when the stream is lost.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{Hub, Turn};
use crate::upstream::UpstreamLimits;

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
    /// Listens until something changes or goes wrong, and tells the hub what it hears. Dropped in the
    /// middle it has told the source nothing that `leave` does not take back.
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
    /// How long to go on when nobody watches any more.
    pub(in crate::upstream) linger: Duration,
}

impl Pauses {
    pub(in crate::upstream) fn of(limits: &UpstreamLimits) -> Self {
        Self { first: limits.watch_pause, longest: limits.watch_pause_max, linger: limits.watch_linger }
    }
}

/// Listens until nobody watches any more, or the link ends.
pub(in crate::upstream) async fn listen(mut ear: impl Ear, hub: Arc<Hub>, turn: Turn, pauses: Pauses) {
    let Turn { ended, bell } = turn;
    tokio::select! {
        // In this order: a stretch that begins to follow the last one's leaving would be cut off in
        // the middle of it, and the source would be told twice.
        biased;
        () = ended.cancelled() => {}
        () = hub.deserted(pauses.linger) => {}
        () = stretches(&mut ear, &hub, bell, pauses) => {}
    }
    ear.leave().await;
}

/// Listens for ever.
async fn stretches(ear: &mut impl Ear, hub: &Arc<Hub>, mut bell: watch::Receiver<u64>, pauses: Pauses) {
    let mut failures = 0;
    loop {
        let stretch = ear.listen(hub, &mut bell).await;
        if stretch != Stretch::Changed {
            hub.opened(*bell.borrow());
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
        let end = Instant::now() + pause;
        while let Ok(Ok(())) = tokio::time::timeout_at(end, bell.changed()).await {
            // Somebody asks for something else, or the source was reached by a call.
            if stretch == Stretch::Deaf {
                break;
            }
            hub.opened(*bell.borrow());
        }
    }
}
