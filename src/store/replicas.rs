//! Processes that share the database, the sessions that went from one to another, and whose turn a piece of work is.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{Replica, ReplicaNumber},
    store::{Result, StoreError, SystemTx, changed, on},
};

#[derive(FromRow)]
struct Row {
    number: i64,
    address: String,
    program: String,
    beats: i64,
    started_at: Ms,
    seen_at: Ms,
}

impl Row {
    fn replica(self) -> Result<Replica> {
        let Self { number, address, program, beats, started_at, seen_at } = self;
        Ok(Replica {
            number: read_number("replicas.number", number)?,
            address,
            program,
            beats,
            started_at,
            seen_at,
        })
    }
}

fn read_number(what: &'static str, number: i64) -> Result<ReplicaNumber> {
    let number = u32::try_from(number)
        .map_err(|_| StoreError::Corrupt { what, detail: format!("{number} is no number of a replica") })?;
    Ok(ReplicaNumber(number))
}

impl SystemTx {
    /// Notes a sign of life of this process, entering it if it is not there.
    pub async fn beat_replica(&mut self, replica: &Replica) -> Result<()> {
        let Replica { number, address, program, started_at, seen_at, .. } = replica;
        changed!(
            self,
            query(
                "insert into replicas (number, address, program, beats, started_at, seen_at)
                 values ($1, $2, $3, 1, $4, $5)
                 on conflict (number) do update set beats = replicas.beats + 1, seen_at = excluded.seen_at",
            )
            .bind(i64::from(number.0))
            .bind(address)
            .bind(program)
            .bind(started_at)
            .bind(seen_at)
        );
        Ok(())
    }

    /// Returns the processes that are there or were a while ago, in the order they joined.
    pub async fn list_replicas(&mut self) -> Result<Vec<Replica>> {
        let rows: Vec<Row> = on!(self, |c| {
            query_as(
                "select number, address, program, beats, started_at, seen_at from replicas
                 order by started_at, number",
            )
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(Row::replica).collect()
    }

    /// Forgets a process that ends.
    pub async fn remove_replica(&mut self, number: ReplicaNumber) -> Result<()> {
        changed!(self, query("delete from replicas where number = $1").bind(i64::from(number.0)));
        Ok(())
    }

    /// Forgets processes that have given no sign of life, and sessions that have moved, since then.
    pub async fn remove_old_replicas(&mut self, before: Ms) -> Result<u64> {
        let replicas = changed!(self, query("delete from replicas where seen_at < $1").bind(before));
        let moved = changed!(self, query("delete from sessions_moved where moved_at < $1").bind(before));
        Ok(replicas + moved)
    }

    /// Has a process take a session over, unless one that is still there has done so before. `gone` are those that
    /// are not there any more. Returns who has it.
    pub async fn move_session(
        &mut self,
        id: &[u8; 16],
        to: ReplicaNumber,
        gone: impl Fn(ReplicaNumber) -> bool,
        now: Ms,
    ) -> Result<ReplicaNumber> {
        let to_number = i64::from(to.0);
        // Whoever comes second waits here for the first, and then sees its row.
        let there: i64 = on!(self, |c| {
            query_scalar(
                "insert into sessions_moved (id, replica, moved_at) values ($1, $2, $3)
                 on conflict (id) do update set replica = sessions_moved.replica returning replica",
            )
            .bind(id.as_slice())
            .bind(to_number)
            .bind(now)
            .fetch_one(c)
            .await
        })?;
        let there = read_number("sessions_moved.replica", there)?;
        if there == to || !gone(there) {
            return Ok(there);
        }
        changed!(
            self,
            query("update sessions_moved set replica = $2, moved_at = $3 where id = $1")
                .bind(id.as_slice())
                .bind(to_number)
                .bind(now)
        );
        Ok(to)
    }

    /// Takes the turn of a piece of work until then; `false` if another process has it.
    pub async fn take_job_turn(
        &mut self,
        name: &str,
        replica: ReplicaNumber,
        now: Ms,
        until: Ms,
    ) -> Result<bool> {
        let taken = changed!(
            self,
            query(
                "insert into job_turns (name, replica, until_at) values ($1, $2, $3)
                 on conflict (name) do update set replica = excluded.replica, until_at = excluded.until_at
                 where job_turns.until_at <= $4 or job_turns.replica = excluded.replica",
            )
            .bind(name)
            .bind(i64::from(replica.0))
            .bind(until)
            .bind(now)
        );
        Ok(taken == 1)
    }
}
