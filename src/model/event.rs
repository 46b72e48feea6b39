//! Run events: one audited action each.

use crate::{
    clock::Ms,
    model::{ApiKeyId, EventId, PresetId, SourceId, TenantId, UserId, words},
};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A tool was called.
    ToolCall,
    /// A resource was read.
    ResourceRead,
    /// A prompt was filled in.
    PromptGet,
    /// Values of an argument were asked for.
    Completion,
    /// Somebody signed in, or tried to.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// A password was changed.
    PasswordChange,
    /// A login with another identity provider was added or removed.
    LoginChange,
    /// A second factor of an account was added, changed or taken away, or its recovery codes replaced.
    FactorChange,
    /// An account was made, changed or switched off.
    UserChange,
    /// An organisation was made, changed, left or removed, or somebody was invited to it or given a role in it.
    OrganisationChange,
    /// A plan was made or changed.
    PlanChange,
    /// A source was made, changed, tested, deleted, or its tools accepted.
    SourceChange,
    /// A tunnel was made, changed, tested, deleted, or a host key of it confirmed.
    TunnelChange,
    /// An analysis was begun, cancelled or removed.
    AnalysisChange,
    /// A preset was made, changed or deleted.
    PresetChange,
    /// An API key was made.
    KeyCreate,
    /// How fast calls with an API key may come was changed.
    KeyEdit,
    /// An API key was revoked.
    KeyRevoke,
    /// A person let an MCP client use a preset.
    GrantCreate,
    /// A client lost what a person had let it do.
    GrantRevoke,
    /// The audit log itself was vouched for, or what named a person was erased from it.
    AuditChange,
}
words!(Action {
    ToolCall = "tool_call",
    ResourceRead = "resource_read",
    PromptGet = "prompt_get",
    Completion = "completion",
    SignIn = "sign_in",
    SignOut = "sign_out",
    PasswordChange = "password_change",
    LoginChange = "login_change",
    FactorChange = "factor_change",
    UserChange = "user_change",
    OrganisationChange = "organisation_change",
    PlanChange = "plan_change",
    SourceChange = "source_change",
    TunnelChange = "tunnel_change",
    AnalysisChange = "analysis_change",
    PresetChange = "preset_change",
    KeyCreate = "key_create",
    KeyEdit = "key_edit",
    KeyRevoke = "key_revoke",
    GrantCreate = "grant_create",
    GrantRevoke = "grant_revoke",
    AuditChange = "audit_change",
});

impl Action {
    /// Says whether a source was asked something on behalf of a caller of a preset. These are
    /// measured, the others only kept.
    pub fn is_call(self) -> bool {
        matches!(self, Self::ToolCall | Self::ResourceRead | Self::PromptGet | Self::Completion)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It worked.
    Ok,
    /// The tool itself answered with an error.
    ToolError,
    /// The request was wrong.
    Caller,
    /// It was refused: permission, quota, limit.
    Refused,
    /// The source failed.
    Upstream,
    /// Doorward failed.
    Gateway,
    /// The caller went away or cancelled.
    Cancelled,
}
words!(Outcome {
    Ok = "ok",
    ToolError = "tool_error",
    Caller = "caller",
    Refused = "refused",
    Upstream = "upstream",
    Gateway = "gateway",
    Cancelled = "cancelled",
});

impl Outcome {
    /// Says whether it counts as an error in the metrics.
    pub fn is_error(self) -> bool {
        self != Self::Ok
    }
}

/// One audited action. Holds no argument, no result and no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEvent {
    /// Names it.
    pub id: EventId,
    /// The organisation whose thing was used or changed.
    pub tenant: TenantId,
    /// When it ended.
    pub at: Ms,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so, in words; empty when it worked.
    pub reason: String,
    /// Who did it; `None` = anonymous.
    pub user: Option<UserId>,
    /// Their handle at the time, or `anonymous`.
    pub principal: String,
    /// The API key used, if one was.
    pub key: Option<ApiKeyId>,
    /// Where the caller was, as an IP address.
    pub address: String,
    /// What the calling program calls itself, as `name version`.
    pub client: String,
    /// The protocol revision the caller spoke; empty outside MCP.
    pub revision: String,
    /// The preset called or changed.
    pub preset: Option<PresetId>,
    /// Its slug at the time; empty if none.
    pub preset_slug: String,
    /// The source called or changed.
    pub source: Option<SourceId>,
    /// Its name at the time; empty if none.
    pub source_name: String,
    /// The tool by its exposed name, or the thing changed; empty if none.
    pub subject: String,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// The size of the request's body, in bytes.
    pub request_bytes: i64,
    /// The size of the answer's body, in bytes.
    pub response_bytes: i64,
    /// SHA-256 of the arguments as sent, as hexadecimal; empty if there were none.
    pub argument_digest: String,
    /// The request's id, as in the logs.
    pub request_id: String,
    /// The trace it belongs to, if its caller named one. Kept beside the event, and no part of what is chained.
    pub trace: Option<TraceContext>,
}

/// Which trace a request belongs to, as W3C Trace Context names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The caller's span.
    pub span_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

impl RunEvent {
    /// Returns an action that worked, of which nothing else is known yet.
    pub fn new(tenant: TenantId, at: Ms, action: Action) -> Self {
        Self {
            id: EventId::new(),
            tenant,
            at,
            action,
            outcome: Outcome::Ok,
            reason: String::new(),
            user: None,
            principal: String::new(),
            key: None,
            address: String::new(),
            client: String::new(),
            revision: String::new(),
            preset: None,
            preset_slug: String::new(),
            source: None,
            source_name: String::new(),
            subject: String::new(),
            duration_us: 0,
            request_bytes: 0,
            response_bytes: 0,
            argument_digest: String::new(),
            request_id: String::new(),
            trace: None,
        }
    }

    /// Says whether it holds who it was or from where.
    pub fn names_somebody(&self) -> bool {
        let texts = [&self.principal, &self.address, &self.client, &self.argument_digest, &self.request_id];
        self.user.is_some()
            || self.key.is_some()
            || self.trace.is_some()
            || texts.into_iter().any(|text| !text.is_empty())
    }

    /// Says whether it holds what it was done to or why it ended so.
    pub fn says_something(&self) -> bool {
        !self.subject.is_empty() || !self.reason.is_empty()
    }

    /// Empties who it was and from where. The digest of the arguments and the id of the request lead to them: the one
    /// can be guessed at, the other is in logs.
    pub fn forget_who(&mut self) {
        (self.user, self.key, self.trace) = (None, None, None);
        for text in [
            &mut self.principal,
            &mut self.address,
            &mut self.client,
            &mut self.argument_digest,
            &mut self.request_id,
        ] {
            text.clear();
        }
    }

    /// Empties what it was done to and why it ended so.
    pub fn forget_what(&mut self) {
        self.subject.clear();
        self.reason.clear();
    }

    /// Returns a call of `echo` that worked, for tests.
    #[cfg(test)]
    pub(crate) fn example(tenant: TenantId) -> Self {
        Self {
            principal: "anonymous".into(),
            address: "127.0.0.1".into(),
            client: "test 1".into(),
            revision: "2026-07-28".into(),
            subject: "echo".into(),
            duration_us: 1000,
            ..Self::new(tenant, Ms(60_000), Action::ToolCall)
        }
    }
}
