//! Tokens for tokens: token exchange (RFC 8693), and assertions of an identity provider (RFC 7523), which
//! let a client in without a page on which the person agrees.
//!
//! A client may exchange its access token for one that opens less, to hand on to a part of itself. What
//! the provider asserts is for clients with a secret alone: whoever holds an assertion shall not be
//! enough. What the person said on the consent page before is kept, so tools that they unticked stay so.

use crate::{
    changes::Change,
    identity::{Asserted, digest},
    issuer::{
        Issuer, IssuerError, Of, TokenAnswer,
        address::{Target, read_resource},
        clients::Client,
        params::Params,
        token::give,
    },
    model::{Action, Grant, GrantId, Member, Principal, Scopes, Via},
    policy,
    store::TokenKind,
};

/// The grant type of token exchange (RFC 8693, 2.1).
pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The grant type of an assertion (RFC 7523, 2.1).
pub(super) const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// What metadata call the assertions that are taken (draft-ietf-oauth-identity-assertion-authz-grant,
/// section 7.2).
pub(super) const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// Kinds of tokens (RFC 8693, 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

impl Issuer {
    /// Exchanges a token for an access token (RFC 8693).
    pub(super) async fn exchange(
        &self,
        base: &str,
        client: &Client,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        let refuse = |why: &'static str| Err(IssuerError::InvalidRequest(why.into()));
        if params.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
            return refuse("only access tokens are given");
        }
        if params.get("actor_token").is_some() {
            return refuse("a token is given to the client that asks, not to another actor");
        }
        let subject = params.need("subject_token")?;
        let given = match params.need("subject_token_type")? {
            ACCESS_TOKEN => self.narrow(base, client, subject, params).await?,
            ID_JAG if self.0.identity.takes_assertions() => self.take(base, client, subject, params).await?,
            _ => return refuse("tokens of this `subject_token_type` are not exchanged"),
        };
        Ok(given.exchanged(ACCESS_TOKEN))
    }

    /// Gives an access token for an identity assertion (RFC 7523).
    pub(super) async fn accept(
        &self,
        base: &str,
        client: &Client,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        self.take(base, client, params.need("assertion")?, params).await
    }

    /// Gives an access token with fewer scopes, which ends with the one it is exchanged for.
    async fn narrow(
        &self,
        base: &str,
        client: &Client,
        subject: &str,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        const REFUSED: IssuerError =
            IssuerError::InvalidGrant("the access token does not hold, or is another client's");
        let now = self.0.clock.now();
        let row = self.0.store.system_read().await?.find_token(&digest(subject)).await?;
        let row = row
            .filter(|row| row.kind == TokenKind::Access && row.grant.client == client.id)
            .filter(|row| row.user_enabled && row.expires_at > now)
            .ok_or(REFUSED)?;
        self.check_target(base, params, &row.grant).await?;
        let Via::Grant { scopes: held, .. } = row.member.via else { return Err(REFUSED) };
        let scopes = params.get("scope").map_or(held, Scopes::read);
        if scopes == Scopes::NONE || !held.covers(scopes) {
            return Err(IssuerError::InvalidScope("the access token does not have all of this scope"));
        }
        let mut tx = self.0.store.system().await?;
        let answer =
            give(&mut tx, &row.grant, row.family, None, Some(scopes), now, Some(row.expires_at)).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// Gives an access token for what an identity provider asserts.
    async fn take(
        &self,
        base: &str,
        client: &Client,
        assertion: &str,
        params: &Params,
    ) -> Result<TokenAnswer, IssuerError> {
        if client.secret_hash.is_none() {
            let why = "assertions are taken of clients that registered with a secret";
            return Err(IssuerError::InvalidClient(why.into()));
        }
        let asserted = self.0.identity.check_assertion(assertion, base).await?;
        if asserted.client != client.id {
            return Err(IssuerError::InvalidGrant("the assertion is for another client"));
        }
        let scopes = scopes(&asserted, params)?;
        let (owner, slug) = target(base, &asserted, params)?;
        let missing = || IssuerError::InvalidTarget("there is no such preset, or the person may not use it");
        let table = self.0.presets.route_table(&owner, &slug).await?.ok_or_else(missing)?;

        let now = self.0.clock.now();
        let (user, preset) = (&asserted.user, &table.preset);
        let mut tx = self.0.store.system().await?;
        let acting = tx.find_caller(user.id, preset.tenant, Via::Shell).await?.ok_or_else(missing)?;
        let known = tx.find_grant(user.id, acting.tenant, &client.id, preset.id).await?;
        let is_new = known.is_none();
        let grant = match known {
            Some(grant) => Grant { scopes: grant.scopes.union(scopes), ..grant },
            None => Grant {
                id: GrantId::new(),
                tenant: acting.tenant,
                user: user.id,
                client: client.id.clone(),
                preset: preset.id,
                preset_tenant: preset.tenant,
                scopes,
                tools: None,
                created_at: now,
                last_used_at: None,
            },
        };
        let via = Via::Grant { id: grant.id, preset: preset.id, scopes, tools: grant.tools.clone() };
        let member = Member { via, ..acting };
        let caller = Principal::Member(member.clone().into());
        policy::may_call(&caller, preset, &table.access, now).ok_or_else(missing)?;
        if !tx.use_assertion(&asserted.name, asserted.expires_at).await? {
            return Err(IssuerError::InvalidGrant("the assertion was used before"));
        }
        let grant = Grant { id: tx.put_grant(&grant).await?, ..grant };
        tx.use_client(&client.id, now).await?;
        let answer = give(&mut tx, &grant, grant.id.0, None, Some(scopes), now, None).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::Grant(grant.id));
        if is_new {
            let of = Of { preset: preset.id, slug: preset.slug.as_str() };
            self.record(&member, Action::GrantCreate, &client.name, of, None);
        }
        Ok(answer)
    }
}

/// Returns what is asked for of what is asserted.
fn scopes(asserted: &Asserted, params: &Params) -> Result<Scopes, IssuerError> {
    let held = asserted.scope.as_deref().map_or(Scopes::ALL, Scopes::read);
    let scopes = Scopes::asked(params.get("scope")).common(held);
    if scopes == Scopes::NONE {
        return Err(IssuerError::InvalidScope("the assertion has nothing of this scope"));
    }
    Ok(scopes)
}

/// Returns owner and slug of the preset that is asked for, which is the asserted one if there is one.
fn target(base: &str, asserted: &Asserted, params: &Params) -> Result<(String, String), IssuerError> {
    let read = |text: &str| match read_resource(base, text) {
        Some(Target::Preset(owner, slug)) => Ok(Some((owner, slug))),
        // The gateway as a whole says nothing of which preset.
        Some(Target::Gateway) => Ok(None),
        None => Err(IssuerError::InvalidTarget("`resource` is not the address of a preset of this gateway")),
    };
    let asserted = asserted.resource.as_deref().map(read).transpose()?.flatten();
    let asked = params.get("resource").map(read).transpose()?.flatten();
    match (asserted, asked) {
        (Some(asserted), Some(asked)) if asserted != asked => {
            Err(IssuerError::InvalidTarget("the assertion is for another resource"))
        }
        (asserted, asked) => {
            let why = "name the preset by its address, as `resource`";
            asserted.or(asked).ok_or(IssuerError::InvalidTarget(why))
        }
    }
}
