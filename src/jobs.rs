//! Background work under one shutdown.
//!
//! A job is a future that ends when its token is cancelled. Shutdown goes in two steps: `stop`
//! ends what starts new work, `finish` then ends what writes down the work done (audit last), each
//! awaited. Never decides what the work is. To add one, spawn it in `Engine::start`.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The background work of one process; cheap to clone.
#[derive(Clone, Default)]
pub struct Jobs {
    workers: Step,
    writers: Step,
}

#[derive(Clone, Default)]
struct Step {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Step {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, job: impl FnOnce(CancellationToken) -> F) {
        self.tasks.spawn(job(self.stop.clone()));
    }

    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Jobs {
    /// Starts work that ends first: it produces what the writers write.
    pub fn worker<F: Future<Output = ()> + Send + 'static>(&self, job: impl FnOnce(CancellationToken) -> F) {
        self.workers.spawn(job);
    }

    /// Starts work that ends last: it writes down what the workers produced.
    pub fn writer<F: Future<Output = ()> + Send + 'static>(&self, job: impl FnOnce(CancellationToken) -> F) {
        self.writers.spawn(job);
    }

    /// Starts work that is repeated, with a pause between the end of one turn and the next.
    pub fn every<F: Future<Output = ()> + Send + 'static>(
        &self,
        pause: Duration,
        turn: impl Fn() -> F + Send + Sync + 'static,
    ) {
        self.workers.spawn(async move |stop: CancellationToken| {
            while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                turn().await;
            }
        });
    }

    /// Ends all work, workers before writers, and waits for it.
    pub async fn end(&self) {
        self.workers.end().await;
        self.writers.end().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn writers_end_after_workers() {
        let jobs = Jobs::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["writer", "worker"] {
            let order = Arc::clone(&order);
            let job = async move |stop: CancellationToken| {
                stop.cancelled().await;
                order.lock().expect("no test panics while it holds the lock").push(name);
            };
            if name == "writer" { jobs.writer(job) } else { jobs.worker(job) }
        }

        jobs.end().await;

        assert_eq!(*order.lock().expect("all tasks have ended"), ["worker", "writer"]);
    }
}
