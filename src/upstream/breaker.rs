//! Answers quickly while a source is known to be unreachable. Pure: takes the time as an argument.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::clock::Ms;

/// How many times as long as the first pause the longest one is.
const PAUSE_FACTOR_MAX: u32 = 16;

/// Counts failures in a row, and says when not to try.
#[derive(Debug)]
pub(super) struct Breaker {
    failures_max: u32,
    pause: Duration,
    /// Set while anything is remembered, so that the usual case takes no lock.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    factor: u32,
    open_until: Option<Ms>,
    last_error: Option<String>,
}

impl Breaker {
    pub(super) fn new(failures_max: u32, pause: Duration) -> Self {
        Self { failures_max, pause, troubled: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Returns the last error while it is too early to try again. When the pause is over, one
    /// caller in each pause gets through; the others are told to wait for what it finds.
    pub(super) fn refuses(&self, now: Ms) -> Option<String> {
        if !self.troubled.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        let until = state.open_until?;
        if now >= until {
            state.open_until = Some(now.plus(self.pause));
            return None;
        }
        let seconds = until.since(now).as_secs() + 1;
        let last = state.last_error.as_deref().unwrap_or("it could not be reached");
        Some(format!("{last} (tried {} times; next try in {seconds} s)", state.failures))
    }

    /// Notes that the source could not be reached.
    pub(super) fn failed(&self, now: Ms, error: &str) {
        let mut state = self.lock();
        state.failures += 1;
        state.last_error = Some(error.to_owned());
        if state.failures >= self.failures_max {
            state.factor = (state.factor * 2).clamp(1, PAUSE_FACTOR_MAX);
            state.open_until = Some(now.plus(self.pause * state.factor));
        }
        self.troubled.store(true, Ordering::Release);
    }

    /// Notes that the source was reached.
    pub(super) fn worked(&self) {
        if self.troubled.load(Ordering::Acquire) {
            *self.lock() = State::default();
            self.troubled.store(false, Ordering::Release);
        }
    }

    /// Returns the last error, if the source has not been reached since, and whether calls are
    /// refused now.
    pub(super) fn trouble(&self, now: Ms) -> Option<(String, bool)> {
        let state = self.lock();
        let refusing = state.open_until.is_some_and(|until| now < until);
        state.last_error.clone().map(|error| (error, refusing))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_for_longer_each_time() {
        let breaker = Breaker::new(2, Duration::from_secs(1));
        breaker.failed(Ms(0), "refused");
        assert_eq!(breaker.refuses(Ms(0)), None);

        breaker.failed(Ms(0), "refused");
        assert!(breaker.refuses(Ms(999)).is_some_and(|words| words.contains("refused")));
        assert_eq!(breaker.refuses(Ms(1000)), None);

        breaker.failed(Ms(1000), "refused");
        assert!(breaker.refuses(Ms(2999)).is_some());
        assert_eq!(breaker.refuses(Ms(3000)), None);
    }

    #[test]
    fn one_caller_at_a_time_finds_out_whether_the_source_is_back() {
        let breaker = Breaker::new(1, Duration::from_secs(1));
        breaker.failed(Ms(0), "refused");

        assert_eq!(breaker.refuses(Ms(1500)), None);
        assert!(breaker.refuses(Ms(1500)).is_some());
    }

    #[test]
    fn a_success_forgets_every_failure() {
        let breaker = Breaker::new(1, Duration::from_secs(1));
        breaker.failed(Ms(0), "refused");

        breaker.worked();

        assert_eq!(breaker.refuses(Ms(0)), None);
        assert_eq!(breaker.trouble(Ms(0)), None);
    }
}
