//! Calls that are made once, with what came of them.

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::words,
    store::{Result, SystemTx, Tx, changed, on, read_hash, read_word},
};

/// What became of a call that is made once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnceState {
    /// It is being made.
    Running,
    /// It was made, and what came of it is known.
    Done,
    /// Nobody knows whether it was made.
    Lost,
}
words!(OnceState { Running = "running", Done = "done", Lost = "lost" });

/// A call that is made once.
#[derive(Clone, Debug)]
pub struct OnceRow {
    /// SHA-256 of its arguments.
    pub digest: [u8; 32],
    /// What became of it.
    pub state: OnceState,
    /// While it runs, the process that runs it is there until then.
    pub alive_until: Ms,
    /// The answer, sealed; `None` if it was too large to keep.
    pub answer: Option<String>,
}

/// How much is kept for an organisation.
#[derive(Clone, Copy, Debug)]
pub struct OnceRoom {
    /// How many calls.
    pub calls: i64,
    /// How many bytes of answers.
    pub bytes: i64,
}

/// What is written of a call that begins.
#[derive(Clone, Copy, Debug)]
pub struct OnceClaim<'a> {
    /// SHA-256 of who calls what with which key.
    pub id: &'a [u8; 32],
    /// Names the one call that is made.
    pub claim: Uuid,
    /// SHA-256 of the arguments.
    pub digest: &'a [u8; 32],
    /// Until when the process is there.
    pub alive_until: Ms,
    /// When it is forgotten.
    pub ends_at: Ms,
}

#[derive(FromRow)]
struct Row {
    digest: Vec<u8>,
    state: String,
    alive_until: Ms,
    answer: Option<String>,
}

impl Row {
    fn once(self) -> Result<OnceRow> {
        Ok(OnceRow {
            digest: read_hash("calls_once.digest", &self.digest)?,
            state: read_word("calls_once.state", &self.state, OnceState::from_word)?,
            alive_until: self.alive_until,
            answer: self.answer,
        })
    }
}

impl Tx {
    /// Claims a call: `None` = it is this one that is made, otherwise what became of the other. Of two
    /// at once, one waits for the other's end of transaction.
    pub async fn claim_call(&mut self, claim: &OnceClaim<'_>, now: Ms) -> Result<Option<OnceRow>> {
        let tenant = self.tenant;
        changed!(
            self,
            query("delete from calls_once where tenant_id = $1 and id = $2 and ends_at <= $3")
                .bind(tenant)
                .bind(claim.id.as_slice())
                .bind(now)
        );
        let added = changed!(
            self,
            query(
                "insert into calls_once (tenant_id, id, claim, digest, state, begun_at, alive_until, ends_at,
                    answer, bytes)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, null, 0)
                 on conflict (tenant_id, id) do nothing",
            )
            .bind(tenant)
            .bind(claim.id.as_slice())
            .bind(claim.claim)
            .bind(claim.digest.as_slice())
            .bind(OnceState::Running.word())
            .bind(now)
            .bind(claim.alive_until)
            .bind(claim.ends_at)
        );
        if added > 0 {
            return Ok(None);
        }
        changed!(
            self,
            query(
                "update calls_once set state = $4
                 where tenant_id = $1 and id = $2 and state = $3 and alive_until <= $5",
            )
            .bind(tenant)
            .bind(claim.id.as_slice())
            .bind(OnceState::Running.word())
            .bind(OnceState::Lost.word())
            .bind(now)
        );
        let row: Option<Row> = on!(self, |c| {
            query_as(
                "select digest, state, alive_until, answer from calls_once where tenant_id = $1 and id = $2",
            )
            .bind(tenant)
            .bind(claim.id.as_slice())
            .fetch_optional(c)
            .await
        })?;
        row.map(Row::once).transpose()
    }

    /// Forgets the oldest calls that are over until there is room for one more. `false` if there is
    /// none, because so many run.
    pub async fn make_room_for_calls(&mut self, room: OnceRoom) -> Result<bool> {
        let (calls, bytes) = self.count_calls_once().await?;
        if calls <= room.calls && bytes <= room.bytes {
            return Ok(true);
        }
        /// How many go at once, so that not every call has to make room.
        const AT_ONCE: i64 = 100;
        let tenant = self.tenant;
        changed!(
            self,
            query(
                "delete from calls_once where tenant_id = $1 and id in (
                    select id from calls_once where tenant_id = $1 and state <> $2 order by begun_at limit $3
                 )",
            )
            .bind(tenant)
            .bind(OnceState::Running.word())
            .bind(AT_ONCE)
        );
        let (calls, bytes) = self.count_calls_once().await?;
        Ok(calls <= room.calls && bytes <= room.bytes)
    }

    /// Returns how many calls are kept, and how many bytes of answers.
    pub async fn count_calls_once(&mut self) -> Result<(i64, i64)> {
        let tenant = self.tenant;
        Ok(on!(self, |c| {
            query_as(
                "select count(*), cast(coalesce(sum(bytes), 0) as bigint) from calls_once where tenant_id = $1",
            )
            .bind(tenant)
            .fetch_one(c)
            .await
        })?)
    }

    /// Says that the process which makes a call is still there; `false` if the call is not its any more.
    pub async fn keep_call_alive(&mut self, id: &[u8; 32], claim: Uuid, until: Ms) -> Result<bool> {
        let tenant = self.tenant;
        let changed = changed!(
            self,
            query(
                "update calls_once set alive_until = $4
                 where tenant_id = $1 and id = $2 and claim = $3 and state = $5",
            )
            .bind(tenant)
            .bind(id.as_slice())
            .bind(claim)
            .bind(until)
            .bind(OnceState::Running.word())
        );
        Ok(changed > 0)
    }

    /// Keeps what came of a call. One that was given up as lost meanwhile is known after all.
    pub async fn finish_call(
        &mut self,
        id: &[u8; 32],
        claim: Uuid,
        state: OnceState,
        answer: Option<&str>,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let bytes = i64::try_from(answer.map_or(0, str::len)).unwrap_or(i64::MAX);
        let changed = changed!(
            self,
            query(
                "update calls_once set state = $4, answer = $5, bytes = $6
                 where tenant_id = $1 and id = $2 and claim = $3 and state <> $7",
            )
            .bind(tenant)
            .bind(id.as_slice())
            .bind(claim)
            .bind(state.word())
            .bind(answer)
            .bind(bytes)
            .bind(OnceState::Done.word())
        );
        Ok(changed > 0)
    }

    /// Forgets a call that was not made after all.
    pub async fn release_call(&mut self, id: &[u8; 32], claim: Uuid) -> Result<()> {
        let tenant = self.tenant;
        changed!(
            self,
            query("delete from calls_once where tenant_id = $1 and id = $2 and claim = $3 and state <> $4")
                .bind(tenant)
                .bind(id.as_slice())
                .bind(claim)
                .bind(OnceState::Done.word())
        );
        Ok(())
    }
}

impl SystemTx {
    /// Forgets calls whose time is over. Returns how many.
    pub async fn forget_calls_once(&mut self, now: Ms) -> Result<u64> {
        Ok(changed!(self, query("delete from calls_once where ends_at <= $1").bind(now)))
    }
}
