//! Organisations and who belongs to them.

use crate::{
    model::{Handle, Member, OrgRole, Organisation, TenantId, UserId, Via},
    store::{Result, SystemTx},
};

impl SystemTx {
    /// Finds an organisation.
    pub async fn find_organisation(&mut self, id: TenantId) -> Result<Option<Organisation>> {
        let _ = id;
        todo!()
    }

    /// Finds an organisation by its handle.
    pub async fn find_organisation_by_handle(&mut self, handle: &Handle) -> Result<Option<Organisation>> {
        let _ = handle;
        todo!()
    }

    /// Returns organisations in the order of their ids, those after `after`.
    pub async fn list_organisations(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<Organisation>> {
        let _ = (after, limit);
        todo!()
    }

    /// Returns the organisations a person belongs to, the personal one first.
    pub async fn memberships(&mut self, user: UserId) -> Result<Vec<(Organisation, OrgRole)>> {
        let _ = user;
        todo!()
    }

    /// Returns a person acting in an organisation; `None` if the account is switched off or is no
    /// member of it.
    pub async fn find_member(&mut self, user: UserId, tenant: TenantId, via: Via) -> Result<Option<Member>> {
        let _ = (user, tenant, via);
        todo!()
    }
}
