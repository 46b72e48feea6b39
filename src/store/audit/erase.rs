//! Erasing what names people from blocks.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{query, query_as};

use super::{
    blocks::Block,
    kinds::{count_kinds, kind_of},
};
use crate::{
    chain::{BlockWriter, Link},
    model::{TenantId, User},
    store::{Inner, Result, SystemTx, changed, like_pattern, on},
};

impl SystemTx {
    /// Returns blocks of any organisation, behind this one in the order of organisations and numbers, with events that say
    /// who this account is: its own, and what others did of which the words hold its handle or its address. Each is told
    /// by the number of its last event.
    pub async fn list_blocks_naming(
        &mut self,
        user: &User,
        behind: (TenantId, i64),
        limit: i64,
    ) -> Result<Vec<(TenantId, i64)>> {
        let (tenant, last) = behind;
        let [handle, email] =
            [user.handle.as_str(), user.email.as_str()].map(|text| like_pattern(&text.to_lowercase()));
        Ok(on!(self, |c| {
            query_as(
                "select distinct b.tenant_id, b.last_seq from audit_kinds k
                    join audit_block_kinds b on b.tenant_id = k.tenant_id and b.kind = k.kind
                 where (b.tenant_id, b.last_seq) > ($1, $2)
                   and (k.user_id = $3 or k.principal = $4
                        or lower(k.subject) like $5 escape '!' or lower(k.reason) like $5 escape '!'
                        or lower(k.subject) like $6 escape '!' or lower(k.reason) like $6 escape '!')
                 order by 1, 2 limit $7",
            )
            .bind(tenant)
            .bind(last)
            .bind(user.id)
            .bind(user.handle.as_str())
            .bind(&handle)
            .bind(&email)
            .bind(limit)
            .fetch_all(c)
            .await
        })?)
    }

    /// Erases from the events of a block who it was, what it was done to, or both, as is said of each. Returns of how many
    /// something was erased.
    pub async fn erase_in_block(
        &mut self,
        (tenant, last): (TenantId, i64),
        what: impl Fn(&Link) -> (bool, bool),
    ) -> Result<u64> {
        // Kinds are found to be empty, and kept for others, within its turn.
        self.lock_chain(tenant).await?;
        let Some(block) = self.log_of(tenant).blocks_at(&[last]).await?.pop() else { return Ok(0) };
        let mut links = block.links()?;
        let mut erased = 0;
        for link in &mut links {
            let (who, what) = what(link);
            if who || what {
                link.erase(who, what);
                erased += 1;
            }
        }
        if erased > 0 {
            self.rewrite(&block, &links).await?;
        }
        Ok(erased)
    }

    /// Writes a block as it is once something of it was erased.
    async fn rewrite(&mut self, block: &Block, links: &[Link]) -> Result<()> {
        let (tenant, last) = (block.tenant_id, block.last_seq);
        let mut before: BTreeSet<_> = block.reader()?.shared().iter().map(kind_of).collect();
        let mut writer = BlockWriter::default();
        for Link { form, hash, event, .. } in links {
            writer.push(event, form, hash);
        }
        let mut kinds = BTreeMap::new();
        let counts = count_kinds(&writer, (block.from_at, block.to_at), last, &mut kinds);
        changed!(
            self,
            query("delete from audit_block_kinds where tenant_id = $1 and to_at = $2 and last_seq = $3")
                .bind(tenant)
                .bind(block.to_at)
                .bind(last)
        );
        self.add_kinds(tenant, &kinds).await?;
        self.add_kind_counts(tenant, &counts).await?;
        before.retain(|kind| !kinds.contains_key(kind));
        self.remove_empty_kinds(tenant, &before).await?;

        let (_, body) = writer.finish();
        let statement = match self.inner {
            Inner::Postgres(_) => "select audit_rewrite($1, $2, $3)",
            Inner::Sqlite(_) => "update audit_blocks set body = $3 where tenant_id = $1 and last_seq = $2",
        };
        changed!(self, query(statement).bind(tenant).bind(last).bind(body));
        Ok(())
    }
}
