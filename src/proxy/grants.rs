//! What an access token reaches of its preset: the tools its person ticked, the parts they agreed to.

use std::sync::Arc;

use http::StatusCode;
use moka::sync::Cache;

use crate::{
    issuer::{Challenge, base_url},
    mcp::{Method, Raw},
    model::{GrantId, GrantedTools, Member, Principal, Scopes, Via},
    presets::RouteTable,
    proxy::{Guest, Proxy, ProxyAnswer, ProxyRequest, body},
};

/// How many grants with tools of their own are remembered with their tables.
const NARROWED_MAX: u64 = 2_000;

/// Route tables with the tools of a grant alone.
pub(super) struct Narrowed(Cache<GrantId, Arc<Entry>>);

struct Entry {
    whole: Arc<RouteTable>,
    tools: GrantedTools,
    narrow: Arc<RouteTable>,
}

impl Default for Narrowed {
    fn default() -> Self {
        Self(Cache::new(NARROWED_MAX))
    }
}

impl Narrowed {
    /// Returns the table with what the caller's token has of it: all of it, unless its person ticked
    /// some tools only.
    pub(super) fn of(&self, caller: &Principal, whole: Arc<RouteTable>) -> Arc<RouteTable> {
        let Some(Via::Grant { id, tools: Some(tools), .. }) = caller.member().map(|member| &member.via)
        else {
            return whole;
        };
        let is_current = |entry: &Arc<Entry>| {
            Arc::ptr_eq(&entry.whole, &whole) && entry.tools.as_ref().is_some_and(|known| known == tools)
        };
        if let Some(entry) = self.0.get(id).filter(is_current) {
            return Arc::clone(&entry.narrow);
        }
        let narrow = Arc::new(whole.with_tools(|route| {
            tools.iter().any(|tool| tool.source == route.source && *tool.name == *route.tool_name)
        }));
        let entry = Entry { whole, tools: Some(Arc::clone(tools)), narrow: Arc::clone(&narrow) };
        self.0.insert(*id, Arc::new(entry));
        narrow
    }
}

impl Proxy {
    /// Asks for a credential, or for another one (RFC 6750, RFC 9728).
    pub(super) fn challenge(
        &self,
        request: &ProxyRequest<'_>,
        id: Option<Raw<'_>>,
        was_refused: bool,
    ) -> ProxyAnswer {
        let base = base_url(self.0.settings.public_url.as_deref(), request.headers);
        let challenge = Challenge {
            base: &base,
            owner: request.owner,
            slug: request.slug,
            error: was_refused.then_some("invalid_token"),
            scopes: Scopes::ALL,
        };
        body::challenge(id, was_refused, challenge.header())
    }

    /// Refuses a method of a part of the preset that the person did not agree to, and says what to
    /// ask them for.
    pub(super) fn beyond_grant(&self, guest: &Guest<'_>, id: Raw<'_>, method: Method) -> Option<ProxyAnswer> {
        let granted = granted(guest.permit.caller().member()?)?;
        let needed = needs(method);
        if granted.covers(needed) {
            return None;
        }
        let base = base_url(self.0.settings.public_url.as_deref(), guest.request.headers);
        let challenge = Challenge {
            base: &base,
            owner: guest.request.owner,
            slug: guest.request.slug,
            error: Some("insufficient_scope"),
            scopes: granted.union(needed),
        };
        let text = format!("this access token was not given `{needed}`");
        Some(body::with_challenge(body::error(StatusCode::FORBIDDEN, Some(id), text), challenge.header()))
    }
}

fn granted(member: &Member) -> Option<Scopes> {
    match &member.via {
        Via::Grant { scopes, .. } => Some(*scopes),
        Via::ApiKey { .. } | Via::BrowserSession(_) | Via::Shell => None,
    }
}

/// Returns the part of a preset that a method is of.
fn needs(method: Method) -> Scopes {
    match method {
        Method::ToolsCall
        | Method::ToolsList
        | Method::TasksGet
        | Method::TasksUpdate
        | Method::TasksCancel
        | Method::TasksList
        | Method::TasksResult => Scopes { tools: true, ..Scopes::NONE },
        Method::ResourcesRead
        | Method::ResourcesList
        | Method::TemplatesList
        | Method::ResourcesSubscribe
        | Method::ResourcesUnsubscribe => Scopes { resources: true, ..Scopes::NONE },
        Method::PromptsGet | Method::PromptsList => Scopes { prompts: true, ..Scopes::NONE },
        Method::Initialize
        | Method::Ping
        | Method::Discover
        | Method::Complete
        | Method::SetLevel
        | Method::Listen => Scopes::NONE,
    }
}
