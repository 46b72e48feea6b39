//! Refresh tokens, each replaced when it is used (OAuth 2.1, 4.3.1).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    changes::Change,
    identity::digest,
    issuer::{
        Issuer, IssuerError, Of, REFRESH_GRACE, REUSE_MEMORY, TokenAnswer,
        clients::Client,
        params::Params,
        token::{self, give},
    },
    model::Action,
    secret::Secret,
    store::{SystemTx, TokenKind, TokenRow},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

/// What every refresh token begins with.
pub(super) const REFRESH_PREFIX: &str = "dwr_";

const REFUSED: IssuerError =
    IssuerError::InvalidGrant("the refresh token does not hold, or is another client's");

impl Issuer {
    /// Exchanges a refresh token for the next one and an access token.
    ///
    /// The next one follows from the one before by a key of ours, so whoever refreshes twice within
    /// [`REFRESH_GRACE`], in two places or because an answer was lost, gets the same one both times
    /// and there is still one line of them. Later than that, it is somebody else's copy: the whole
    /// sign-in ends.
    pub(super) async fn refresh(
        &self,
        base: &str,
        client: &Client,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        let text = params.need("refresh_token")?;
        let hash = digest(text);
        let row = self.0.store.system_read().await?.find_token(&hash).await?;
        let row = row
            .filter(|row| row.kind == TokenKind::Refresh && row.grant.client == client.id)
            .ok_or(REFUSED)?;
        self.check_target(base, params, &row.grant).await?;

        let now = self.0.clock.now();
        if !row.user_enabled || now >= row.expires_at {
            return Err(REFUSED);
        }
        let mut tx = self.0.store.system().await?;
        if tx.use_token(&hash, now, now.plus(REUSE_MEMORY)).await? {
            let next = self.next(text).next().ok_or(REFUSED)?;
            let answer = give(&mut tx, &row.grant, row.family, Some(next), None, now, None).await?;
            tx.commit().await?;
            return Ok(answer);
        }
        // Read again: another refresh may have come between.
        let used_at = tx.find_token(&hash).await?.ok_or(REFUSED)?.used_at;
        if used_at.is_some_and(|at| now.since(at) <= REFRESH_GRACE)
            && let Some(next) = self.known_next(&mut tx, text).await?
        {
            let answer = give(&mut tx, &row.grant, row.family, None, None, now, None).await?;
            tx.commit().await?;
            return Ok(token::with_refresh(answer, &next));
        }
        drop(tx);
        Err(self.end_family(&row, "a refresh token was used twice").await?)
    }

    /// Ends a sign-in of which somebody has a copy. Returns what its client is told.
    pub(super) async fn end_family(&self, row: &TokenRow, why: &str) -> Result<IssuerError, IssuerError> {
        let mut tx = self.0.store.system().await?;
        tx.remove_family(row.family).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::Grant(row.grant.id));
        let of = Of { preset: row.grant.preset, slug: "" };
        self.record(&row.member, Action::GrantRevoke, &row.client_name, of, Some(why));
        tracing::warn!(grant.id = %row.grant.id, "ended a sign-in of an MCP client: {why}");
        Ok(IssuerError::InvalidGrant("this was used before; the sign-in has ended"))
    }

    /// Returns the token that follows this one, under each of our keys.
    fn next(&self, text: &str) -> impl Iterator<Item = Secret> {
        self.0.keys.iter().map(move |key| {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("any length of key will do for HMAC");
            mac.update(text.as_bytes());
            Secret::new(format!("{REFRESH_PREFIX}{}", BASE64.encode(mac.finalize().into_bytes())))
        })
    }

    /// Returns the token that follows this one, as it was given.
    async fn known_next(&self, tx: &mut SystemTx, text: &str) -> Result<Option<Secret>, IssuerError> {
        for next in self.next(text) {
            if tx.has_token(&digest(next.expose())).await? {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }
}
