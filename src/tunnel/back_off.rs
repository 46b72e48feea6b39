//! How long a server that could not be reached is left alone. Pure: time and randomness are arguments.

use std::time::Duration;

use crate::clock::Ms;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    failures: u32,
    until: Option<Ms>,
}

impl BackOff {
    /// Returns how long it is too early to try.
    pub(super) fn waits(&self, now: Ms) -> Option<Duration> {
        self.until.filter(|until| now < *until).map(|until| until.since(now))
    }

    /// Notes a failure. The wait is between half of what the doubling says and all of it, by `random`, so that many
    /// do not come back in the same instant.
    pub(super) fn failed(&mut self, now: Ms, first: Duration, longest: Duration, random: u8) {
        let whole = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures += 1;
        self.until = Some(now.plus(whole / 2 + whole / 2 * u32::from(random) / 255));
    }

    /// Notes that it worked.
    pub(super) fn worked(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_is_never_the_same_for_all() {
        let mut wait = BackOff::default();
        let mut after = |random| {
            wait.failed(Ms(0), SECOND, 10 * SECOND, random);
            wait.waits(Ms(0)).unwrap().as_millis()
        };

        assert_eq!(
            [after(255), after(255), after(0), after(255), after(255)],
            [1000, 2000, 2000, 8000, 10_000]
        );
    }

    #[test]
    fn it_ends_with_time_and_with_success() {
        let mut wait = BackOff::default();
        wait.failed(Ms(0), SECOND, SECOND, 255);
        assert!(wait.waits(Ms(999)).is_some());
        assert!(wait.waits(Ms(1000)).is_none());

        wait.worked();
        assert!(wait.waits(Ms(0)).is_none());
    }
}
