//! What will stop working, and what of it was told.

use std::time::Duration;

use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{Email, Handle, TenantId, UserId, Warning, WarningChannel, WarningKind},
    store::{Result, SystemTx, changed, on, read_word},
};

/// How long before its end a sign-in is warned of that does not renew itself.
const CONNECTION_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// How long before its token ends a sign-in is warned of that could not be renewed so far.
const FAILING_AHEAD: Duration = Duration::from_secs(2 * 60);
/// How long before its end a key is warned of that lasts twice as long.
const KEY_AHEAD: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long before its end a preset is warned of.
const PRESET_AHEAD: Duration = Duration::from_secs(3 * 24 * 3600);
/// How often one warning is tried.
const TRIES_MAX: i64 = 6;
/// How many people of an organisation are told.
const RECIPIENTS_MAX: i64 = 20;

#[derive(FromRow)]
struct WarningRow {
    tenant_id: TenantId,
    owner: Handle,
    kind: String,
    subject_id: Uuid,
    mark: i64,
    name: String,
    ends_at: Option<Ms>,
    detail: String,
    user_id: Option<Uuid>,
}

impl WarningRow {
    fn warning(self) -> Result<Warning> {
        Ok(Warning {
            tenant: self.tenant_id,
            owner: self.owner,
            kind: read_word("warnings.kind", &self.kind, WarningKind::from_word)?,
            subject: self.subject_id,
            mark: self.mark,
            name: self.name,
            ends_at: self.ends_at,
            detail: self.detail,
            user: self.user_id.filter(|user| !user.is_nil()).map(UserId),
        })
    }
}

/// What will stop working, or has for the rest of the month. A sign-in of somebody's that nobody has signed in at yet
/// never worked, and is no warning.
const WARNINGS: &str = "
    select c.tenant_id, o.handle as owner, c.id as subject_id, c.version as mark, s.name, c.expires_at as ends_at,
        c.detail, c.user_id,
        case when c.state = 'broken' then 'connection_broken' when c.renews then 'connection_failing'
            else 'connection_ends' end as kind
    from connections c
        join sources s on s.tenant_id = c.tenant_id and s.id = c.source_id
        join organisations o on o.id = c.tenant_id
    where s.enabled and (c.state = 'broken' or c.state = 'active' and (
        not c.renews and c.expires_at <= $3 or c.renews and c.detail <> '' and c.expires_at <= $4))
    union all
    select k.tenant_id, o.handle, k.id, k.expires_at, k.name, k.expires_at, '', k.user_id, 'key_ends'
    from api_keys k join organisations o on o.id = k.tenant_id
    where k.revoked_at is null and k.expires_at > $2 and k.expires_at <= $5
        and k.expires_at - k.created_at > 2 * ($5 - $2)
    union all
    select p.tenant_id, o.handle, p.id, p.expires_at, p.title, p.expires_at, '', null, 'preset_ends'
    from presets p join organisations o on o.id = p.tenant_id
    where p.status = 'active' and p.expires_at > $2 and p.expires_at <= $6
    union all
    select m.tenant_id, m.handle, m.subject_id, m.month, m.handle, cast($9 as bigint),
        cast(m.used as text) || ' of ' || cast(m.most as text), m.user_id,
        case when m.used >= m.most then m.meter || '_used' else m.meter || '_nearly_used' end
    from months m where m.used >= m.most - m.most / 5";

/// What each person and each team has used of the month, by meter, where their plan has any. Rows run ahead of what was
/// called by the leases that calls are served from: an eighth of what is left, at most.
const MONTHS: &str = "
    with charged as (
        select o.id as tenant_id, o.handle, q.user_id as subject_id, q.user_id, q.month, q.used, q.analyses,
            p.calls_per_month, p.analyses_per_month
        from quotas q join users u on u.id = q.user_id join organisations o on o.personal_of = u.id
            join plans p on p.name = u.plan
        where q.month = $10 and u.enabled
        union all
        select o.id, o.handle, o.id, null, q.month, q.used, q.analyses, p.calls_per_month, p.analyses_per_month
        from org_quotas q join organisations o on o.id = q.tenant_id join plans p on p.name = o.plan
        where q.month = $10 and o.enabled
    ), months as (
        select tenant_id, handle, subject_id, user_id, month, 'calls' as meter, used, calls_per_month as most
        from charged where calls_per_month > 0
        union all
        select tenant_id, handle, subject_id, user_id, month, 'analyses', analyses, analyses_per_month
        from charged where analyses_per_month > 0
    )";

impl SystemTx {
    /// Returns what will stop working and was not told by this channel yet, or is to be tried again, the earliest end
    /// first.
    pub async fn list_warnings(
        &mut self,
        channel: WarningChannel,
        now: Ms,
        limit: i64,
    ) -> Result<Vec<Warning>> {
        let sql = format!(
            "{MONTHS} select * from ({WARNINGS}) w
             where not exists (select 1 from told_warnings t
                where t.tenant_id = w.tenant_id and t.channel = $1 and t.kind = w.kind
                    and t.subject_id = w.subject_id and t.mark = w.mark
                    and (t.told_at is not null or t.next_at > $2 or t.tries >= $7))
             order by w.ends_at, w.subject_id limit $8"
        );
        let rows: Vec<WarningRow> = on!(self, |c| {
            query_as(sqlx::AssertSqlSafe(sql))
                .bind(channel.word())
                .bind(now)
                .bind(now.plus(CONNECTION_AHEAD))
                .bind(now.plus(FAILING_AHEAD))
                .bind(now.plus(KEY_AHEAD))
                .bind(now.plus(PRESET_AHEAD))
                .bind(TRIES_MAX)
                .bind(limit)
                .bind(now.month().end())
                .bind(now.month())
                .fetch_all(c)
                .await
        })?;
        rows.into_iter().map(WarningRow::warning).collect()
    }

    /// Takes the turn to tell a warning; until `next` nobody else does. `false` if somebody else has it, or has told it.
    pub async fn claim_warning(
        &mut self,
        channel: WarningChannel,
        warning: &Warning,
        now: Ms,
        next: Ms,
    ) -> Result<bool> {
        let claimed = changed!(
            self,
            query(
                "insert into told_warnings (tenant_id, channel, kind, subject_id, mark, tries, next_at)
                 values ($1, $2, $3, $4, $5, 1, $6)
                 on conflict (tenant_id, channel, kind, subject_id, mark) do update
                    set tries = told_warnings.tries + 1, next_at = excluded.next_at
                    where told_warnings.told_at is null and told_warnings.next_at <= $7
                        and told_warnings.tries < $8",
            )
            .bind(warning.tenant)
            .bind(channel.word())
            .bind(warning.kind.word())
            .bind(warning.subject)
            .bind(warning.mark)
            .bind(next)
            .bind(now)
            .bind(TRIES_MAX)
        );
        Ok(claimed > 0)
    }

    /// Notes that a warning was told.
    pub async fn warning_told(&mut self, channel: WarningChannel, warning: &Warning, now: Ms) -> Result<()> {
        changed!(
            self,
            query(
                "update told_warnings set told_at = $6
                 where tenant_id = $1 and channel = $2 and kind = $3 and subject_id = $4 and mark = $5",
            )
            .bind(warning.tenant)
            .bind(channel.word())
            .bind(warning.kind.word())
            .bind(warning.subject)
            .bind(warning.mark)
            .bind(now)
        );
        Ok(())
    }

    /// Returns who is told of something: the person it belongs to, or the admins of the organisation.
    pub async fn list_recipients(
        &mut self,
        tenant: TenantId,
        user: Option<UserId>,
    ) -> Result<Vec<(UserId, Email)>> {
        Ok(on!(self, |c| {
            query_as(
                "select u.id, u.email from users u
                 where u.enabled and (u.id = $2 or $3 and exists (select 1 from memberships m
                    where m.user_id = u.id and m.tenant_id = $1 and m.role = 'admin'))
                 order by u.id limit $4",
            )
            .bind(tenant)
            .bind(user.map_or(Uuid::nil(), |user| user.0))
            .bind(user.is_none())
            .bind(RECIPIENTS_MAX)
            .fetch_all(c)
            .await
        })?)
    }

    /// Forgets what was told or given up before this time.
    pub async fn forget_warnings(&mut self, before: Ms) -> Result<u64> {
        Ok(changed!(self, query("delete from told_warnings where next_at < $1").bind(before)))
    }
}
