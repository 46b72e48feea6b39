//! Who beside its owner may use a preset.

use std::collections::HashMap;

use crate::{
    clock::Ms,
    model::{AccessId, Email, Handle, Member, OrgRole, TenantId, UserId, words},
};

/// What a preset lets somebody do with it; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessLevel {
    /// Uses it.
    Viewer,
    /// Changes its texts, and what it takes of the sources it has.
    Editor,
    /// Shares it on.
    Admin,
}
words!(AccessLevel { Viewer = "viewer", Editor = "editor", Admin = "admin" });

/// Whom an entry of an access list is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// A person with an account.
    User(UserId, Handle),
    /// Whoever has the account of this address, now or later.
    Email(Email),
    /// Everybody who acts in an organisation with at least a role.
    Members(TenantId, Handle, OrgRole),
}

/// One entry of a preset's access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    /// Names it.
    pub id: AccessId,
    /// Whom it is about.
    pub who: Grantee,
    /// What they may.
    pub level: AccessLevel,
    /// The person it reaches, if it is about one who has an account that is not switched off.
    pub reaches: Option<UserId>,
    /// When it was made.
    pub created_at: Ms,
}

/// An access list as decisions are made by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    people: HashMap<UserId, AccessLevel>,
    members: Vec<(TenantId, OrgRole, AccessLevel)>,
}

impl Access {
    /// Reads a list. Of two entries that reach the same person the higher one counts.
    pub fn of(entries: &[AccessEntry]) -> Self {
        let mut access = Self::default();
        for entry in entries {
            match (&entry.who, entry.reaches) {
                (Grantee::Members(tenant, _, role), _) => access.members.push((*tenant, *role, entry.level)),
                (Grantee::User(..) | Grantee::Email(_), Some(user)) => {
                    let level = access.people.entry(user).or_insert(entry.level);
                    *level = entry.level.max(*level);
                }
                (Grantee::User(..) | Grantee::Email(_), None) => {}
            }
        }
        access
    }

    /// Returns what a person is given; `None` if nothing.
    pub fn level(&self, member: &Member) -> Option<AccessLevel> {
        let given = |(tenant, role, level): &(TenantId, OrgRole, AccessLevel)| {
            (*tenant == member.tenant && member.org_role >= *role).then_some(*level)
        };
        let as_member = self.members.iter().filter_map(given).max();
        self.people.get(&member.user).copied().max(as_member)
    }
}
