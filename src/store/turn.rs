//! Taking turns: what is decided by what is there, and then written, must not be overtaken by
//! another transaction that decides by the same, in this process or another.

use sqlx::query;
use uuid::Uuid;

use crate::{
    model::{TenantId, UserId},
    store::{Inner, Result, SystemTx, Tx},
};

/// Names the turn of the instance.
const INSTANCE: i64 = 0x646f_6f72_0001;

impl SystemTx {
    /// Waits until no other transaction of the instance has its turn, and has it until its own end.
    /// Take it before reading what is decided by.
    pub async fn take_turn(&mut self) -> Result<()> {
        self.inner.take_turn(INSTANCE).await
    }
}

impl SystemTx {
    /// Waits until no other transaction has this person's turn, and has it until its own end. Take it before
    /// reading what is decided by.
    pub async fn take_turn_of(&mut self, user: UserId) -> Result<()> {
        // Whoever else's id ends alike is only waited for.
        self.inner.take_turn(low(user.0)).await
    }

    /// Waits until no other transaction has this organisation's turn, and has it until its own end. Take it before
    /// reading what is decided by.
    pub async fn take_turn_in(&mut self, tenant: TenantId) -> Result<()> {
        self.inner.take_turn(low(tenant.0)).await
    }
}

impl Tx {
    /// Waits until no other transaction of this organisation has its turn, and has it until its own
    /// end. Take it before reading what is decided by.
    pub async fn take_turn(&mut self) -> Result<()> {
        // Two organisations whose ids end alike only wait for each other.
        self.inner.take_turn(low(self.tenant.0)).await
    }
}

fn low(id: Uuid) -> i64 {
    id.as_u64_pair().1.cast_signed()
}

impl Inner {
    async fn take_turn(&mut self, name: i64) -> Result<()> {
        match self {
            // A transaction that may write is the only one already, among processes too.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(transaction) => {
                let turn = query("select pg_advisory_xact_lock($1)").bind(name);
                Ok(turn.execute(&mut **transaction).await.map(drop)?)
            }
        }
    }
}
