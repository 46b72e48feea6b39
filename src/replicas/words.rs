//! What processes tell each other through the database: what has changed, and that one ends.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use super::Replicas;
use crate::{
    changes::Change,
    model::ReplicaNumber,
    store::{Heard, StoreError},
};

/// How long to wait when the database does not answer.
const AGAIN: Duration = Duration::from_millis(250);

/// One word.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) from: ReplicaNumber,
    pub(super) says: Says,
}

/// What a process says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Says {
    Changed(Change),
    /// It ends, having told everything.
    Leaves,
}

impl Replicas {
    /// Has every change of this process told to the others, as soon as [`Replicas::speak`] runs.
    pub fn relay_changes(&self) {
        if !self.are_possible() {
            return;
        }
        let (to_tell, has_lost) = (self.0.to_tell.clone(), Arc::clone(&self.0.has_lost));
        self.0.changes.relay(move |change| {
            if let Err(TrySendError::Full(_)) = to_tell.try_send(change.clone()) {
                has_lost.store(true, Ordering::SeqCst);
            }
        });
    }

    /// Tells the others what changes, until `stop` and then what still waits.
    pub async fn speak(&self, stop: CancellationToken) {
        let mut waiting = self.0.waiting.lock().await;
        loop {
            let change = tokio::select! {
                biased;
                change = waiting.recv() => change,
                () = stop.cancelled() => return,
            };
            let Some(change) = change else { return };
            let has_lost = self.0.has_lost.swap(false, Ordering::SeqCst);
            let mut says = if has_lost { Change::Everything } else { change };
            while let Err(error) = self.tell(Says::Changed(says.clone())).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not tell the other replicas");
                // Whoever was cut off too will ask for everything anew; one that was not must be told as much.
                while waiting.try_recv().is_ok() {}
                says = Change::Everything;
                if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Hears what the others tell, until `stop`.
    pub async fn hear(&self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            loop {
                if let Err(error) = self.hear_once().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot hear the other replicas"
                    );
                }
                tokio::time::sleep(AGAIN).await;
            }
        })
        .await;
    }

    /// Listens until the connection fails.
    async fn hear_once(&self) -> Result<(), StoreError> {
        let Some(mut words) = self.0.store.listen().await? else { return std::future::pending().await };
        loop {
            // Whatever was told before we listened, and while the connection was away, nobody repeats.
            self.0.changes.hear(Change::Everything);
            while let Heard::Word(word) = words.next().await? {
                self.take_in(&word);
            }
        }
    }

    pub(super) fn take_in(&self, word: &str) {
        match serde_json::from_str::<Word>(word) {
            Ok(word) if word.from == self.0.own => {}
            Ok(Word { says: Says::Changed(change), .. }) => self.0.changes.hear(change),
            Ok(Word { from, says: Says::Leaves }) => self.forget(from),
            // Of a newer version: something has changed, who knows what.
            Err(_) => self.0.changes.hear(Change::Everything),
        }
    }

    fn forget(&self, number: ReplicaNumber) {
        self.0.others.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
        self.0.looks.send_modify(|looks| *looks += 1);
    }

    pub(super) async fn tell_leaving(&self) -> Result<(), StoreError> {
        self.tell(Says::Leaves).await
    }

    async fn tell(&self, says: Says) -> Result<(), StoreError> {
        let word = serde_json::to_string(&Word { from: self.0.own, says }).expect("names become JSON");
        self.0.store.tell(&word).await
    }
}
