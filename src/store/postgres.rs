//! PostgreSQL: a pool whose connections never carry one organisation's identity to the next
//! borrower, and the checks that row-level security really applies to us.
//!
//! A transaction names its organisation with `set local`, in the same round trip as its `begin`.
//! sqlx 0.9 may hand a connection back *inside* that transaction when the future that begins it is
//! dropped half-way. Two guards, each enough by itself, stand against that: `begin` runs in a task
//! of its own which nobody drops, and a connection that still carries an identity when it is
//! released is closed.
//!
//! What an operator prepares once, as a superuser (the names are theirs to choose):
//!
//! ```sql
//! create role doorward_owner login createrole password '…';
//! create role doorward_app login noinherit password '…';
//! create database doorward owner doorward_owner;
//! ```
//!
//! The rest follows from the owner's address: [`open`] migrates with it and admits the serving role.
//! The head of the row-level part of `migrations/postgres/0001_first.sql` tells the three roles
//! apart.

use std::{str::FromStr, sync::LazyLock, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgExecutor, PgPool, Postgres, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    query, query_as, query_scalar,
};

use crate::{
    model::TenantId,
    secret::Secret,
    store::{
        Result, StoreError,
        age::{self, Applied},
    },
};

pub(super) static MIGRATOR: LazyLock<Migrator> =
    LazyLock::new(|| age::lenient(sqlx::migrate!("migrations/postgres")));

/// Connections of one process.
const CONNECTIONS_MAX: u32 = 16;

/// How long a transaction waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Migrates with the owner's role if given, checks the serving role, and opens its pool.
pub(super) async fn open(app_url: &Secret, owner_url: Option<&Secret>) -> Result<PgPool> {
    let app = options(app_url)?;
    if let Some(owner_url) = owner_url {
        let mut owner = PgConnection::connect_with(&options(owner_url)?).await?;
        let prepared = prepare(&mut owner, app.get_username()).await;
        owner.close().await.ok();
        prepared?;
    }

    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_release(|connection, _| Box::pin(is_clean(connection)))
        .connect_with(app)
        .await?;
    if let Err(error) = check(&pool).await {
        pool.close().await;
        return Err(error);
    }
    Ok(pool)
}

/// Reads the address of a server.
pub(super) fn options(url: &Secret) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url.expose()).map_err(StoreError::Address)?;
    Ok(options.application_name("doorward"))
}

/// Begins a transaction inside one organisation.
pub(super) async fn begin_tenant(
    pool: &PgPool,
    tenant: TenantId,
    write: bool,
) -> Result<Transaction<'static, Postgres>> {
    // The id is formatted from sixteen bytes, so it cannot hold a quote.
    let access = access(write);
    begin(pool, format!("begin {access}; {LOCK_TIMEOUT}; set local app.tenant_id = '{tenant}'")).await
}

/// Begins a transaction of the instance.
pub(super) async fn begin_system(pool: &PgPool, write: bool) -> Result<Transaction<'static, Postgres>> {
    let access = access(write);
    begin(pool, format!("begin {access}; {LOCK_TIMEOUT}; set local role doorward_system")).await
}

/// A statement that waits longer for a row than this is told that the database is busy.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '5s'";

fn access(write: bool) -> &'static str {
    if write { "read write" } else { "read only" }
}

/// Begins in a task of its own: a caller who goes away in the middle leaves a transaction that
/// finishes beginning and is then rolled back.
async fn begin(pool: &PgPool, sql: String) -> Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.begin_with(AssertSqlSafe(sql)).await })
        .await
        .map_err(|_| StoreError::Unavailable(sqlx::Error::WorkerCrashed))?
        .map_err(StoreError::from)
}

/// Says whether a released connection carries nobody's identity. `false` and errors (an aborted
/// transaction answers with one) close it.
async fn is_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    query_scalar(
        "select coalesce(current_setting('app.tenant_id', true), '') = '' and current_user = session_user",
    )
    .fetch_one(connection)
    .await
}

/// Brings the schema up to date and gives the serving role what it needs.
async fn prepare(owner: &mut PgConnection, app: &str) -> Result<()> {
    age::refuse_contracted(&MIGRATOR, &applied(&mut *owner).await?)?;
    MIGRATOR.run(&mut *owner).await.map_err(|error| match insufficient_privilege(error) {
        Ok(source) => StoreError::Prepare {
            cure: "the owner's role may not create the role `doorward_system`; run as a superuser: \
                   create role doorward_system nologin;"
                .to_owned(),
            source,
        },
        Err(error) => StoreError::from_migration(error),
    })?;

    let quoted = quoted(app);
    let (exists, is_owner): (bool, bool) =
        query_as("select exists (select from pg_roles where rolname = $1), current_user::text = $1")
            .bind(app)
            .fetch_one(&mut *owner)
            .await?;
    if is_owner {
        // The checks after this say what is wrong with that.
        return Ok(());
    }
    if !exists {
        return Err(StoreError::Prepare {
            cure: format!(
                "the serving role does not exist; run as a superuser: \
                 create role {quoted} login noinherit password '…';"
            ),
            source: sqlx::Error::RowNotFound,
        });
    }
    grant(owner, app).await.map_err(|error| {
        if is_refused(&error) {
            StoreError::Prepare {
                cure: format!(
                    "the owner's role may not admit the serving role to `doorward_system`; run as a \
                     superuser: grant doorward_system to {quoted}; alter role {quoted} noinherit;"
                ),
                source: error,
            }
        } else {
            error.into()
        }
    })?;
    Ok(())
}

/// Names the turn in which processes that start at once grant.
const GRANT_TURN: i64 = 0x00d0_0172_6400;

/// Gives the serving role what it needs; one process at a time, since PostgreSQL refuses grants that meet.
async fn grant(owner: &mut PgConnection, app: &str) -> std::result::Result<(), sqlx::Error> {
    let mut turn = owner.begin().await?;
    query("select pg_advisory_xact_lock($1)").bind(GRANT_TURN).execute(&mut *turn).await?;
    query("select doorward_grant($1::text::name)").bind(app).execute(&mut *turn).await?;
    turn.commit().await
}

const INSUFFICIENT_PRIVILEGE: &str = "42501";
const UNDEFINED_TABLE: &str = "42P01";

/// Says whether the role may not do that: for want of a privilege, or by a policy of a table.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    sql_state(error).as_deref() == Some(INSUFFICIENT_PRIVILEGE)
}

fn insufficient_privilege(
    error: sqlx::migrate::MigrateError,
) -> std::result::Result<sqlx::Error, sqlx::migrate::MigrateError> {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
    match error {
        Execute(error) | ExecuteMigration(error, _) if is_refused(&error) => Ok(error),
        other => Err(other),
    }
}

fn sql_state(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// Refuses a schema of another age, and a role or table for which row-level security does not hold.
async fn check(pool: &PgPool) -> Result<()> {
    let (app, is_super, bypasses): (String, bool, bool) =
        query_as("select rolname::text, rolsuper, rolbypassrls from pg_roles where rolname = current_user")
            .fetch_one(pool)
            .await?;
    let quoted = quoted(&app);
    if is_super || bypasses {
        return Err(StoreError::Unsafe {
            why: format!("row-level security does not hold for the role {quoted}"),
            cure: format!("serve with another role, or run: alter role {quoted} nosuperuser nobypassrls;"),
        });
    }
    let owned: Option<String> = query_scalar(
        "select string_agg(c.relname, ', ' order by c.relname) from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and pg_has_role(c.relowner, 'MEMBER')",
    )
    .fetch_one(pool)
    .await?;
    if let Some(tables) = owned {
        return Err(StoreError::Unsafe {
            why: format!("the role {quoted} owns tables ({tables}), so it could lift row-level security"),
            cure: "serve with a role of its own, for example: \
                   create role doorward_app login noinherit password '…'; \
                   and give the owner's address as the owner's"
                .to_owned(),
        });
    }

    let applied = match applied(pool).await {
        Ok(applied) => applied,
        Err(error) if is_refused(&error) => {
            return Err(StoreError::Unsafe {
                why: format!("the role {quoted} has not been admitted to the database"),
                cure: format!("run as the owner: select doorward_grant('{}');", app.replace('\'', "''")),
            });
        }
        Err(error) => return Err(error.into()),
    };
    age::refuse_contracted(&MIGRATOR, &applied)?;
    age::refuse_older(&MIGRATOR, &applied)?;

    let open_tables: Option<String> = query_scalar(
        "select string_agg(c.relname, ', ' order by c.relname) from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and c.relname <> '_sqlx_migrations'
           and (not c.relrowsecurity or not c.relforcerowsecurity
                or not exists (select from pg_policy p where p.polrelid = c.oid))",
    )
    .fetch_one(pool)
    .await?;
    if let Some(tables) = open_tables {
        return Err(StoreError::Unsafe {
            why: format!("row-level security is not forced, or has no policy, on: {tables}"),
            cure: "run as the owner for each: alter table … enable row level security; \
                   alter table … force row level security; and restore its policies from the migration"
                .to_owned(),
        });
    }

    let (member, inherits): (bool, bool) =
        query_as("select pg_has_role('doorward_system', 'MEMBER'), pg_has_role('doorward_system', 'USAGE')")
            .fetch_one(pool)
            .await?;
    if !member || inherits {
        return Err(StoreError::Unsafe {
            why: if inherits {
                format!("the role {quoted} inherits `doorward_system`, so it would see every organisation")
            } else {
                format!("the role {quoted} is no member of `doorward_system`")
            },
            cure: format!(
                "run as a superuser: grant doorward_system to {quoted}; alter role {quoted} noinherit; \
                 (from PostgreSQL 16 on: grant doorward_system to {quoted} with inherit false, set true;)"
            ),
        });
    }
    Ok(())
}

/// Returns the migrations of the database; none if it was never migrated.
async fn applied<'c>(on: impl PgExecutor<'c>) -> std::result::Result<Vec<Applied>, sqlx::Error> {
    match query_as("select version, description from _sqlx_migrations order by version").fetch_all(on).await {
        Err(error) if sql_state(&error).as_deref() == Some(UNDEFINED_TABLE) => Ok(Vec::new()),
        applied => applied,
    }
}

/// Returns the name of a role or a database as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
