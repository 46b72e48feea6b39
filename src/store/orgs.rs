//! Organisations and who belongs to them.

use sqlx::{FromRow, query_as};

use crate::{
    clock::Ms,
    model::{Handle, InstanceRole, Member, OrgRole, Organisation, PlanName, TenantId, UserId, Via, Whence},
    store::{LIST_MAX, Result, SystemTx, on, read_word},
};

#[derive(FromRow)]
struct OrganisationRow {
    id: TenantId,
    handle: Handle,
    personal_of: Option<UserId>,
    created_at: Ms,
}

impl From<OrganisationRow> for Organisation {
    fn from(row: OrganisationRow) -> Self {
        Self { id: row.id, handle: row.handle, personal_of: row.personal_of, created_at: row.created_at }
    }
}

#[derive(FromRow)]
struct MembershipRow {
    #[sqlx(flatten)]
    organisation: OrganisationRow,
    role: String,
}

/// The columns that make a [`Member`], in every query that finds one.
#[derive(FromRow)]
pub(super) struct MemberRow {
    tenant_id: TenantId,
    user_id: UserId,
    user_handle: Handle,
    tenant_handle: Handle,
    org_role: String,
    instance_role: String,
    plan: PlanName,
    pub(super) enabled: bool,
}

impl MemberRow {
    pub(super) fn member(self, via: Via) -> Result<Member> {
        Ok(Member {
            user: self.user_id,
            handle: self.user_handle,
            tenant: self.tenant_id,
            tenant_handle: self.tenant_handle,
            org_role: read_word("memberships.role", &self.org_role, OrgRole::from_word)?,
            instance_role: read_word("users.role", &self.instance_role, InstanceRole::from_word)?,
            plan: self.plan,
            via,
            whence: Whence::default(),
        })
    }
}

impl SystemTx {
    /// Finds an organisation.
    pub async fn find_organisation(&mut self, id: TenantId) -> Result<Option<Organisation>> {
        let row: Option<OrganisationRow> = on!(self, |c| {
            query_as("select * from organisations where id = $1").bind(id).fetch_optional(c).await
        })?;
        Ok(row.map(Organisation::from))
    }

    /// Finds an organisation by its handle.
    pub async fn find_organisation_by_handle(&mut self, handle: &Handle) -> Result<Option<Organisation>> {
        let row: Option<OrganisationRow> = on!(self, |c| {
            query_as("select * from organisations where handle = $1").bind(handle).fetch_optional(c).await
        })?;
        Ok(row.map(Organisation::from))
    }

    /// Returns organisations in the order of their ids, those after `after`.
    pub async fn list_organisations(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<Organisation>> {
        let after = after.unwrap_or(TenantId(uuid::Uuid::nil()));
        let rows: Vec<OrganisationRow> = on!(self, |c| {
            query_as("select * from organisations where id > $1 order by id limit $2")
                .bind(after)
                .bind(limit)
                .fetch_all(c)
                .await
        })?;
        Ok(rows.into_iter().map(Organisation::from).collect())
    }

    /// Returns the organisations a person belongs to, the personal one first.
    pub async fn memberships(&mut self, user: UserId) -> Result<Vec<(Organisation, OrgRole)>> {
        let rows: Vec<MembershipRow> = on!(self, |c| {
            query_as(
                "select o.*, m.role from memberships m join organisations o on o.id = m.tenant_id
                 where m.user_id = $1
                 order by case when o.personal_of = m.user_id then 0 else 1 end, o.handle limit $2",
            )
            .bind(user)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter()
            .map(|row| {
                let role = read_word("memberships.role", &row.role, OrgRole::from_word)?;
                Ok((row.organisation.into(), role))
            })
            .collect()
    }

    /// Returns a person acting in an organisation; `None` if the account is switched off or is no
    /// member of it.
    pub async fn find_member(&mut self, user: UserId, tenant: TenantId, via: Via) -> Result<Option<Member>> {
        let row: Option<MemberRow> = on!(self, |c| {
            query_as(
                "select m.tenant_id, m.user_id, u.handle as user_handle, o.handle as tenant_handle,
                    m.role as org_role, u.role as instance_role, u.plan, u.enabled
                 from memberships m
                    join users u on u.id = m.user_id
                    join organisations o on o.id = m.tenant_id
                 where m.user_id = $1 and m.tenant_id = $2 and u.enabled",
            )
            .bind(user)
            .bind(tenant)
            .fetch_optional(c)
            .await
        })?;
        row.map(|row| row.member(via)).transpose()
    }
}
