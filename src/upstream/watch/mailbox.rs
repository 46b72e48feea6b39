//! What waits for one watcher.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::Notice;

/// How many changes of single resources and tasks wait for one watcher; the oldest are dropped.
const WAITING_MAX: usize = 1024;

/// Changes that a watcher has not taken yet; the same one waits once.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Notice>,
    ended: bool,
}

impl Mailbox {
    pub(super) fn push(&self, notice: &Notice) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        match state.waiting.iter_mut().find(|waiting| same(waiting, notice)) {
            // The newest word on a thing is the one that counts.
            Some(waiting) => *waiting = notice.clone(),
            None => {
                if state.waiting.len() >= WAITING_MAX {
                    state.waiting.pop_front();
                }
                state.waiting.push_back(notice.clone());
            }
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Lets the watcher know that nothing follows what is waiting.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_one();
    }

    pub(super) async fn next(&self) -> Option<Notice> {
        loop {
            {
                let mut state = self.lock();
                if let Some(notice) = state.waiting.pop_front() {
                    return Some(notice);
                }
                if state.ended {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says whether two changes are of the same thing.
fn same(one: &Notice, other: &Notice) -> bool {
    match (one, other) {
        (Notice::ResourceUpdated { uri, .. }, Notice::ResourceUpdated { uri: other, .. }) => uri == other,
        (Notice::TaskChanged { task_id, .. }, Notice::TaskChanged { task_id: other, .. }) => task_id == other,
        (one, other) => one == other,
    }
}
