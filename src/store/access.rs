//! The access lists of presets, and what is shared with somebody.

use sqlx::{FromRow, query, query_as};

use crate::{
    clock::Ms,
    model::{
        AccessEntry, AccessId, AccessLevel, Email, Grantee, Handle, Member, OrgRole, Preset, PresetId,
        TenantId, UserId,
    },
    store::{Inner, LIST_MAX, Result, StoreError, SystemTx, Tx, changed, on, presets::PresetRow, read_word},
};

#[derive(FromRow)]
struct AccessRow {
    id: AccessId,
    user_id: Option<UserId>,
    user_handle: Option<Handle>,
    email: Option<Email>,
    org_id: Option<TenantId>,
    org_handle: Option<Handle>,
    org_role: Option<String>,
    level: String,
    reaches: Option<UserId>,
    created_at: Ms,
}

impl AccessRow {
    fn entry(self) -> Result<AccessEntry> {
        let who = match (self.user_id, self.user_handle, self.email, self.org_id, self.org_handle) {
            (Some(user), Some(handle), None, None, None) => Grantee::User(user, handle),
            (None, None, Some(email), None, None) => Grantee::Email(email),
            (None, None, None, Some(tenant), Some(handle)) => {
                let role = self.org_role.unwrap_or_default();
                let role = read_word("preset_access.org_role", &role, OrgRole::from_word)?;
                Grantee::Members(tenant, handle, role)
            }
            _ => {
                let detail = format!("entry {} is about nobody or two", self.id);
                return Err(StoreError::Corrupt { what: "preset_access", detail });
            }
        };
        Ok(AccessEntry {
            id: self.id,
            who,
            level: read_word("preset_access.level", &self.level, AccessLevel::from_word)?,
            reaches: self.reaches,
            created_at: self.created_at,
        })
    }
}

#[derive(FromRow)]
pub(super) struct OwnedRow {
    #[sqlx(flatten)]
    preset: PresetRow,
    owner_handle: Handle,
}

impl OwnedRow {
    pub(super) fn owned(self) -> Result<(Preset, Handle)> {
        Ok((self.preset.preset()?, self.owner_handle))
    }
}

impl Tx {
    /// Returns the access list of a preset, the oldest entry first.
    pub async fn list_access(&mut self, preset: PresetId) -> Result<Vec<AccessEntry>> {
        let rows: Vec<AccessRow> = match &mut self.inner {
            Inner::Sqlite(transaction) => {
                query_as(
                    "select a.id, a.user_id, n.handle as user_handle, a.email, a.org_id,
                        o.handle as org_handle, a.org_role, a.level, u.id as reaches, a.created_at
                     from preset_access a
                        left join users n on n.id = a.user_id
                        left join organisations o on o.id = a.org_id
                        left join users u on (u.id = a.user_id or u.email = a.email) and u.enabled
                     where a.tenant_id = $1 and a.preset_id = $2
                     order by a.created_at, a.id",
                )
                .bind(self.tenant)
                .bind(preset)
                .fetch_all(&mut **transaction)
                .await?
            }
            Inner::Postgres(transaction) => {
                query_as("select * from list_preset_access($1)")
                    .bind(preset)
                    .fetch_all(&mut **transaction)
                    .await?
            }
        };
        rows.into_iter().map(AccessRow::entry).collect()
    }

    /// Adds an entry to the access list of a preset of this organisation. A second entry about the
    /// same person, address or organisation is a `Conflict`, a preset that is not there `Dangling`.
    pub async fn add_access(&mut self, preset: PresetId, entry: &AccessEntry) -> Result<()> {
        let tenant = self.tenant;
        let (user, email, org, role) = match &entry.who {
            Grantee::User(user, _) => (Some(*user), None, None, None),
            Grantee::Email(email) => (None, Some(email), None, None),
            Grantee::Members(org, _, role) => (None, None, Some(*org), Some(role.word())),
        };
        on!(self, |c| {
            query(
                "insert into preset_access
                    (tenant_id, id, preset_id, user_id, email, org_id, org_role, level, created_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(tenant)
            .bind(entry.id)
            .bind(preset)
            .bind(user)
            .bind(email)
            .bind(org)
            .bind(role)
            .bind(entry.level.word())
            .bind(entry.created_at)
            .execute(c)
            .await
            .map(drop)
        })?;
        Ok(())
    }

    /// Takes an entry off the access list of a preset; `false` if it is not on it.
    pub async fn remove_access(&mut self, preset: PresetId, id: AccessId) -> Result<bool> {
        let tenant = self.tenant;
        let removed = changed!(
            self,
            query("delete from preset_access where tenant_id = $1 and preset_id = $2 and id = $3")
                .bind(tenant)
                .bind(preset)
                .bind(id)
        );
        Ok(removed > 0)
    }
}

impl SystemTx {
    /// Finds a preset of any organisation, with the owner's part of its address.
    pub async fn find_preset_anywhere(&mut self, id: PresetId) -> Result<Option<(Preset, Handle)>> {
        let row: Option<OwnedRow> = on!(self, |c| {
            query_as(
                "select p.*, o.handle as owner_handle from presets p
                    join organisations o on o.id = p.tenant_id
                 where p.id = $1 and o.enabled",
            )
            .bind(id)
            .fetch_optional(c)
            .await
        })?;
        row.map(OwnedRow::owned).transpose()
    }

    /// Returns the presets of other organisations whose access lists reach a person, by address.
    pub async fn presets_shared_with(&mut self, member: &Member) -> Result<Vec<(Preset, Handle)>> {
        // Those roles that somebody with this one has too.
        let has = |role: OrgRole| if member.org_role >= role { role } else { OrgRole::Viewer };
        let (operator, admin) = (has(OrgRole::Operator).word(), has(OrgRole::Admin).word());
        let rows: Vec<OwnedRow> = on!(self, |c| {
            query_as(
                "select p.*, o.handle as owner_handle from presets p
                    join organisations o on o.id = p.tenant_id
                 where p.tenant_id <> $2 and o.enabled and exists (
                    select 1 from preset_access a
                    where a.tenant_id = p.tenant_id and a.preset_id = p.id and (
                        a.user_id = $1
                        or a.email = (select u.email from users u where u.id = $1)
                        or (a.org_id = $2 and a.org_role in ('viewer', $3, $4))))
                 order by o.handle, p.slug limit $5",
            )
            .bind(member.user)
            .bind(member.tenant)
            .bind(operator)
            .bind(admin)
            .bind(LIST_MAX)
            .fetch_all(c)
            .await
        })?;
        rows.into_iter().map(OwnedRow::owned).collect()
    }
}
