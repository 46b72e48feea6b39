//! The monthly counters, and the one statement that charges them.

use crate::{
    clock::{Month, Ms},
    model::UserId,
    store::{Result, Store, SystemTx, Tx},
};

/// What taking left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Calls used in the month, these included.
    pub used: i64,
    /// Calls left; `None` = unlimited.
    pub left: Option<i64>,
}

impl Store {
    /// Charges `n` calls to a person's month if that stays within `limit`; `None` if it does not,
    /// and then nothing is charged. Exact whatever happens at the same time; committed when it
    /// returns. A new month begins at zero; a month before the one stored is never charged.
    pub async fn take_calls(
        &self,
        user: UserId,
        month: Month,
        n: i64,
        limit: Option<i64>,
        now: Ms,
    ) -> Result<Option<Taken>> {
        let _ = (user, month, n, limit, now);
        todo!()
    }

    /// Gives back `n` calls taken before in that same month; does nothing if the month is over.
    pub async fn give_back_calls(&self, user: UserId, month: Month, n: i64, now: Ms) -> Result<()> {
        let _ = (user, month, n, now);
        todo!()
    }
}

impl Tx {
    /// Returns the calls a person has used in a month.
    pub async fn usage(&mut self, user: UserId, month: Month) -> Result<i64> {
        let _ = (user, month);
        todo!()
    }
}

impl SystemTx {
    /// Returns the calls a person has used in a month.
    pub async fn usage(&mut self, user: UserId, month: Month) -> Result<i64> {
        let _ = (user, month);
        todo!()
    }
}
