//! Signing in to sources, for those who have to: the way there, and what depends on it.

use crate::{
    connections::{Begin, ConnectionError, Going},
    model::{
        Auth, Connection, ConnectionId, Credential, Member, OauthClient, OrgRole, Preset, Reach, SignInId,
        Source, SourceId,
    },
    oauth::{Arrival, Challenge},
    policy,
    sources::{
        Result, SourceError, Sources, Subject, credential, link,
        trail::{DISCONNECT, SIGN_IN},
    },
    upstream::Target,
};

/// A connection on its page.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    /// The connection.
    pub connection: Connection,
    /// What the source is called.
    pub source_name: String,
    /// The handle of the organisation that owns the source.
    pub owner: String,
    /// The presets that take tools from the source; empty if it is another organisation's.
    pub presets: Vec<Preset>,
    /// Whether this person may sign in with it, renew it and end it.
    pub may_change: bool,
}

impl Sources {
    /// Returns the connections a person sees, with what depends on them.
    pub async fn connections(&self, member: &Member) -> Result<Vec<ConnectionView>> {
        let mut views = Vec::new();
        for connection in self.0.connections.list(member).await? {
            views.extend(self.connection_view(member, connection).await?);
        }
        Ok(views)
    }

    /// Returns a connection that this person sees.
    pub async fn connection(&self, member: &Member, id: ConnectionId) -> Result<Option<ConnectionView>> {
        match self.0.connections.find(member, id).await? {
            Some(connection) => self.connection_view(member, connection).await,
            None => Ok(None),
        }
    }

    async fn connection_view(
        &self,
        member: &Member,
        connection: Connection,
    ) -> Result<Option<ConnectionView>> {
        let named = self.0.store.system_read().await?.connected_source(connection.source).await?;
        let Some((source_name, owner)) = named else { return Ok(None) };
        let presets = if connection.tenant == member.tenant {
            self.0.store.read(connection.tenant).await?.presets_using_source(connection.source).await?
        } else {
            Vec::new()
        };
        let may_change = match connection.user {
            Some(_) => policy::may_use_account(member).is_ok(),
            None => policy::may_manage(member, connection.tenant, OrgRole::Admin).is_ok(),
        };
        Ok(Some(ConnectionView { connection, source_name, owner, presets, may_change }))
    }

    /// Returns the person's own connection to a source of their organisation, and notes that it is
    /// wanted if there is none.
    pub async fn own_connection(&self, member: &Member, id: SourceId) -> Result<Connection> {
        let source = self.find(member, id).await?.ok_or(SourceError::NotFound)?;
        if !source.is_signed_in_to() {
            return Err(SourceError::NotFound);
        }
        policy::may_use_account(member)?;
        Ok(self.0.connections.want(source.tenant, id, Some(member.user)).await?)
    }

    /// Begins to sign in: asks the source what it wants, finds its issuer, and has us known there.
    pub async fn begin_sign_in(&self, member: &Member, id: ConnectionId) -> Result<SignInId> {
        let connection = self.0.connections.find(member, id).await?;
        let connection = connection.ok_or(ConnectionError::NotFound)?;
        let (source, client) = self.signed_in_source(&connection).await?;
        let Reach::McpHttp { url } = &source.reach else { return Err(SourceError::NotFound) };
        let bare = Credential::default();
        let target = Target { verdict: None, ..link::target(&source, bare, None, self.0.clock.now()) };
        let report = self.probe(&target, None).await?;
        let challenge = Challenge::read(report.needs_credential.as_deref().unwrap_or_default());
        let begin = Begin { url, challenge, client: &client };
        Ok(self.0.connections.begin(member, id, begin).await?)
    }

    /// Returns where somebody who has begun to sign in is to be sent.
    pub async fn going(&self, member: &Member, id: SignInId) -> Result<(ConnectionView, Going)> {
        let (connection, going) = self.0.connections.going(member, id).await?;
        let view = self.connection_view(member, connection).await?;
        Ok((view.ok_or(ConnectionError::NotFound)?, going))
    }

    /// Ends a sign-in with what the browser came back with. When the organisation itself has signed in,
    /// the source is looked at.
    pub async fn finish_sign_in(&self, member: &Member, arrival: Arrival) -> Result<ConnectionView> {
        let connection = self.0.connections.finish(member, arrival).await?;
        let (source, _) = self.signed_in_source(&connection).await?;
        let view =
            self.connection_view(member, connection.clone()).await?.ok_or(ConnectionError::NotFound)?;
        let done = SIGN_IN[usize::from(connection.user.is_some())];
        self.audited(member, done, Subject::from(&source), async { Ok(()) }).await?;
        if connection.user.is_none() && source.enabled {
            // What it finds is kept as the source's health; the sign-in itself has worked.
            if let Err(error) = self.look_afresh(&source).await {
                tracing::info!(source.id = %source.id, %error, "a look after a sign-in failed");
            }
        }
        Ok(view)
    }

    /// Renews a connection now.
    pub async fn renew_connection(&self, member: &Member, id: ConnectionId) -> Result<Connection> {
        Ok(self.0.connections.renew_now(member, id).await?)
    }

    /// Ends a connection. It is wanted again from then on, if it was the organisation's.
    pub async fn disconnect(&self, member: &Member, id: ConnectionId) -> Result<Connection> {
        let found = self.0.connections.find(member, id).await?.ok_or(ConnectionError::NotFound)?;
        let (source, _) = self.signed_in_source(&found).await?;
        let done = DISCONNECT[usize::from(found.user.is_some())];
        self.audited(member, done, Subject::from(&source), async {
            let ended = self.0.connections.disconnect(member, id).await?;
            if ended.user.is_none() {
                self.0.connections.want(ended.tenant, ended.source, None).await?;
            }
            Ok(ended)
        })
        .await
    }

    /// Returns the source of a connection, which may be another organisation's, and how we are known at
    /// its issuer as far as its owner knows.
    async fn signed_in_source(&self, connection: &Connection) -> Result<(Source, OauthClient)> {
        let mut tx = self.0.store.read(connection.tenant).await?;
        let source = tx.find_source(connection.source).await?.ok_or(SourceError::NotFound)?;
        let sealed = tx.source_credential(source.id).await?;
        drop(tx);
        let credential = credential::open(&self.0.vault, source.tenant, source.id, sealed.as_deref())?;
        match credential.auth {
            Auth::Oauth(client) => Ok((source, client)),
            Auth::None | Auth::Bearer(_) | Auth::Basic { .. } | Auth::Header { .. } | Auth::Jws(_) => {
                Err(SourceError::NotFound)
            }
        }
    }
}
