//! Failed sign-ins by account and address, so that a restart forgets none.

use crate::{
    clock::Ms,
    store::{Result, SystemTx},
};

impl SystemTx {
    /// Counts one more failure of a subject (an account or address, in words of the caller's own)
    /// and returns how many there are since `window_start`; older ones are forgotten.
    pub async fn add_sign_in_failure(&mut self, subject: &str, window_start: Ms, now: Ms) -> Result<i64> {
        let _ = (subject, window_start, now);
        todo!()
    }

    /// Returns a subject's failures and when the last one was; `None` if it has none since
    /// `window_start`.
    pub async fn sign_in_failures(&mut self, subject: &str, window_start: Ms) -> Result<Option<(i64, Ms)>> {
        let _ = (subject, window_start);
        todo!()
    }

    /// Forgets a subject's failures.
    pub async fn clear_sign_in_failures(&mut self, subject: &str) -> Result<()> {
        let _ = subject;
        todo!()
    }

    /// Forgets failures from before `before`, of at most `limit` subjects. Returns how many.
    pub async fn prune_sign_in_failures(&mut self, before: Ms, limit: i64) -> Result<u64> {
        let _ = (before, limit);
        todo!()
    }
}
