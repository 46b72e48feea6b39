//! Client credentials (RFC 6749, 4.4): programs that nobody sits in front of. Their credential is an
//! API key, its first half as the client's name and the whole of it as the secret; what they get opens
//! one preset for minutes, within what the key reaches.

use std::sync::Arc;

use http::HeaderValue;

use crate::{
    changes::Change,
    identity::{KeyError, key_client},
    issuer::{
        ClientMetadata, Issuer, IssuerError, TokenAnswer,
        address::{Target, read_resource},
        clients::credentials,
        params::Params,
        token::give,
    },
    model::{Grant, GrantId, Member, Scopes, Via},
    store::ClientRow,
};

impl Issuer {
    /// Gives an access token to a program with an API key. It ends with the key.
    pub(super) async fn give_program(
        &self,
        base: &str,
        authorization: Option<&HeaderValue>,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        const WRONG: &str = "the client is no API key, or the secret is not the whole key";
        let (id, secret) = credentials(authorization, params)?;
        let secret = secret.ok_or_else(|| IssuerError::InvalidClient(WRONG.into()))?;
        let member = self.program(&secret).await?;
        let (name, ends_at) = match &member.via {
            Via::ApiKey { id: key, name, .. } if key_client(*key) == id => {
                let row = self.0.store.find_api_key(*key).await?;
                (name.clone(), row.and_then(|row| row.key.expires_at))
            }
            _ => return Err(IssuerError::InvalidClient(WRONG.into())),
        };
        let table = match read_resource(base, params.need("resource")?) {
            Some(Target::Preset(owner, slug)) => self.usable_table(&member, &owner, &slug).await?,
            Some(Target::Gateway) | None => None,
        };
        let missing = IssuerError::InvalidTarget("there is no such preset, or the key does not reach it");
        let (member, table) = table.ok_or(missing)?;

        let now = self.0.clock.now();
        let grant = Grant {
            id: GrantId::new(),
            tenant: member.tenant,
            user: member.user,
            client: id.clone(),
            preset: table.preset.id,
            preset_tenant: table.preset.tenant,
            scopes: Scopes::asked(params.get("scope")),
            tools: None,
            created_at: now,
            last_used_at: None,
        };
        let client = ClientRow {
            id: id.clone(),
            name,
            metadata: serde_json::to_string(&ClientMetadata::default()).expect("empty lists are always JSON"),
            secret_hash: None,
            registration_hash: None,
            created_at: now,
            used_at: None,
        };
        let mut tx = self.0.store.system().await?;
        tx.put_client(&client).await?;
        tx.use_client(&id, now).await?;
        let grant = Grant { id: tx.put_grant(&grant).await?, ..grant };
        // All tokens of a key for a preset are one family, so that there are only so many.
        let answer = give(&mut tx, &grant, grant.id.0, None, None, now, ends_at).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::Grant(grant.id));
        // The key may have been revoked meanwhile, by somebody who found no tokens of it to end.
        if let Err(gone) = self.program(&secret).await {
            self.0.identity.forget_client(&id).await?;
            return Err(gone);
        }
        Ok(answer)
    }

    async fn program(&self, key: &str) -> Result<Arc<Member>, IssuerError> {
        self.0.identity.authenticate_key(key).await.map_err(|error| match error {
            KeyError::Store(error) => error.into(),
            other => IssuerError::InvalidClient(other.to_string().into()),
        })
    }
}
