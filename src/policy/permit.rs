//! Proofs that a check was made. Their fields are private and only `policy` makes them.

use std::sync::Arc;

use super::Denied;
use crate::model::{
    AccessLevel, ApiKeyId, Handle, Member, Preset, PresetId, Principal, RunEvent, TenantId, UserId, Whence,
};

/// Its holder may look at what an organisation has.
#[derive(Clone, Copy, Debug)]
pub struct SeePermit {
    tenant: TenantId,
}

impl SeePermit {
    pub(super) fn new(tenant: TenantId) -> Self {
        Self { tenant }
    }

    /// Returns the organisation.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// Its holder may change what an organisation has.
#[derive(Clone, Debug)]
pub struct ManagePermit {
    tenant: TenantId,
    actor: Actor,
}

impl ManagePermit {
    pub(super) fn new(tenant: TenantId, member: &Member) -> Self {
        Self { tenant, actor: Actor::of(member) }
    }

    /// Returns the organisation.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns who asked.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

/// Its holder may manage their own account.
#[derive(Clone, Debug)]
pub struct AccountPermit {
    actor: Actor,
    user: UserId,
    tenant: TenantId,
}

impl AccountPermit {
    pub(super) fn new(member: &Member) -> Self {
        Self { actor: Actor::of(member), user: member.user, tenant: member.tenant }
    }

    /// Returns whose account it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Returns the organisation acted in.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns who asked.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

/// Its holder may have the gateway start processes.
#[derive(Clone, Copy, Debug)]
pub struct ProcessPermit(());

impl ProcessPermit {
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// Its holder may manage users and plans.
#[derive(Clone, Debug)]
pub struct AdminPermit {
    actor: Actor,
}

impl AdminPermit {
    pub(super) fn new(member: &Member) -> Self {
        Self { actor: Actor::of(member) }
    }

    pub(super) fn at_the_shell() -> Self {
        Self { actor: Actor { user: None, handle: None, tenant: None, key: None, whence: Whence::default() } }
    }

    /// Returns who asked.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

/// Its holder may do something with one preset.
#[derive(Clone, Debug)]
pub struct PresetPermit {
    tenant: TenantId,
    preset: PresetId,
    level: AccessLevel,
    owns: bool,
    tries: bool,
}

impl PresetPermit {
    pub(super) fn new(preset: &Preset, level: AccessLevel, owns: bool, tries: bool) -> Self {
        Self { tenant: preset.tenant, preset: preset.id, level, owns, tries }
    }

    /// Returns the organisation that owns the preset.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns the preset.
    pub fn preset(&self) -> PresetId {
        self.preset
    }

    /// Returns what the person may do.
    pub fn level(&self) -> AccessLevel {
        self.level
    }

    /// Says whether the person manages the organisation that owns the preset.
    pub fn owns(&self) -> bool {
        self.owns
    }

    /// Says whether the person may try it in the console: in its own organisation that takes an operator.
    pub fn tries(&self) -> bool {
        self.tries
    }

    /// Refuses whoever may less than this.
    pub fn at_least(&self, needs: AccessLevel) -> Result<(), Denied> {
        if self.level >= needs { Ok(()) } else { Err(Denied::Level { needs }) }
    }

    /// Refuses whoever only had it shared with them.
    pub fn owner(&self) -> Result<(), Denied> {
        if self.owns { Ok(()) } else { Err(Denied::Owner) }
    }
}

/// Its holder may have the console call presets for a person.
#[derive(Clone, Debug)]
pub struct TryPermit {
    member: Arc<Member>,
}

impl TryPermit {
    pub(super) fn new(member: &Arc<Member>) -> Self {
        Self { member: Arc::clone(member) }
    }

    /// Returns who tries.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }
}

/// Its holder may read events of one organisation.
#[derive(Clone, Copy, Debug)]
pub struct AuditPermit {
    tenant: TenantId,
    by: Option<UserId>,
    digests: bool,
}

impl AuditPermit {
    pub(super) fn new(tenant: TenantId, by: Option<UserId>, digests: bool) -> Self {
        Self { tenant, by, digests }
    }

    /// Returns the organisation.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns whose events alone may be read; `None` = everybody's.
    pub fn by(&self) -> Option<UserId> {
        self.by
    }

    /// Says whether the digests of what callers sent may be read.
    pub fn digests(&self) -> bool {
        self.digests
    }

    /// Says whether this event may be read.
    pub fn shows(&self, event: &RunEvent) -> bool {
        event.tenant == self.tenant && self.by.is_none_or(|by| event.user == Some(by))
    }
}

/// Its holder may call one preset.
#[derive(Clone, Debug)]
pub struct CallPermit {
    caller: Principal,
    preset: PresetId,
    tenant: TenantId,
}

impl CallPermit {
    pub(super) fn new(caller: Principal, preset: &Preset) -> Self {
        Self { caller, preset: preset.id, tenant: preset.tenant }
    }

    /// Returns who calls.
    pub fn caller(&self) -> &Principal {
        &self.caller
    }

    /// Returns the preset.
    pub fn preset(&self) -> PresetId {
        self.preset
    }

    /// Returns the organisation that owns the preset.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// Who asked for a permit, for the audit log.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The person; `None` = the operator at the shell.
    pub user: Option<UserId>,
    /// Their handle; `None` = the operator at the shell.
    pub handle: Option<Handle>,
    /// The organisation they act in; `None` = the operator at the shell.
    pub tenant: Option<TenantId>,
    /// The API key used, if one was.
    pub key: Option<ApiKeyId>,
    /// Where they asked from.
    pub whence: Whence,
}

impl Actor {
    /// Describes a person.
    pub fn of(member: &Member) -> Self {
        Self {
            user: Some(member.user),
            handle: Some(member.handle.clone()),
            tenant: Some(member.tenant),
            key: member.via.key(),
            whence: member.whence,
        }
    }

    /// Returns the name the audit log shows.
    pub fn principal(&self) -> &str {
        self.handle.as_ref().map_or("operator", Handle::as_str)
    }
}
