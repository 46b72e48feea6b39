//! Which refused sign-ins of nobody in particular are written down: the deciding part, free of I/O
//! and of the time.
//!
//! Anybody can cause them, from as many addresses as they have, and the audit log must not fill up
//! with them: calls are refused when it takes nothing more.

use std::time::Duration;

use super::throttle::Buckets;
use crate::clock::Ms;

/// How many are written down in a row.
const BURST: u32 = 60;
/// One more is written down after this long.
const REFILL: Duration = Duration::from_secs(10);
/// How much is kept of what was typed as an account's name, in characters.
const TYPED_MAX: usize = 3;

/// Counts them.
pub(super) struct Strangers {
    written: Buckets<()>,
    left_out: u64,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self { written: Buckets::new(BURST, REFILL), left_out: 0 }
    }

    /// Returns how many were left out since the last one written down; `None` if this one is.
    pub(super) fn admit(&mut self, now: Ms) -> Option<u64> {
        if self.written.admit((), now).is_err() {
            self.left_out += 1;
            return None;
        }
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Returns the beginning of what was typed as an account's name, which may be a password typed in
/// the wrong place: enough to tell a misspelt name from a list being tried.
pub(super) fn clipped(login: &str) -> String {
    let mut characters = login.chars().filter(|character| !character.is_control());
    let mut text: String = characters.by_ref().take(TYPED_MAX).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_written_down_and_the_others_counted() {
        let mut strangers = Strangers::new();
        let now = Ms(1_000_000);
        let written = (0..1000).filter(|_| strangers.admit(now).is_some()).count();

        assert_eq!(written, BURST as usize);
        assert_eq!(strangers.admit(now.plus(REFILL)), Some(1000 - u64::from(BURST)));
        assert_eq!(strangers.admit(now.plus(REFILL)), None);
    }

    #[test]
    fn of_what_was_typed_the_beginning_is_kept() {
        assert_eq!(clipped("hunter2-is-my-password"), "hun…");
        assert_eq!(clipped("bo"), "bo");
        assert_eq!(clipped("a\u{0}\nä€x"), "aä€…");
    }
}
