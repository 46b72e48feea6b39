//! Work apart from whoever waits for it: computing that would stop others, and futures that must run to their end.
//!
//! A panic in such work goes on where it is waited for. Work is ended otherwise only when the whole program ends, and
//! whoever waits ends with it. Never decides what the work is, and never starts work that nobody waits for: that is
//! `jobs`.

use std::future::Future;

use tokio::task::JoinHandle;

/// Computes on a thread of its own, where it stops nobody else.
pub async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    outcome(tokio::task::spawn_blocking(work)).await
}

/// Runs a future to its end, also when whoever waits for it goes away in the middle.
pub async fn finish<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    outcome(tokio::spawn(work)).await
}

async fn outcome<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_runs_to_its_end_without_its_caller() {
        let (go, gone) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let work = finish(async move {
            gone.await.expect("the test says when");
            tell.send("done").expect("the test waits");
        });

        assert!(work.now_or_never().is_none());
        go.send(()).expect("it runs on");

        assert_eq!(told.await, Ok("done"));
    }

    #[tokio::test]
    #[should_panic(expected = "wrong")]
    async fn a_panic_goes_on_where_it_is_waited_for() {
        compute(|| panic!("wrong")).await
    }
}
