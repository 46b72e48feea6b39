//! Kinds of events: what many events have in common (who, what, on what, from where, with which outcome, in which words),
//! kept once for all of them, and in which blocks there are how many of each.
//!
//! Two million calls are a few thousand kinds. Whatever is asked about those words is asked of the kinds, in any part of
//! any word, and one index leads from a kind to its newest blocks. A kind follows from the event, so the chain does not
//! cover it: it is where to look, not what was recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use sha2::{Digest as _, Sha256};
use sqlx::query;
use uuid::Uuid;

use crate::{
    chain::{BlockWriter, Shared},
    clock::Ms,
    model::TenantId,
    store::{
        Result, SystemTx, changed,
        insert::{Insert, insert},
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
static INSERT_COUNTS: LazyLock<Insert> = LazyLock::new(|| {
    let columns = ["tenant_id", "kind", "from_at", "to_at", "last_seq", "events"];
    Insert::new("audit_block_kinds", &columns, "")
});

/// How many events of a kind are in a block, which is told by its times and the number of its last event.
pub(super) struct KindCount {
    pub(super) kind: Kind,
    pub(super) from: Ms,
    pub(super) to: Ms,
    pub(super) last: i64,
    pub(super) events: i64,
}

/// Returns the kind of events.
pub(super) fn kind_of(shared: &Shared<'_>) -> Kind {
    let mut hasher = Sha256::new();
    let mut member = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    let Shared { reason, principal, address, client, preset_slug, source_name, subject, .. } = shared;
    for text in [
        shared.action.word(),
        shared.outcome.word(),
        reason,
        principal,
        address,
        client,
        preset_slug,
        source_name,
        subject,
    ] {
        member(text.as_bytes());
    }
    for id in [shared.user.map(Uuid::from), shared.preset.map(Uuid::from)] {
        member(id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let mut kind = Kind::default();
    let (begin, _) = hash.split_at(kind.len());
    kind.copy_from_slice(begin);
    kind
}

/// Counts the events of each kind in a block, and adds the kinds to these.
pub(super) fn count_kinds<'a>(
    block: &BlockWriter<'a>,
    (from, to): (Ms, Ms),
    last: i64,
    kinds: &mut BTreeMap<Kind, Shared<'a>>,
) -> Vec<KindCount> {
    let mut counts: BTreeMap<Kind, i64> = BTreeMap::new();
    for (shared, events) in block.shared() {
        let kind = kind_of(shared);
        kinds.insert(kind, *shared);
        *counts.entry(kind).or_default() += events;
    }
    counts.into_iter().map(|(kind, events)| KindCount { kind, from, to, last, events }).collect()
}

impl SystemTx {
    /// Keeps kinds, in the turn of whoever has locked the organisation's chain.
    pub(super) async fn add_kinds(
        &mut self,
        tenant: TenantId,
        kinds: &BTreeMap<Kind, Shared<'_>>,
    ) -> Result<()> {
        let kinds: Vec<_> = kinds.iter().collect();
        insert!(self, INSERT, kinds, |(kind, shared)| [
            tenant,
            kind.as_slice(),
            shared.action.word(),
            shared.outcome.word(),
            shared.user,
            shared.preset,
            shared.reason,
            shared.principal,
            shared.address,
            shared.client,
            shared.preset_slug,
            shared.source_name,
            shared.subject,
        ]);
        Ok(())
    }

    /// Notes which kinds are in which blocks.
    pub(super) async fn add_kind_counts(&mut self, tenant: TenantId, counts: &[KindCount]) -> Result<()> {
        insert!(self, INSERT_COUNTS, counts, |count| [
            tenant,
            count.kind.as_slice(),
            count.from,
            count.to,
            count.last,
            count.events,
        ]);
        Ok(())
    }

    /// Removes those of these kinds of which there is no event any more. Within the turn of the organisation's chain.
    pub(super) async fn remove_empty_kinds(
        &mut self,
        tenant: TenantId,
        kinds: &BTreeSet<Kind>,
    ) -> Result<()> {
        for kind in kinds {
            changed!(
                self,
                query(
                    "delete from audit_kinds where tenant_id = $1 and kind = $2 and not exists
                        (select 1 from audit_block_kinds b where b.tenant_id = $1 and b.kind = $2)"
                )
                .bind(tenant)
                .bind(kind.as_slice())
            );
        }
        Ok(())
    }
}
