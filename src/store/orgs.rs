//! Organisations and who belongs to them. One that was removed leaves its handle, and is found nowhere.

use sqlx::{FromRow, query, query_as, query_scalar};

use crate::{
    clock::Ms,
    model::{
        Handle, InstanceRole, Member, Membership, OrgMember, OrgRole, Organisation, PlanName, SourceId,
        TenantId, UserId, Via, Whence,
    },
    store::{LIST_MAX, Result, SystemTx, changed, clean, on, read_word},
};

#[derive(FromRow)]
struct OrganisationRow {
    id: TenantId,
    handle: Handle,
    title: String,
    personal_of: Option<UserId>,
    made_by: Option<UserId>,
    plan: Option<PlanName>,
    enabled: bool,
    created_at: Ms,
}

impl From<OrganisationRow> for Organisation {
    fn from(row: OrganisationRow) -> Self {
        Self {
            id: row.id,
            handle: row.handle,
            title: row.title,
            personal_of: row.personal_of,
            made_by: row.made_by,
            plan: row.plan,
            enabled: row.enabled,
            created_at: row.created_at,
        }
    }
}

#[derive(FromRow)]
struct MembershipRow {
    #[sqlx(flatten)]
    organisation: OrganisationRow,
    role: String,
}

#[derive(FromRow)]
struct OrgMemberRow {
    user_id: UserId,
    handle: Handle,
    role: String,
    enabled: bool,
    created_at: Ms,
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
    /// Adds a team with its first administrator. A handle that anybody has, or had, is
    /// `Conflict { what: "organisations.handle" }`.
    pub async fn add_organisation(&mut self, organisation: &Organisation, admin: UserId) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into organisations (id, handle, title, made_by, plan, enabled, created_at)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(organisation.id)
            .bind(&organisation.handle)
            .bind(clean(&organisation.title))
            .bind(organisation.made_by)
            .bind(&organisation.plan)
            .bind(organisation.enabled)
            .bind(organisation.created_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        self.put_member(organisation.id, admin, OrgRole::Admin, organisation.created_at).await
    }

    /// Replaces title, switch and plan of a team; `false` if there is none of that id.
    pub async fn update_organisation(&mut self, organisation: &Organisation) -> Result<bool> {
        let updated = changed!(
            self,
            query(
                "update organisations set title = $2, enabled = $3, plan = $4
                 where id = $1 and personal_of is null and removed_at is null",
            )
            .bind(organisation.id)
            .bind(clean(&organisation.title))
            .bind(organisation.enabled)
            .bind(&organisation.plan)
        );
        Ok(updated > 0)
    }

    /// Removes a team with everything it owns; its handle stays taken for good. `false` if there is none of that id.
    pub async fn remove_organisation(&mut self, id: TenantId, now: Ms) -> Result<bool> {
        let Some(organisation) = self.find_organisation(id).await?.filter(|found| !found.is_personal())
        else {
            return Ok(false);
        };
        // A tunnel goes after the sources through it.
        changed!(self, query("delete from sources where tenant_id = $1").bind(id));
        let removed =
            changed!(self, query("delete from organisations where id = $1 and personal_of is null").bind(id));
        if removed == 0 {
            return Ok(false);
        }
        // A row of its own in place of it, so that whatever refers to an organisation went with the first.
        on!(self, |c| {
            query(
                "insert into organisations (id, handle, enabled, created_at, removed_at)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(id)
            .bind(&organisation.handle)
            .bind(false)
            .bind(organisation.created_at)
            .bind(now)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(true)
    }

    /// Returns how many teams that a person made are there.
    pub async fn count_organisations_made(&mut self, by: UserId) -> Result<i64> {
        Ok(on!(self, |c| {
            query_scalar("select count(*) from organisations where made_by = $1").bind(by).fetch_one(c).await
        })?)
    }

    /// Finds an organisation.
    pub async fn find_organisation(&mut self, id: TenantId) -> Result<Option<Organisation>> {
        let row: Option<OrganisationRow> = on!(self, |c| {
            query_as("select * from organisations where id = $1 and removed_at is null")
                .bind(id)
                .fetch_optional(c)
                .await
        })?;
        Ok(row.map(Organisation::from))
    }

    /// Finds an organisation by its handle.
    pub async fn find_organisation_by_handle(&mut self, handle: &Handle) -> Result<Option<Organisation>> {
        let row: Option<OrganisationRow> = on!(self, |c| {
            query_as("select * from organisations where handle = $1 and removed_at is null")
                .bind(handle)
                .fetch_optional(c)
                .await
        })?;
        Ok(row.map(Organisation::from))
    }

    /// Says whether an organisation has a handle, or had it.
    pub async fn handle_is_taken(&mut self, handle: &Handle) -> Result<bool> {
        Ok(on!(self, |c| {
            query_scalar("select exists (select 1 from organisations where handle = $1)")
                .bind(handle)
                .fetch_one(c)
                .await
        })?)
    }

    /// Returns organisations in the order of their ids, those after `after`.
    pub async fn list_organisations(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<Organisation>> {
        let after = after.unwrap_or(TenantId(uuid::Uuid::nil()));
        let rows: Vec<OrganisationRow> = on!(self, |c| {
            query_as("select * from organisations where id > $1 and removed_at is null order by id limit $2")
                .bind(after)
                .bind(limit)
                .fetch_all(c)
                .await
        })?;
        Ok(rows.into_iter().map(Organisation::from).collect())
    }

    /// Returns the teams by handle.
    pub async fn list_teams(&mut self) -> Result<Vec<Organisation>> {
        let rows: Vec<OrganisationRow> = on!(self, |c| {
            query_as(
                "select * from organisations where personal_of is null and removed_at is null
                 order by handle limit $1",
            )
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        Ok(rows.into_iter().map(Organisation::from).collect())
    }

    /// Returns the teams after `after` in the order of their ids, each with its plan.
    pub async fn list_team_plans(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<(TenantId, Option<PlanName>)>> {
        let after = after.unwrap_or(TenantId(uuid::Uuid::nil()));
        Ok(on!(self, |c| {
            query_as(
                "select id, plan from organisations
                 where id > $1 and personal_of is null and removed_at is null order by id limit $2",
            )
            .bind(after)
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }

    /// Returns the organisations a person belongs to, the personal one first.
    pub async fn memberships(&mut self, user: UserId) -> Result<Vec<Membership>> {
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
                Ok(Membership { organisation: row.organisation.into(), role })
            })
            .collect()
    }

    /// Returns who belongs to an organisation, by handle.
    pub async fn list_members(&mut self, tenant: TenantId) -> Result<Vec<OrgMember>> {
        let rows: Vec<OrgMemberRow> = on!(self, |c| {
            query_as(
                "select m.user_id, u.handle, m.role, u.enabled, m.created_at
                 from memberships m join users u on u.id = m.user_id
                 where m.tenant_id = $1 order by u.handle limit $2",
            )
            .bind(tenant)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter()
            .map(|row| {
                Ok(OrgMember {
                    user: row.user_id,
                    handle: row.handle,
                    role: read_word("memberships.role", &row.role, OrgRole::from_word)?,
                    enabled: row.enabled,
                    since: row.created_at,
                })
            })
            .collect()
    }

    /// Has a person belong to an organisation in this role, whatever they were before.
    pub async fn put_member(&mut self, tenant: TenantId, user: UserId, role: OrgRole, now: Ms) -> Result<()> {
        on!(self, |c| {
            query(
                "insert into memberships (tenant_id, user_id, role, created_at) values ($1, $2, $3, $4)
                 on conflict (tenant_id, user_id) do update set role = excluded.role",
            )
            .bind(tenant)
            .bind(user)
            .bind(role.word())
            .bind(now)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Takes a person out of an organisation that is not their own, with their keys, what they let clients do and
    /// their own sign-ins at sources there; their browsers act in their own organisation from then on. Returns the
    /// sources they had signed in to; `None` if they did not belong to it.
    pub async fn remove_member(&mut self, tenant: TenantId, user: UserId) -> Result<Option<Vec<SourceId>>> {
        self.send_browser_sessions_home(tenant, Some(user)).await?;
        let removed = changed!(
            self,
            query("delete from memberships where tenant_id = $1 and user_id = $2").bind(tenant).bind(user)
        );
        if removed == 0 {
            return Ok(None);
        }
        let left: Vec<SourceId> = on!(self, |c| {
            query_scalar("delete from connections where tenant_id = $1 and user_id = $2 returning source_id")
                .bind(tenant)
                .bind(user)
                .fetch_all(c)
                .await
        })?;
        Ok(Some(left))
    }

    /// Returns a person acting in an organisation; `None` if the account or the organisation is switched off, or they
    /// are no member of it.
    pub async fn find_member(&mut self, user: UserId, tenant: TenantId, via: Via) -> Result<Option<Member>> {
        let row: Option<MemberRow> = on!(self, |c| {
            query_as(
                "select m.tenant_id, m.user_id, u.handle as user_handle, o.handle as tenant_handle,
                    m.role as org_role, case when u.audits then 'auditor' else u.role end as instance_role,
                    u.plan, u.enabled
                 from memberships m
                    join users u on u.id = m.user_id
                    join organisations o on o.id = m.tenant_id
                 where m.user_id = $1 and m.tenant_id = $2 and u.enabled and o.enabled",
            )
            .bind(user)
            .bind(tenant)
            .fetch_optional(c)
            .await
        })?;
        row.map(|row| row.member(via)).transpose()
    }

    /// Returns a person as whom they use what an organisation owns: acting in it if they belong to it, in their own
    /// organisation otherwise. `None` if the account is switched off.
    pub async fn find_caller(&mut self, user: UserId, of: TenantId, via: Via) -> Result<Option<Member>> {
        if let Some(member) = self.find_member(user, of, via.clone()).await? {
            return Ok(Some(member));
        }
        let Some(account) = self.find_user(user).await? else { return Ok(None) };
        self.find_member(user, account.tenant, via).await
    }

    /// Returns a person who administers an organisation and is switched on, the longest-serving one; `None` if
    /// nobody does.
    pub async fn find_org_admin(&mut self, tenant: TenantId) -> Result<Option<UserId>> {
        Ok(on!(self, |c| {
            query_scalar(
                "select m.user_id from memberships m join users u on u.id = m.user_id
                 where m.tenant_id = $1 and m.role = $2 and u.enabled
                 order by m.created_at, m.user_id limit 1",
            )
            .bind(tenant)
            .bind(OrgRole::Admin.word())
            .fetch_optional(c)
            .await
        })?)
    }

    /// Returns the organisations after `after` in the order of their ids, each with the plans that say how long what
    /// was recorded there is kept: its own, else those of the people who administer it.
    pub async fn list_keeping_plans(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<(TenantId, Vec<PlanName>)>> {
        let organisations = self.list_organisations(after, limit).await?;
        let Some(last) = organisations.last() else { return Ok(Vec::new()) };
        let after = after.unwrap_or(TenantId(uuid::Uuid::nil()));
        let rows: Vec<(TenantId, PlanName)> = on!(self, |c| {
            query_as(
                "select distinct m.tenant_id, u.plan from memberships m join users u on u.id = m.user_id
                 where m.tenant_id > $1 and m.tenant_id <= $2 and m.role = $3",
            )
            .bind(after)
            .bind(last.id)
            .bind(OrgRole::Admin.word())
            .fetch_all(c)
            .await
        })?;
        let plans = |organisation: &Organisation| match &organisation.plan {
            Some(plan) => vec![plan.clone()],
            None => {
                let of = rows.iter().filter(|(of, _)| *of == organisation.id);
                of.map(|(_, plan)| plan.clone()).collect()
            }
        };
        Ok(organisations.iter().map(|organisation| (organisation.id, plans(organisation))).collect())
    }
}
