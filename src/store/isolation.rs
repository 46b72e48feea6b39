//! What the proof of isolation asks of every table, past everything that the code checks: whether anything of an
//! organisation was changed, and what the database itself shows of it to another.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, query, query_as, query_scalar, raw_sql};

use crate::{
    model::TenantId,
    store::{Inner, Result, Store, StoreError, SystemTx, on, postgres},
};

/// What stands in each table of an organisation, by the SHA-256 of its rows.
pub type Imprint = BTreeMap<String, [u8; 32]>;

/// What the database showed of one table to another organisation than the one whose rows they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The table.
    pub table: String,
    /// How many rows of the first there are.
    pub there: i64,
    /// How many of them the other could read; `None` = the serving role may not read the table at all without being the
    /// instance.
    pub read: Option<i64>,
    /// How many of them the other could change or remove.
    pub changed: u64,
    /// Whether the other could make a row of its own be one of the first's.
    pub planted: bool,
}

/// A table whose rows are each of one organisation.
struct Kept {
    table: String,
    /// The column that says of which.
    key: String,
}

impl SystemTx {
    /// Returns the imprint of an organisation's rows.
    pub async fn imprint(&mut self, tenant: TenantId) -> Result<Imprint> {
        let mut imprint = Imprint::new();
        for (Kept { table, key }, text) in self.kept().await? {
            // The statement is made of the schema's own names.
            let statement = format!("select {text} from {table} t where {key} = $1 order by 1");
            let rows: Vec<String> =
                on!(self, |c| query_scalar(AssertSqlSafe(statement)).bind(tenant).fetch_all(c).await)?;
            let mut hasher = Sha256::new();
            for row in rows {
                hasher.update((row.len() as u64).to_be_bytes());
                hasher.update(row);
            }
            imprint.insert(table, hasher.finalize().into());
        }
        Ok(imprint)
    }

    /// Returns every table with rows of organisations, and what is one of its rows as a text.
    async fn kept(&mut self) -> Result<Vec<(Kept, String)>> {
        match &mut self.inner {
            Inner::Sqlite(transaction) => {
                let columns: Vec<(String, String, String)> = query_as(
                    "select m.name, case m.name when 'organisations' then 'id' else 'tenant_id' end as key,
                        group_concat('quote(' || c.name || ')', ' || '','' || ')
                     from sqlite_master m join pragma_table_info(m.name) c
                     where m.type = 'table' and m.name not like 'sqlite_%'
                     group by m.name having sum(c.name = key) = 1 order by 1",
                )
                .fetch_all(&mut **transaction)
                .await?;
                Ok(columns.into_iter().map(|(table, key, text)| (Kept { table, key }, text)).collect())
            }
            Inner::Postgres(transaction) => {
                Ok(tables(transaction).await?.into_iter().map(|kept| (kept, "t::text".to_owned())).collect())
            }
        }
    }
}

impl Store {
    /// Asks the database for everything of one organisation in the name of another, with nothing of the code's own checks
    /// between; `None` on SQLite, which has no row-level security. Keeps nothing of what it tries.
    pub async fn reach_across(&self, one: TenantId, other: TenantId) -> Result<Option<Vec<Reached>>> {
        let mut system = self.system_read().await?;
        let Inner::Postgres(transaction) = &mut system.inner else { return Ok(None) };
        let mut reached = Vec::new();
        for Kept { table, key } in tables(transaction).await? {
            let of = format!("from {table} where {key} = '{one}'");
            let there = query_scalar(AssertSqlSafe(format!("select count(*) {of}")))
                .fetch_one(&mut **transaction)
                .await?;
            let mut tx = self.tenant(other).await?;
            let Inner::Postgres(theirs) = &mut tx.inner else { return Ok(None) };
            let read = count(theirs, &format!("select count(*) {of}")).await?;
            let update = format!("update {table} set {key} = {key} where {key} = '{one}'");
            let remove = format!("delete {of}");
            let changed = affected(theirs, &update).await? + affected(theirs, &remove).await?;
            // A row of its own, if it has one, must not become one of the first's.
            let plant = format!("update {table} set {key} = '{one}' where {key} = '{other}'");
            let planted = affected(theirs, &plant).await? > 0;
            reached.push(Reached { table, there, read, changed, planted });
        }
        Ok(Some(reached))
    }
}

/// Returns the tables whose rows are each of one organisation.
async fn tables(connection: &mut PgConnection) -> Result<Vec<Kept>> {
    let tables: Vec<(String, String)> = query_as(
        "select c.relname::text, a.attname::text from pg_class c
            join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
                and a.attname = case c.relname when 'organisations' then 'id' else 'tenant_id' end
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(tables.into_iter().map(|(table, key)| Kept { table, key }).collect())
}

/// Counts; `None` if the table is shut.
async fn count(connection: &mut PgConnection, statement: &str) -> Result<Option<i64>> {
    raw_sql("savepoint attempt").execute(&mut *connection).await?;
    let counted = query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&mut *connection).await;
    raw_sql("rollback to attempt").execute(&mut *connection).await?;
    match counted {
        Ok(counted) => Ok(Some(counted)),
        Err(error) if postgres::is_refused(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Says how many rows a statement touched before it was taken back: none if the database refused it.
async fn affected(connection: &mut PgConnection, statement: &str) -> Result<u64> {
    connection.execute("savepoint attempt").await?;
    let done = query(AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await;
    connection.execute("rollback to attempt").await?;
    match done {
        Ok(done) => Ok(done.rows_affected()),
        // Refused by a policy or a privilege, or by a reference that other rows hold on to.
        Err(error) if postgres::is_refused(&error) => Ok(0),
        Err(error) => match StoreError::from(error) {
            StoreError::Dangling(_) | StoreError::Conflict { .. } => Ok(0),
            error => Err(error),
        },
    }
}
