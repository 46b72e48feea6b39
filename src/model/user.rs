//! People and their browsers.

use crate::{
    clock::Ms,
    model::{BrowserSessionId, Email, Handle, PlanName, TenantId, UserId, words},
};

/// What a person may do to the instance as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceRole {
    /// Manages users, organisations and plans, and may start processes (`mcp_stdio` sources).
    Admin,
    /// Reads the audit log of every organisation, and beside that is as everybody else.
    Auditor,
    /// Everybody else.
    Member,
}
words!(InstanceRole { Admin = "admin", Auditor = "auditor", Member = "member" });

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Names it.
    pub id: UserId,
    /// The personal organisation.
    pub tenant: TenantId,
    /// The public name, also the owner's part of addresses.
    pub handle: Handle,
    /// Where to write to.
    pub email: Email,
    /// The role on the instance.
    pub role: InstanceRole,
    /// What the account may use in a month.
    pub plan: PlanName,
    /// Whether the account may sign in and its keys work.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Ms,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserSession {
    /// Names it.
    pub id: BrowserSessionId,
    /// Who signed in.
    pub user: UserId,
    /// The organisation it acts in.
    pub tenant: TenantId,
    /// What the browser said it was, cut to 200 characters.
    pub user_agent: String,
    /// Where the sign-in came from.
    pub address: String,
    /// When the person signed in.
    pub created_at: Ms,
    /// When it was last seen, to the minute.
    pub seen_at: Ms,
    /// When it ends.
    pub expires_at: Ms,
}
