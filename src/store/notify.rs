//! Words from one process to the others that share the database: PostgreSQL's `NOTIFY`. A file is used by one process,
//! which has nobody to tell.

use sqlx::{postgres::PgListener, query};

use crate::store::{Pools, Result, Store};

const CHANNEL: &str = "doorward";

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// What a process said, this one included.
    Word(String),
    /// The connection was lost for a while, and with it whatever was said meanwhile.
    Gap,
}

/// Hears what the processes say that share the database.
#[derive(Debug)]
pub struct Words(PgListener);

impl Store {
    /// Begins to listen; `None` if the database is a file. Holds a connection.
    pub async fn listen(&self) -> Result<Option<Words>> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Words(listener)))
    }

    /// Says something to every process that listens, this one included. PostgreSQL takes at most 7999
    /// bytes.
    pub async fn tell(&self, word: &str) -> Result<()> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(()) };
        query("select pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(pool).await?;
        Ok(())
    }
}

impl Words {
    /// Waits for the next word. After an error the connection is made anew by the next call.
    pub async fn next(&mut self) -> Result<Heard> {
        let heard = self.0.try_recv().await?;
        Ok(heard.map_or(Heard::Gap, |word| Heard::Word(word.payload().to_owned())))
    }
}
