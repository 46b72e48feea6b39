//! Codes, exchanged once for tokens (RFC 6749, 4.1.3; RFC 7636).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    identity::{digest, random_token},
    issuer::{
        Issuer, IssuerError, TokenAnswer, clients::Client, params::Params, refresh::REFRESH_PREFIX,
        token::give,
    },
    secret::Secret,
    store::{TokenKind, TokenRow},
};

const REFUSED: IssuerError =
    IssuerError::InvalidGrant("the code does not hold, was used already, or is another client's");

/// What a code is bound to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
}

impl Bound {
    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).expect("two texts are always JSON")
    }
}

impl Issuer {
    /// Exchanges a code for tokens. A code that comes a second time ends the sign-in that it began
    /// (RFC 6749, 4.1.2): somebody else has it.
    pub(super) async fn redeem(
        &self,
        base: &str,
        client: &Client,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        let hash = digest(params.need("code")?);
        let verifier = params.need("code_verifier")?;
        let row = self.0.store.system_read().await?.find_token(&hash).await?;
        let row =
            row.filter(|row| row.kind == TokenKind::Code && row.grant.client == client.id).ok_or(REFUSED)?;
        self.check_code(base, params, verifier, &row).await?;

        let now = self.0.clock.now();
        let mut tx = self.0.store.system().await?;
        if !tx.use_token(&hash, now, row.expires_at).await? {
            drop(tx);
            return Err(self.end_family(&row, "a code was redeemed twice").await?);
        }
        let refresh = Secret::new(format!("{REFRESH_PREFIX}{}", random_token()?.expose()));
        let answer = give(&mut tx, &row.grant, row.family, Some(refresh), None, now, None).await?;
        tx.commit().await?;
        Ok(answer)
    }

    async fn check_code(
        &self,
        base: &str,
        params: &Params,
        verifier: &str,
        row: &TokenRow,
    ) -> Result<(), IssuerError> {
        let bound: Bound = serde_json::from_str(&row.bound).map_err(|_| REFUSED)?;
        let proof = BASE64.encode(digest(verifier));
        let is_proved = bool::from(proof.as_bytes().ct_eq(bound.challenge.as_bytes()));
        let is_same = params.get("redirect_uri").is_none_or(|uri| uri == bound.redirect_uri);
        if !is_proved || !is_same || !row.user_enabled || self.0.clock.now() >= row.expires_at {
            return Err(REFUSED);
        }
        self.check_target(base, params, &row.grant).await
    }
}
