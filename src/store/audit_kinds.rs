//! Kinds of events: what many events have in common (who, what, on what, from where, with which outcome, in which words),
//! kept once for all of them.
//!
//! Two million calls are a few thousand kinds. Whatever is asked about those words is asked of the kinds, in any part of
//! any word, and one index leads from a kind to its newest events. A kind follows from the event, so the chain does not
//! cover it: it is where to look, not what was recorded.

use std::{collections::BTreeMap, sync::LazyLock};

use sha2::{Digest as _, Sha256};
use sqlx::{QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{RunEvent, TenantId},
    store::{
        EventFilter, Result, SystemTx, Tx,
        audit::{EventRow, Place, like_pattern},
        changed, clean,
        insert::{Insert, insert},
        on,
    },
};

/// A kind, by the beginning of the SHA-256 of what its events have in common.
pub(super) type Kind = [u8; 16];

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [
        "tenant_id",
        "kind",
        "action",
        "outcome",
        "user_id",
        "preset_id",
        "reason",
        "principal",
        "address",
        "client",
        "preset_slug",
        "source_name",
        "subject",
    ];
    Insert::new("audit_kinds", &columns, "on conflict (tenant_id, kind) do nothing")
});

/// How many kinds are asked one after the other for their newest events.
const KINDS_EACH: i64 = 300;
/// How many of the newest events are looked through where more kinds fit: where so many do, some of them do.
const WINDOW: i64 = 20_000;
/// Looks through events and asks each for its kind. SQLite takes a cross join in the order in which it is written.
const EVENTS_FIRST: &str = "select e.at, e.seq from audit_events e cross join audit_kinds k
    where k.tenant_id = e.tenant_id and k.kind = e.kind and e.tenant_id = ";
/// Asks each kind for its events.
const KINDS_FIRST: &str = "select e.at, e.seq from audit_kinds k cross join audit_events e
    where e.tenant_id = k.tenant_id and e.kind = k.kind and k.tenant_id = ";

/// Returns the kind of an event.
pub(super) fn kind_of(event: &RunEvent) -> Kind {
    let mut hasher = Sha256::new();
    let mut member = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    for text in [event.action.word(), event.outcome.word()].into_iter().chain(words(event)) {
        member(text.as_bytes());
    }
    for id in [event.user.map(Uuid::from), event.preset.map(Uuid::from)] {
        member(id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let mut kind = Kind::default();
    let (begin, _) = hash.split_at(kind.len());
    kind.copy_from_slice(begin);
    kind
}

fn words(event: &RunEvent) -> [&str; 7] {
    [
        &event.reason,
        &event.principal,
        &event.address,
        &event.client,
        &event.preset_slug,
        &event.source_name,
        &event.subject,
    ]
}

impl SystemTx {
    /// Keeps the kinds of these events, in the turn of whoever has locked the organisation's chain.
    pub(super) async fn add_kinds(
        &mut self,
        tenant: TenantId,
        kinds: &BTreeMap<Kind, &RunEvent>,
    ) -> Result<()> {
        let kinds: Vec<_> = kinds.iter().collect();
        insert!(self, INSERT, kinds, |(kind, event)| [
            tenant,
            kind.as_slice(),
            event.action.word(),
            event.outcome.word(),
            event.user,
            event.preset,
            event.reason.as_str(),
            event.principal.as_str(),
            event.address.as_str(),
            event.client.as_str(),
            event.preset_slug.as_str(),
            event.source_name.as_str(),
            event.subject.as_str(),
        ]);
        Ok(())
    }

    /// Finds the kinds of events that were recorded before there were kinds, at most so many. Returns how many events
    /// that were.
    pub async fn sort_events(&mut self, limit: i64) -> Result<usize> {
        let rows: Vec<EventRow> = on!(self, |c| {
            query_as("select * from audit_events where kind is null order by tenant_id, at limit $1")
                .bind(limit)
                .fetch_all(c)
                .await
        })?;
        for row in &rows {
            self.lock_chain(row.tenant()).await?;
        }
        let found = rows.len();
        for row in rows {
            let link = row.link()?;
            self.set_kind(link.seq, &link.event).await?;
        }
        Ok(found)
    }

    /// Gives an event the kind of what it holds.
    pub(super) async fn set_kind(&mut self, seq: i64, event: &RunEvent) -> Result<()> {
        let kind = kind_of(event);
        self.add_kinds(event.tenant, &BTreeMap::from([(kind, event)])).await?;
        changed!(
            self,
            query("update audit_events set kind = $3 where tenant_id = $1 and seq = $2")
                .bind(event.tenant)
                .bind(seq)
                .bind(kind.as_slice())
        );
        Ok(())
    }

    /// Waits until nobody adds to an organisation's chain, and keeps others from it until the end.
    pub(super) async fn lock_chain(&mut self, tenant: TenantId) -> Result<()> {
        changed!(self, query("update audit_heads set seq = seq where tenant_id = $1").bind(tenant));
        Ok(())
    }

    /// Returns the kinds of an organisation's events up to this number.
    pub(super) async fn list_kinds_upto(&mut self, tenant: TenantId, seq: i64) -> Result<Vec<Vec<u8>>> {
        Ok(on!(self, |c| {
            query_scalar(
                "select distinct kind from audit_events where tenant_id = $1 and seq <= $2 and kind is not null",
            )
            .bind(tenant)
            .bind(seq)
            .fetch_all(c)
            .await
        })?)
    }

    /// Removes those of these kinds of which there is no event any more. Within the turn of the organisation's chain.
    pub(super) async fn remove_empty_kinds(&mut self, tenant: TenantId, kinds: &[Vec<u8>]) -> Result<()> {
        for kind in kinds {
            changed!(
                self,
                query(
                    "delete from audit_kinds where tenant_id = $1 and kind = $2
                        and not exists (select 1 from audit_events e where e.tenant_id = $1 and e.kind = $2)"
                )
                .bind(tenant)
                .bind(kind)
            );
        }
        Ok(())
    }
}

/// Narrows by what the kinds, or the events, of this name say.
macro_rules! narrow {
    ($statement:ident, $name:literal, $filter:ident) => {
        if let Some(user) = $filter.user {
            $statement.push(concat!(" and ", $name, ".user_id = ")).push_bind(user);
        }
        if let Some(principal) = &$filter.principal {
            $statement
                .push(concat!(" and ", $name, ".principal = "))
                .push_bind(clean(principal).into_owned());
        }
        if let Some(preset) = $filter.preset {
            $statement.push(concat!(" and ", $name, ".preset_id = ")).push_bind(preset);
        }
        if let Some(tool) = &$filter.tool {
            $statement.push(concat!(" and ", $name, ".subject = ")).push_bind(clean(tool).into_owned());
        }
        if let Some(outcome) = $filter.outcome {
            $statement.push(concat!(" and ", $name, ".outcome = ")).push_bind(outcome.word());
        }
        if let Some(action) = $filter.action {
            $statement.push(concat!(" and ", $name, ".action = ")).push_bind(action.word());
        }
        if let Some(text) = $filter.text.as_deref().filter(|text| !text.is_empty()) {
            $statement.push(concat!(
                " and lower(",
                $name,
                ".principal || ' ' || ",
                $name,
                ".subject || ' ' || ",
                $name,
                ".reason || ' ' || ",
                $name,
                ".source_name || ' ' || ",
                $name,
                ".preset_slug || ' ' || ",
                $name,
                ".client || ' ' || ",
                $name,
                ".address) like lower("
            ));
            $statement.push_bind(like_pattern(text)).push(") escape '!'");
        }
    };
}

/// Narrows by when events of this name were, and puts the newest of them first.
macro_rules! newest {
    ($statement:ident, $name:literal, $within:ident) => {
        let Within { before, from, to, limit } = $within;
        if let Some((at, seq)) = before {
            $statement.push(concat!(" and (", $name, ".at, ", $name, ".seq) < ("));
            $statement.push_bind(at).push(", ").push_bind(seq).push(")");
        }
        if let Some(from) = from {
            $statement.push(concat!(" and ", $name, ".at >= ")).push_bind(from);
        }
        if let Some(to) = to {
            $statement.push(concat!(" and ", $name, ".at < ")).push_bind(to);
        }
        $statement
            .push(concat!(" order by ", $name, ".at desc, ", $name, ".seq desc limit "))
            .push_bind(limit);
    };
}

pub(super) use newest;

/// Which events are asked for beside what they say.
#[derive(Clone, Copy)]
pub(super) struct Within {
    /// Older than the one of this place.
    pub(super) before: Option<Place>,
    pub(super) from: Option<Ms>,
    pub(super) to: Option<Ms>,
    pub(super) limit: i64,
}

impl Tx {
    /// Returns the places of the newest events that say this, the newest first.
    pub(super) async fn find_events(&mut self, filter: &EventFilter, within: Within) -> Result<Vec<Place>> {
        let tenant = self.tenant;
        let kinds: Vec<Vec<u8>> = on!(self, |c: Driver| {
            let mut statement =
                QueryBuilder::<Driver>::new("select k.kind from audit_kinds k where k.tenant_id = ");
            statement.push_bind(tenant);
            narrow!(statement, "k", filter);
            statement.push(" limit ").push_bind(KINDS_EACH + 1);
            statement.build_query_scalar().fetch_all(c).await
        })?;
        let mut places = self.find_unsorted(filter, within).await?;
        if i64::try_from(kinds.len()).unwrap_or(i64::MAX) <= KINDS_EACH {
            for kind in kinds {
                places.extend(self.find_of_kind(&kind, within).await?);
            }
        } else {
            let near = self.find_near(filter, within).await?;
            let is_enough = i64::try_from(near.len()).unwrap_or(i64::MAX) >= within.limit;
            places.extend(if is_enough {
                near
            } else {
                self.find_by_kinds(KINDS_FIRST, filter, within).await?
            });
        }
        places.sort_unstable_by(|one, other| other.cmp(one));
        places.truncate(usize::try_from(within.limit).unwrap_or(usize::MAX));
        Ok(places)
    }

    /// Returns the places of the newest events of one kind.
    async fn find_of_kind(&mut self, kind: &[u8], within: Within) -> Result<Vec<Place>> {
        let tenant = self.tenant;
        Ok(on!(self, |c: Driver| {
            let mut statement =
                QueryBuilder::<Driver>::new("select e.at, e.seq from audit_events e where e.tenant_id = ");
            statement.push_bind(tenant).push(" and e.kind = ").push_bind(kind.to_vec());
            newest!(statement, "e", within);
            statement.build_query_as().fetch_all(c).await
        })?)
    }

    /// Returns the places of events that fit among the newest there are.
    async fn find_near(&mut self, filter: &EventFilter, within: Within) -> Result<Vec<Place>> {
        let tenant = self.tenant;
        let (at, seq) = within.before.unwrap_or((Ms(i64::MAX), i64::MAX));
        let oldest: Option<Ms> = on!(self, |c| {
            query_scalar(
                "select at from audit_events where tenant_id = $1 and (at, seq) < ($2, $3)
                 order by at desc, seq desc limit 1 offset $4",
            )
            .bind(tenant)
            .bind(at)
            .bind(seq)
            .bind(WINDOW)
            .fetch_optional(c)
            .await
        })?;
        let within = Within { from: within.from.max(oldest), ..within };
        self.find_by_kinds(EVENTS_FIRST, filter, within).await
    }

    /// Returns the places of the newest events whose kinds fit, by a statement that begins so.
    async fn find_by_kinds(
        &mut self,
        begin: &'static str,
        filter: &EventFilter,
        within: Within,
    ) -> Result<Vec<Place>> {
        let tenant = self.tenant;
        Ok(on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new(begin);
            statement.push_bind(tenant);
            narrow!(statement, "k", filter);
            newest!(statement, "e", within);
            statement.build_query_as().fetch_all(c).await
        })?)
    }

    /// Returns the places of events that fit and have no kind yet.
    async fn find_unsorted(&mut self, filter: &EventFilter, within: Within) -> Result<Vec<Place>> {
        let tenant = self.tenant;
        Ok(on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new(
                "select e.at, e.seq from audit_events e where e.kind is null and e.tenant_id = ",
            );
            statement.push_bind(tenant);
            narrow!(statement, "e", filter);
            newest!(statement, "e", within);
            statement.build_query_as().fetch_all(c).await
        })?)
    }
}
