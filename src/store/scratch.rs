//! A PostgreSQL database of a moment, beside the one of an installation and with the same roles.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query_scalar, raw_sql};
use url::Url;
use uuid::Uuid;

use crate::{
    secret::Secret,
    store::{Result, StoreError, postgres},
};

/// What the names of such databases begin with.
const PREFIX: &str = "doorward_scratch_";

/// A database that nobody else knows of.
pub struct ScratchDatabase {
    /// The serving role's address.
    pub app: Secret,
    /// The owner's address.
    pub owner: Secret,
    name: String,
    beside: Secret,
}

impl ScratchDatabase {
    /// Makes a database on the server of these addresses, by the owner's role, which must be allowed to. What an earlier
    /// process left behind is removed.
    pub async fn create(app: &Secret, owner: &Secret) -> Result<Self> {
        let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
        let (to_app, to_owner) = (renamed(app, &name)?, renamed(owner, &name)?);
        let mut beside = PgConnection::connect_with(&postgres::options(owner)?).await?;
        let left: Vec<String> =
            query_scalar("select datname::text from pg_database where starts_with(datname::text, $1)")
                .bind(PREFIX)
                .fetch_all(&mut beside)
                .await?;
        for left in left {
            // One that is in use is not removed.
            let drop = format!("drop database if exists {}", postgres::quoted(&left));
            raw_sql(AssertSqlSafe(drop)).execute(&mut beside).await.ok();
        }
        let made = raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut beside).await;
        beside.close().await.ok();
        made.map_err(|source| match postgres::is_refused(&source) {
            true => StoreError::Prepare {
                cure: "the owner's role may not make a database to try things in; run as a superuser: \
                       alter role … createdb; (and `nocreatedb` afterwards)"
                    .to_owned(),
                source,
            },
            false => source.into(),
        })?;
        Ok(Self { app: to_app, owner: to_owner, name, beside: owner.clone() })
    }

    /// Removes the database with everything in it, once nobody is connected to it any more.
    pub async fn remove(self) -> Result<()> {
        let mut beside = PgConnection::connect_with(&postgres::options(&self.beside)?).await?;
        let drop = format!("drop database if exists {}", self.name);
        raw_sql(AssertSqlSafe(drop)).execute(&mut beside).await?;
        beside.close().await.ok();
        Ok(())
    }
}

/// Returns the address of another database of the same server.
fn renamed(url: &Secret, name: &str) -> Result<Secret> {
    let mut renamed = Url::parse(url.expose())
        .map_err(|error| StoreError::Address(sqlx::Error::Configuration(error.into())))?;
    renamed.set_path(name);
    Ok(Secret::new(renamed.as_str()))
}
