//! Connections with their sealed tokens.

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{Connection, ConnectionId, ConnectionState, SourceId, TenantId, UserId},
    store::{LIST_MAX, Result, SystemTx, Tx, changed, clean, on, read_word, vault::kid_of},
};

/// A connection with its sealed tokens; `None` before anybody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    /// The connection.
    pub connection: Connection,
    /// Its tokens, sealed.
    pub sealed: Option<String>,
}

/// What a token that was just given changes of a connection.
#[derive(Clone, Debug)]
pub struct NewConnectionToken<'a> {
    /// The issuer it is from.
    pub issuer: &'a str,
    /// What was granted.
    pub scope: &'a str,
    /// When it ends.
    pub expires_at: Option<Ms>,
    /// Whether it can be renewed without anybody.
    pub renews: bool,
    /// When it was given.
    pub at: Ms,
    /// The tokens, sealed.
    pub sealed: &'a str,
}

#[derive(FromRow)]
struct FoundRow {
    tenant_id: TenantId,
    id: ConnectionId,
    source_id: SourceId,
    user_id: Uuid,
    issuer: String,
    scope: String,
    wanted_scope: String,
    state: String,
    detail: String,
    expires_at: Option<Ms>,
    renews: bool,
    renewed_at: Option<Ms>,
    version: i64,
    created_at: Ms,
    sealed: Option<String>,
}

impl FoundRow {
    fn row(self) -> Result<ConnectionRow> {
        let connection = Connection {
            id: self.id,
            tenant: self.tenant_id,
            source: self.source_id,
            user: Some(UserId(self.user_id)).filter(|user| !user.0.is_nil()),
            issuer: self.issuer,
            scope: self.scope,
            wanted_scope: self.wanted_scope,
            state: read_word("connections.state", &self.state, ConnectionState::from_word)?,
            detail: self.detail,
            expires_at: self.expires_at,
            renews: self.renews,
            renewed_at: self.renewed_at,
            version: self.version,
            created_at: self.created_at,
        };
        Ok(ConnectionRow { connection, sealed: self.sealed })
    }
}

fn owner(user: Option<UserId>) -> Uuid {
    user.map_or(Uuid::nil(), |user| user.0)
}

impl Tx {
    /// Returns the connection of somebody, or of the organisation itself, to a source, and makes it
    /// as one that is wanted if there is none.
    pub async fn want_connection(
        &mut self,
        source: SourceId,
        user: Option<UserId>,
        now: Ms,
    ) -> Result<ConnectionRow> {
        let tenant = self.tenant;
        changed!(
            self,
            query(
                "insert into connections (tenant_id, id, source_id, user_id, issuer, scope, wanted_scope, state,
                    detail, renews, version, leased_until, created_at)
                 values ($1, $2, $3, $4, '', '', '', 'wanted', '', $5, 0, 0, $6)
                 on conflict (tenant_id, source_id, user_id) do nothing",
            )
            .bind(tenant)
            .bind(ConnectionId::new())
            .bind(source)
            .bind(owner(user))
            .bind(false)
            .bind(now)
        );
        let found = self.find_connection_of(source, user).await?;
        Ok(found.expect("it was there, or has just been put there in this transaction"))
    }

    /// Finds the connection of somebody, or of the organisation itself, to a source.
    pub async fn find_connection_of(
        &mut self,
        source: SourceId,
        user: Option<UserId>,
    ) -> Result<Option<ConnectionRow>> {
        let tenant = self.tenant;
        let row: Option<FoundRow> = on!(self, |c| {
            query_as("select * from connections where tenant_id = $1 and source_id = $2 and user_id = $3")
                .bind(tenant)
                .bind(source)
                .bind(owner(user))
                .fetch_optional(c)
                .await
        })?;
        row.map(FoundRow::row).transpose()
    }

    /// Finds a connection.
    pub async fn find_connection(&mut self, id: ConnectionId) -> Result<Option<ConnectionRow>> {
        let tenant = self.tenant;
        let row: Option<FoundRow> = on!(self, |c| {
            query_as("select * from connections where tenant_id = $1 and id = $2")
                .bind(tenant)
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        row.map(FoundRow::row).transpose()
    }

    /// Returns the organisation's own connections, and no person's, the oldest first.
    pub async fn list_own_connections(&mut self) -> Result<Vec<Connection>> {
        let tenant = self.tenant;
        let rows: Vec<FoundRow> = on!(self, |c| {
            query_as("select * from connections where tenant_id = $1 and user_id = $2 order by id limit $3")
                .bind(tenant)
                .bind(Uuid::nil())
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(|row| Ok(row.row()?.connection)).collect()
    }

    /// Takes the turn to renew a connection until `until`. `false` if somebody else has it, or the
    /// connection has another version by now.
    pub async fn lease_connection(
        &mut self,
        id: ConnectionId,
        version: i64,
        now: Ms,
        until: Ms,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let taken = changed!(
            self,
            query(
                "update connections set leased_until = $5
                 where tenant_id = $1 and id = $2 and version = $3 and leased_until <= $4",
            )
            .bind(tenant)
            .bind(id)
            .bind(version)
            .bind(now)
            .bind(until)
        );
        Ok(taken > 0)
    }

    /// Keeps a new token and gives the turn back; the version is one more from then on. With `seen`,
    /// only if the connection still has that version; `false` if it has not, or is gone.
    pub async fn set_connection_token(
        &mut self,
        id: ConnectionId,
        seen: Option<i64>,
        token: NewConnectionToken<'_>,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let kid = kid_of(token.sealed)?;
        let kept = changed!(
            self,
            query(
                "update connections set issuer = $4, scope = $5, wanted_scope = '', state = 'active', detail = '',
                    expires_at = $6, renews = $7, renewed_at = $8, version = version + 1,
                    leased_until = 0, sealed = $9, sealed_kid = $10
                 where tenant_id = $1 and id = $2 and ($3 < 0 or version = $3)",
            )
            .bind(tenant)
            .bind(id)
            .bind(seen.unwrap_or(-1))
            .bind(clean(token.issuer))
            .bind(clean(token.scope))
            .bind(token.expires_at)
            .bind(token.renews)
            .bind(token.at)
            .bind(token.sealed)
            .bind(&kid)
        );
        Ok(kept > 0)
    }

    /// Notes the state of a connection and why, and gives the turn back; its tokens stay. `false` if
    /// it has another version by now.
    pub async fn set_connection_state(
        &mut self,
        id: ConnectionId,
        version: i64,
        state: ConnectionState,
        detail: &str,
    ) -> Result<bool> {
        let tenant = self.tenant;
        let noted = changed!(
            self,
            query(
                "update connections set state = $4, detail = $5, leased_until = 0
                 where tenant_id = $1 and id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(id)
            .bind(version)
            .bind(state.word())
            .bind(clean(detail))
        );
        Ok(noted > 0)
    }

    /// Notes what a source wants to have been granted beside what was. `false` if the connection has
    /// another version by now.
    pub async fn set_connection_wish(&mut self, id: ConnectionId, version: i64, scope: &str) -> Result<bool> {
        let tenant = self.tenant;
        let noted = changed!(
            self,
            query(
                "update connections set wanted_scope = $4 where tenant_id = $1 and id = $2 and version = $3",
            )
            .bind(tenant)
            .bind(id)
            .bind(version)
            .bind(clean(scope))
        );
        Ok(noted > 0)
    }

    /// Removes a connection with its tokens. `false` if there is none.
    pub async fn remove_connection(&mut self, id: ConnectionId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = changed!(
            self,
            query("delete from connections where tenant_id = $1 and id = $2").bind(tenant).bind(id)
        );
        Ok(removed > 0)
    }

    /// Removes everybody's connections to a source.
    pub async fn remove_connections_to(&mut self, source: SourceId) -> Result<u64> {
        let tenant = self.tenant;
        Ok(changed!(
            self,
            query("delete from connections where tenant_id = $1 and source_id = $2")
                .bind(tenant)
                .bind(source)
        ))
    }
}

impl SystemTx {
    /// Finds a connection of any organisation.
    pub async fn find_connection(&mut self, id: ConnectionId) -> Result<Option<ConnectionRow>> {
        let row: Option<FoundRow> = on!(self, |c| query_as("select * from connections where id = $1")
            .bind(id)
            .fetch_optional(c)
            .await)?;
        row.map(FoundRow::row).transpose()
    }

    /// Returns a person's connections to sources of any organisation, the oldest first.
    pub async fn list_connections_of(&mut self, user: UserId) -> Result<Vec<Connection>> {
        let rows: Vec<FoundRow> = on!(self, |c| {
            query_as("select * from connections where user_id = $1 order by id limit $2")
                .bind(user)
                .bind(LIST_MAX)
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(|row| Ok(row.row()?.connection)).collect()
    }

    /// Returns connections of every organisation that renew themselves and end before `before`, the
    /// first to end first.
    pub async fn list_connections_to_renew(&mut self, before: Ms, limit: i64) -> Result<Vec<Connection>> {
        let rows: Vec<FoundRow> = on!(self, |c| {
            query_as(
                "select * from connections where state = 'active' and renews and expires_at < $1
                 order by expires_at limit $2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(|row| Ok(row.row()?.connection)).collect()
    }

    /// Returns the name of a source of any organisation, and the handle of that.
    pub async fn connected_source(&mut self, source: SourceId) -> Result<Option<(String, String)>> {
        Ok(on!(self, |c| {
            query_as(
                "select s.name, o.handle from sources s join organisations o on o.id = s.tenant_id
                 where s.id = $1",
            )
            .bind(source)
            .fetch_optional(c)
            .await
        })?)
    }
}
