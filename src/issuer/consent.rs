//! What a person is asked, and what follows from the answer.

use std::{collections::HashSet, sync::Arc};

use serde::Deserialize;
use uuid::Uuid;

use crate::{
    changes::Change,
    identity::{digest, random_token},
    issuer::{AuthorizeRequest, CODE_AGE_MAX, Issuer, IssuerError, Of, code::Bound, documents},
    model::{Action, Grant, GrantId, GrantedTool, Member, Scopes},
    policy,
    presets::RouteTable,
    store::{NewToken, TokenKind},
};

/// What the client asks for, as the person sees it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The owner's part of the preset's address.
    pub owner: String,
    /// The preset's part of its address.
    pub slug: String,
    /// What the preset is called.
    pub title: String,
    /// What the client would reach.
    pub scopes: Scopes,
    /// Every tool, if the client asks for tools.
    pub tools: Vec<OfferedTool>,
    /// Every prompt by name, if the client asks for prompts.
    pub prompts: Vec<String>,
    /// Whether the preset has resources, if the client asks for resources.
    pub resources: bool,
    /// Whether the person has agreed to something before.
    pub known: bool,
}

/// A tool that the client would have.
#[derive(Clone, Debug)]
pub struct OfferedTool {
    /// The name callers see.
    pub name: String,
    /// What it says it does; empty if it does not say.
    pub description: String,
    /// What its owner calls the source it is of.
    pub source: String,
    /// Whether the client has it already, or nothing was decided yet.
    pub ticked: bool,
}

/// A preset that a person may choose for a client that named none.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What to name as `resource`.
    pub resource: String,
    /// What the preset is called.
    pub title: String,
    /// Its address, without the host.
    pub path: String,
}

impl Issuer {
    /// Returns what a person is asked; `None` if there is no such preset or they may not use it,
    /// which is told alike.
    pub async fn offer(
        &self,
        member: &Arc<Member>,
        request: &AuthorizeRequest,
    ) -> Result<Option<Offer>, IssuerError> {
        policy::may_use_account(member)?;
        let Some((member, table)) = self.table(member, request).await? else { return Ok(None) };
        let grant = self.grant_of(&member, request, &table).await?;
        let has = |tool: &GrantedTool| {
            grant.as_ref().and_then(|grant| grant.tools.as_ref()).is_none_or(|tools| tools.contains(tool))
        };
        let scopes = request.scopes;
        let tools = table.tools.iter().filter(|_| scopes.tools).map(|route| OfferedTool {
            name: route.exposed_name.to_string(),
            description: description(&route.exposed.modern),
            source: route.source_name.to_string(),
            ticked: has(&GrantedTool { source: route.source, name: route.tool_name.to_string() }),
        });
        let prompts = table.prompts.iter().filter(|_| scopes.prompts);
        Ok(Some(Offer {
            owner: table.owner.to_string(),
            slug: table.preset.slug.to_string(),
            title: table.preset.title.clone(),
            scopes,
            tools: tools.collect(),
            prompts: prompts.map(|prompt| prompt.exposed_name.to_string()).collect(),
            resources: scopes.resources && table.capabilities().resources,
            known: grant.is_some(),
        }))
    }

    /// Returns where the client learns of what the person agreed to before, if that covers what it
    /// asks for. Only for clients that nobody else on the computer can pretend to be (RFC 8252, 8.6):
    /// all others are shown each time.
    pub async fn remembered(
        &self,
        member: &Arc<Member>,
        request: &AuthorizeRequest,
    ) -> Result<Option<String>, IssuerError> {
        policy::may_use_account(member)?;
        if !request.redirect.is_claimed() {
            return Ok(None);
        }
        let Some((member, table)) = self.table(member, request).await? else { return Ok(None) };
        match self.grant_of(&member, request, &table).await? {
            Some(grant) if grant.scopes.covers(request.scopes) => {
                self.give_code(request, grant.id, None).await.map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Lets the client do what it asks for, with the tools of these names. Returns where the client
    /// learns of it; `None` if the person may not use the preset.
    pub async fn allow(
        &self,
        member: &Arc<Member>,
        request: &AuthorizeRequest,
        ticked: &HashSet<String>,
    ) -> Result<Option<String>, IssuerError> {
        policy::may_use_account(member)?;
        let Some((member, table)) = self.table(member, request).await? else { return Ok(None) };
        let known = self.grant_of(&member, request, &table).await?;
        let (scopes, tools) = match &known {
            // What was agreed to before and is not asked for again stays.
            Some(grant) if !request.scopes.tools => (grant.scopes.union(request.scopes), grant.tools.clone()),
            Some(grant) => (grant.scopes.union(request.scopes), chosen(&table, ticked)),
            None if !request.scopes.tools => (request.scopes, Some(Arc::from([]))),
            None => (request.scopes, chosen(&table, ticked)),
        };
        let grant = Grant {
            id: known.map_or_else(GrantId::new, |grant| grant.id),
            tenant: member.tenant,
            user: member.user,
            client: request.client.id.clone(),
            preset: table.preset.id,
            preset_tenant: table.preset.tenant,
            scopes,
            tools,
            created_at: self.0.clock.now(),
            last_used_at: None,
        };
        let answer = self.give_code(request, grant.id, Some(&grant)).await?;
        self.0.changes.announce(Change::Grant(grant.id));
        let of = Of { preset: table.preset.id, slug: table.preset.slug.as_str() };
        self.record(&member, Action::GrantCreate, &request.client.name, of, None);
        Ok(Some(answer))
    }

    /// Returns the presets of a person's organisation, for a client that named none.
    pub async fn choices(&self, member: &Arc<Member>, base: &str) -> Result<Vec<Choice>, IssuerError> {
        policy::may_use_account(member)?;
        let presets = self.0.presets.list(member).await?;
        let now = self.0.clock.now();
        let active = presets.into_iter().filter(|item| item.preset.answers(now));
        Ok(active
            .map(|item| {
                let path = format!("/mcp/{}/{}", item.owner, item.preset.slug);
                Choice { resource: format!("{base}{path}"), title: item.preset.title, path }
            })
            .collect())
    }

    /// Returns the preset asked for, and as whom the person uses it, if they may.
    async fn table(
        &self,
        member: &Arc<Member>,
        request: &AuthorizeRequest,
    ) -> Result<Option<(Arc<Member>, Arc<RouteTable>)>, IssuerError> {
        match request.preset() {
            Some((owner, slug)) => self.usable_table(member, owner, slug).await,
            None => Ok(None),
        }
    }

    async fn grant_of(
        &self,
        member: &Member,
        request: &AuthorizeRequest,
        table: &RouteTable,
    ) -> Result<Option<Grant>, IssuerError> {
        let mut tx = self.0.store.system_read().await?;
        Ok(tx.find_grant(member.user, member.tenant, &request.client.id, table.preset.id).await?)
    }

    /// Makes a code, together with the grant it is of if that is new. Returns where the client gets it.
    async fn give_code(
        &self,
        request: &AuthorizeRequest,
        id: GrantId,
        new: Option<&Grant>,
    ) -> Result<String, IssuerError> {
        let now = self.0.clock.now();
        let code = random_token()?;
        let bound = Bound {
            redirect_uri: request.redirect.as_str().to_owned(),
            challenge: request.challenge.clone(),
        };
        let mut tx = self.0.store.system().await?;
        let grant = match new {
            Some(grant) => {
                if documents::is_address(&request.client.id) {
                    tx.put_client(&request.client.row(now)).await?;
                }
                tx.put_grant(grant).await?
            }
            None => id,
        };
        tx.use_client(&request.client.id, now).await?;
        tx.add_token(&NewToken {
            hash: digest(code.expose()),
            grant,
            family: Uuid::now_v7(),
            kind: TokenKind::Code,
            bound: bound.write(),
            created_at: now,
            expires_at: now.plus(CODE_AGE_MAX),
        })
        .await?;
        tx.commit().await?;
        Ok(request.answer(&[("code", code.expose())]))
    }
}

/// Returns what a grant says of tools when these were ticked: all of them is all, also in future.
fn chosen(table: &RouteTable, ticked: &HashSet<String>) -> Option<Arc<[GrantedTool]>> {
    if table.tools.iter().all(|route| ticked.contains(&*route.exposed_name)) {
        return None;
    }
    let chosen = table.tools.iter().filter(|route| ticked.contains(&*route.exposed_name));
    Some(
        chosen.map(|route| GrantedTool { source: route.source, name: route.tool_name.to_string() }).collect(),
    )
}

fn description(definition: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Described {
        #[serde(default)]
        description: String,
    }
    serde_json::from_slice(definition).map(|Described { description }| description).unwrap_or_default()
}
