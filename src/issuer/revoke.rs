//! Tokens that a client gives back (RFC 7009).

use http::HeaderValue;

use crate::{
    changes::Change,
    identity::digest,
    issuer::{Issuer, IssuerError, params::Params},
    store::TokenKind,
};

impl Issuer {
    /// Ends a token of the client: an access token alone, a refresh token with its whole sign-in.
    /// A token that is not there, or another client's, is none to end. Holds on the next call.
    pub async fn revoke_token(
        &self,
        authorization: Option<&HeaderValue>,
        form: &[u8],
    ) -> Result<(), IssuerError> {
        let params = Params::read(form)?;
        let client = self.authenticate_client(authorization, &params).await?;
        let hash = digest(params.need("token")?);
        let mut tx = self.0.store.system().await?;
        let Some(row) = tx.find_token(&hash).await?.filter(|row| row.grant.client == client.id) else {
            return Ok(());
        };
        match row.kind {
            TokenKind::Access => drop(tx.remove_token(&hash).await?),
            TokenKind::Refresh => drop(tx.remove_family(row.family).await?),
            TokenKind::Code => return Ok(()),
        }
        tx.commit().await?;
        self.0.changes.announce(Change::Grant(row.grant.id));
        Ok(())
    }
}
