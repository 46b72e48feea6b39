//! Who is calling, once that is known.

use std::sync::Arc;

use crate::model::{
    ApiKeyId, BrowserSessionId, GrantId, GrantedTools, Handle, InstanceRole, KeyScope, OrgRole, PlanName,
    PresetId, Rate, Scopes, TenantId, UserId, Whence,
};

/// Who a caller turned out to be.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Nobody signed in and no key given.
    Anonymous,
    /// A person, by browser session, API key or at the shell.
    Member(Arc<Member>),
}

impl Principal {
    /// Returns the person; `None` for an anonymous caller.
    pub fn member(&self) -> Option<&Arc<Member>> {
        match self {
            Self::Anonymous => None,
            Self::Member(member) => Some(member),
        }
    }
}

/// A person acting in one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub user: UserId,
    /// The person's handle.
    pub handle: Handle,
    /// The organisation acted in.
    pub tenant: TenantId,
    /// The organisation's handle.
    pub tenant_handle: Handle,
    /// The role in that organisation.
    pub org_role: OrgRole,
    /// The role on the instance.
    pub instance_role: InstanceRole,
    /// The plan whose quota is charged.
    pub plan: PlanName,
    /// How the person was recognised.
    pub via: Via,
    /// Where the request came from that the person acts by. What is remembered of a person between
    /// requests says nothing of it.
    pub whence: Whence,
}

impl Member {
    /// Returns the person acting by a request from there, so that whatever they do in it is audited
    /// with where it came from.
    #[must_use]
    pub fn asking_from(&self, whence: Whence) -> Self {
        Self { whence, ..self.clone() }
    }

    /// Says whether the person acts in their own organisation, which has their handle.
    pub fn is_at_home(&self) -> bool {
        self.handle == self.tenant_handle
    }

    /// Says whether the person manages the instance.
    pub fn is_instance_admin(&self) -> bool {
        self.instance_role == InstanceRole::Admin
    }
}

/// How a person was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie.
    BrowserSession(BrowserSessionId),
    /// An API key, with what it may reach.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// The name its owner gave it.
        name: String,
        /// What it may reach.
        scope: KeyScope,
        /// How fast calls with it may come.
        rate: Option<Rate>,
    },
    /// An access token that the person let an MCP client have, for one preset.
    Grant {
        /// What they agreed to.
        id: GrantId,
        /// The only preset it opens.
        preset: PresetId,
        /// What it reaches of the preset.
        scopes: Scopes,
        /// The tools it has.
        tools: GrantedTools,
    },
    /// The operator at the shell of the installation.
    Shell,
}

impl Via {
    /// Returns the API key; `None` if it was something else.
    pub fn key(&self) -> Option<ApiKeyId> {
        match self {
            Self::ApiKey { id, .. } => Some(*id),
            Self::Grant { .. } | Self::BrowserSession(_) | Self::Shell => None,
        }
    }
}
