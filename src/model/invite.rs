//! Invitations to a preset, and what they have in common with those to an organisation.

use std::time::Duration;

use crate::{
    clock::Ms,
    model::{AccessLevel, Email, Handle, InviteId, PresetId, TenantId, User, UserId},
    secret::Secret,
};

/// How long an invitation may be open.
const INVITE_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Returns the link of an invitation. The secret stands in the query, which is never logged.
pub fn invitation_link(base_url: &str, token: &Secret) -> String {
    format!("{base_url}/invitation?token={}", token.expose())
}

/// Says what is wrong with how long an invitation is to be open.
pub fn check_invite_age(lasts: Duration) -> Result<(), &'static str> {
    if lasts.is_zero() || lasts > INVITE_AGE_MAX {
        return Err("an invitation is open for 1 to 30 days");
    }
    Ok(())
}

/// An invitation that was made.
#[derive(Clone, Debug)]
pub struct Invited<T> {
    /// The invitation.
    pub invite: T,
    /// The secret end of its link, shown this once; `None` = nobody needs it, or it was sent by e-mail and is for
    /// the address alone to see.
    pub token: Option<Secret>,
}

impl<T> Invited<T> {
    /// Returns the link, below the program's address; `None` = there is none to pass on.
    pub fn link(&self, base_url: &str) -> Option<String> {
        self.token.as_ref().map(|token| invitation_link(base_url, token))
    }
}

/// An invitation that nobody has accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Names it (never its link, which is secret).
    pub id: InviteId,
    /// The organisation that owns the preset.
    pub tenant: TenantId,
    /// The preset.
    pub preset: PresetId,
    /// Whose it is alone, by the address of their account; `None` = whoever has the link, once.
    pub email: Option<Email>,
    /// What whoever accepts may do.
    pub level: AccessLevel,
    /// Who invites.
    pub by: UserId,
    /// Their handle.
    pub by_handle: Handle,
    /// Whether the link went to that address alone, so that whoever comes back with it has proven to
    /// read there.
    pub sent: bool,
    /// Who made an account by it, whose it is alone from then on; `None` = nobody.
    pub claimed_by: Option<UserId>,
    /// When it was made.
    pub created_at: Ms,
    /// When it ends.
    pub expires_at: Ms,
}

/// Whom an invitation that holds is for, as far as accounts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitee {
    /// The invitation.
    pub invite: InviteId,
    /// Whose it is alone; `None` = whoever has the link, once.
    pub email: Option<Email>,
    /// Whether coming with the link proves that address: the link went there alone, or whoever invites
    /// makes accounts for any address anyway.
    pub proves_address: bool,
}

impl Invite {
    /// Says whether this account may accept it.
    pub fn is_for(&self, account: &User) -> bool {
        self.claimed_by.is_none_or(|claimed| claimed == account.id)
            && self.email.as_ref().is_none_or(|email| *email == account.email)
    }
}
