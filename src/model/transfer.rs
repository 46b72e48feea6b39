//! Offers to hand a preset over.

use crate::{
    clock::Ms,
    model::{Handle, PresetId, TenantId, UserId},
};

/// An owner's offer to hand a preset over, which nobody has answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The organisation that owns the preset.
    pub tenant: TenantId,
    /// The preset.
    pub preset: PresetId,
    /// Who may take it over.
    pub to: UserId,
    /// Their handle.
    pub to_handle: Handle,
    /// Who offers it.
    pub by: UserId,
    /// Their handle.
    pub by_handle: Handle,
    /// When it was offered.
    pub created_at: Ms,
    /// When the offer ends.
    pub expires_at: Ms,
}
