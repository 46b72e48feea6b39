//! What callers of presets send as `Authorization: Bearer`: an API key, or an access token that the
//! issuer gave to an MCP client.

use std::sync::{Arc, atomic::AtomicI64};

use super::{Identity, KeyError, remembered::Known, token};
use crate::{
    clock::Ms,
    model::{GrantId, Member},
    store::TokenKind,
};

/// The longest access token looked at, in bytes. Ours are shorter.
const TOKEN_BYTES_MAX: usize = 64;

impl Identity {
    /// Returns the person that a caller of a preset acts for. Takes the text after `Bearer `.
    ///
    /// What was seen a moment ago is answered from memory; what was revoked since is not.
    pub async fn authenticate_bearer(&self, bearer: &str) -> Result<Arc<Member>, KeyError> {
        if !bearer.starts_with(token::ACCESS_PREFIX) {
            return self.authenticate_key(bearer).await;
        }
        if bearer.len() > TOKEN_BYTES_MAX {
            return Err(KeyError::Malformed);
        }
        let digest = token::digest(bearer);
        let now = self.0.clock.now();
        if let Some(known) = self.0.grants.find(&digest, &self.0.epochs, now) {
            return self.use_grant(&known, now);
        }
        // Boxed, as what is rarely needed would otherwise take its room in every call.
        Box::pin(self.look_up_token(digest, now)).await
    }

    async fn look_up_token(&self, digest: [u8; 32], now: Ms) -> Result<Arc<Member>, KeyError> {
        let epoch = self.0.epochs.now();
        let row = self.0.store.system_read().await?.find_token(&digest).await?;
        let row = row.filter(|row| row.kind == TokenKind::Access).ok_or(KeyError::Unknown)?;
        if !row.user_enabled {
            return Err(KeyError::Disabled);
        }
        let known = Arc::new(Known {
            id: row.grant.id,
            member: Arc::new(row.member),
            ends_at: Some(row.expires_at),
            epoch,
            read_at: now,
            noted_at: AtomicI64::new(row.grant.last_used_at.map_or(0, |at| at.0)),
        });
        let member = self.use_grant(&known, now)?;
        self.0.grants.insert(digest, known);
        Ok(member)
    }

    fn use_grant(&self, known: &Known<GrantId>, now: Ms) -> Result<Arc<Member>, KeyError> {
        if known.ends_at.is_some_and(|ends_at| now >= ends_at) {
            return Err(KeyError::Expired);
        }
        self.0.grants.note_use(known, now);
        Ok(Arc::clone(&known.member))
    }
}
