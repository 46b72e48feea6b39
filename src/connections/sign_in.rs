//! Signing in: to the issuer and back.

use std::time::Duration;

use sha2::{Digest, Sha256};
use url::Url;

use super::{
    ConnectionError, Connections, Result,
    kept::{self, Begun, Kept},
};
use crate::{
    clock::Ms,
    model::{
        BrowserSessionId, CaCertificates, Connection, ConnectionId, ConnectionState, Member, OauthClient,
        SignInId, Via,
    },
    oauth::{self, Arrival, Challenge, Client, Issuer, Known},
    secret::Secret,
    store::{ConnectionRow, NewConnectionToken, SignInRow},
};

/// How long somebody may take at the issuer.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What a sign-in begins with.
#[derive(Debug)]
pub struct Begin<'a> {
    /// The source's address.
    pub url: &'a Url,
    /// What the source said when it was asked without a token.
    pub challenge: Challenge,
    /// How we are known at the issuer, as far as the owner of the source knows.
    pub client: &'a OauthClient,
}

/// Somebody about to go to an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Going {
    /// Where the browser is to be sent.
    pub url: Url,
    /// The issuer's name.
    pub issuer: String,
    /// What is asked for; empty = whatever the issuer gives.
    pub scope: String,
}

impl Connections {
    /// Says whether a source that has answered with this challenge names an issuer to sign in at.
    pub async fn is_offered(
        &self,
        url: &Url,
        trusted: Option<&CaCertificates>,
        challenge: &Challenge,
    ) -> bool {
        oauth::names_issuer(&self.door(trusted), url, challenge).await
    }

    /// Begins to sign in: finds the issuer, has us known there, and keeps what is needed when the
    /// person comes back. Only in a browser: whoever comes back must be who went.
    pub async fn begin(&self, member: &Member, id: ConnectionId, begin: Begin<'_>) -> Result<SignInId> {
        let session = session_of(member)?;
        let connection = self.managed(member, id).await?;
        let egress = &self.door_of(connection.source).await?;
        let row = self.0.store.read(connection.tenant).await?.find_connection(id).await?;
        let row = row.ok_or(ConnectionError::NotFound)?;
        let mut challenge = begin.challenge;
        if !connection.wanted_scope.is_empty() {
            challenge.scope = Some(connection.wanted_scope.clone());
        }
        let issuer = oauth::discover(egress, begin.url, &challenge).await?;
        let given = begin.client.id.clone().map(|id| (id, begin.client.secret.clone()));
        let registered = given.is_none();
        let earlier = self.earlier(&row, &issuer);
        let client = oauth::identify(egress, &issuer, &self.0.names, Known { given, earlier }).await?;
        // What another issuer granted says nothing here.
        let granted = if connection.issuer == issuer.name { connection.scope.as_str() } else { "" };
        let said = begin.client.scope.as_deref();
        let departure = oauth::depart(&issuer, &client, &self.0.names, &challenge, said, granted)?;
        let state_hash = Sha256::digest(departure.state.expose().as_bytes()).into();
        let begun = Begun::new(begin.url.clone(), issuer, client, registered, departure);
        let sign_in = SignInId::new();
        let sealed = kept::seal_begun(&self.0.vault, connection.tenant, sign_in, id, &begun)?;
        let row = SignInRow {
            id: sign_in,
            tenant: connection.tenant,
            connection: id,
            user: member.user,
            session,
            expires_at: self.now().plus(PATIENCE),
            sealed,
        };
        let mut tx = self.0.store.tenant(connection.tenant).await?;
        tx.add_sign_in(&row, &state_hash).await?;
        tx.commit().await?;
        Ok(sign_in)
    }

    /// Returns the client that was registered for this connection earlier, if it is of this issuer and
    /// still good. One whose sign-in was refused is not tried again: the issuer may have forgotten it.
    fn earlier(&self, row: &ConnectionRow, issuer: &Issuer) -> Option<Client> {
        if row.connection.state != ConnectionState::Active || row.connection.issuer != issuer.name {
            return None;
        }
        let kept = kept::open(&self.0.vault, row).ok().filter(|kept| kept.registered)?;
        let now = self.now();
        Some(kept.client).filter(|client| client.ends_at.is_none_or(|end: Ms| end > now))
    }

    /// Returns where somebody who has begun to sign in is to be sent.
    pub async fn going(&self, member: &Member, id: SignInId) -> Result<(Connection, Going)> {
        let row = self.0.store.system_read().await?.find_sign_in(id).await?;
        let row = self.begun_here(member, row)?;
        let connection = self.managed(member, row.connection).await?;
        let begun = kept::open_begun(&self.0.vault, &row)?;
        let going = Going { url: begun.departure, issuer: begun.issuer.name, scope: begun.scope };
        Ok((connection, going))
    }

    /// Ends a sign-in with what the browser came back with. Each can be finished once, by who began it,
    /// in the same browser.
    pub async fn finish(&self, member: &Member, arrival: Arrival) -> Result<Connection> {
        let state = arrival.state.as_ref().map(Secret::expose).unwrap_or_default();
        let state_hash = Sha256::digest(state.as_bytes()).into();
        let row = self.0.store.system_read().await?.find_sign_in_by_state(&state_hash).await?;
        let row = self.begun_here(member, row)?;
        let mut tx = self.0.store.system().await?;
        let is_first = tx.remove_sign_in(row.id).await?;
        tx.commit().await?;
        if !is_first {
            return Err(ConnectionError::NotBegun);
        }
        let connection = self.managed(member, row.connection).await?;
        let begun = kept::open_begun(&self.0.vault, &row)?;
        let code = arrival.code(&begun.issuer)?;
        let Begun { url, issuer, client, registered, verifier, scope, departure: _ } = begun;
        let egress = self.door_of(connection.source).await?;
        let tokens = oauth::exchange(&egress, &issuer, &client, &self.0.names, &code, &verifier).await?;
        let (lasts, scope) = (tokens.lasts, tokens.scope.unwrap_or(scope));
        let kept = Kept { url, issuer, client, registered, access: tokens.access, refresh: tokens.refresh };
        let sealed = kept::seal(&self.0.vault, connection.tenant, connection.id, &kept)?;
        let now = self.now();
        let token = NewConnectionToken {
            issuer: &kept.issuer.name,
            scope: &scope,
            expires_at: lasts.map(|lasts| now.plus(lasts)),
            renews: kept.refresh.is_some(),
            at: now,
            sealed: &sealed,
        };
        let mut tx = self.0.store.tenant(connection.tenant).await?;
        let is_kept = tx.set_connection_token(connection.id, None, token).await?;
        self.commit(tx, connection.source).await?;
        if !is_kept {
            return Err(ConnectionError::NotFound);
        }
        self.find(member, connection.id).await?.ok_or(ConnectionError::NotFound)
    }

    /// Returns a sign-in that this person has begun in this browser and can still finish.
    fn begun_here(&self, member: &Member, row: Option<SignInRow>) -> Result<SignInRow> {
        let session = session_of(member)?;
        row.filter(|row| row.user == member.user && row.session == session && row.expires_at > self.now())
            .ok_or(ConnectionError::NotBegun)
    }
}

fn session_of(member: &Member) -> Result<BrowserSessionId> {
    match &member.via {
        Via::BrowserSession(session) => Ok(*session),
        Via::ApiKey { .. } | Via::Grant { .. } | Via::Shell => Err(ConnectionError::NotBegun),
    }
}
