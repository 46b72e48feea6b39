//! What people let clients do, for the people themselves.

use crate::{
    changes::Change,
    identity::is_key_client,
    issuer::{ClientMetadata, Issuer, IssuerError, Of, RedirectUri},
    model::{Action, Grant, GrantId, Member},
    policy,
    store::NamedGrant,
};

/// What a person lets a client do.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// The grant.
    pub grant: Grant,
    /// What the client calls itself.
    pub client_name: String,
    /// Whom its answers go to, each once.
    pub recipients: Vec<String>,
    /// The address of the preset, without the host.
    pub path: String,
}

impl Issuer {
    /// Returns what the person lets clients do, the newest first.
    pub async fn grants(&self, member: &Member) -> Result<Vec<GrantView>, IssuerError> {
        let permit = policy::may_use_account(member)?;
        let grants = self.0.store.system_read().await?.list_grants(permit.user()).await?;
        // What programs with API keys have is listed and taken back with the keys.
        let asked = grants.into_iter().filter(|named| !is_key_client(&named.grant.client));
        Ok(asked.map(view).collect())
    }

    /// Takes back what the person lets a client do; `false` if there is nothing of that id. Holds on
    /// the next call.
    pub async fn revoke_grant(&self, member: &Member, id: GrantId) -> Result<bool, IssuerError> {
        let permit = policy::may_use_account(member)?;
        let mut tx = self.0.store.system().await?;
        let mut grants = tx.list_grants(permit.user()).await?.into_iter();
        let Some(found) = grants.find(|one| one.grant.id == id) else { return Ok(false) };
        if !tx.remove_grant(permit.user(), id).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.0.changes.announce(Change::Grant(id));
        let of = Of { preset: found.grant.preset, slug: found.slug.as_str() };
        self.record(member, Action::GrantRevoke, &found.client_name, of, None);
        Ok(true)
    }
}

fn view(named: NamedGrant) -> GrantView {
    let metadata: ClientMetadata = serde_json::from_str(&named.client_metadata).unwrap_or_default();
    let uris = metadata.redirect_uris.iter().filter_map(|uri| RedirectUri::parse(uri).ok());
    let mut recipients: Vec<_> = uris.map(|uri| uri.recipient()).collect();
    recipients.sort_unstable();
    recipients.dedup();
    GrantView {
        path: format!("/mcp/{}/{}", named.owner, named.slug),
        grant: named.grant,
        client_name: named.client_name,
        recipients,
    }
}
