//! The notary: signs for where the chains of organisations end, so that whoever keeps a checkpoint and the public key
//! can tell whether a chain was rewritten since.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Audit, AuditError, erase};
use crate::{
    apart,
    chain::{Checkpoint, Flaw, PublicKey, SEED_BYTES, SigningKey, Tally, fits, is_signed},
    clock::Clock,
    model::{Action, Handle, Member, OrgRole, RunEvent, TenantId},
    policy::{self, Actor, AdminPermit, AuditPermit},
    store::{AuditKeyRow, ChainEnd, LIST_MAX, Store, SystemTx},
    vault::{Place, Vault},
};

/// A chain that has grown is signed for when its newest checkpoint is older than this. With the pause between two looks
/// that is less than a day.
const CHECKPOINT_AGE: Duration = Duration::from_secs(22 * 3600);
/// How many chains are signed for in one transaction.
const CHAINS: i64 = 200;

/// Signs for the chains of organisations; cheap to clone.
#[derive(Clone)]
pub struct Notary(Arc<Inner>);

struct Inner {
    store: Store,
    vault: Vault,
    audit: Audit,
    clock: Clock,
}

/// What looking over an installation's own log found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// How many organisations have a chain.
    pub organisations: i64,
    /// What was counted in all of them.
    pub tally: Tally,
    /// How many checkpoints are of events that are there.
    pub checkpoints: i64,
    /// The first thing that does not fit, and whose it is.
    pub flaw: Option<(TenantId, Flaw)>,
}

impl Notary {
    /// Makes the notary of an installation.
    pub fn new(store: Store, vault: Vault, audit: Audit, clock: Clock) -> Self {
        Self(Arc::new(Inner { store, vault, audit, clock }))
    }

    /// Returns the public keys of the installation, that which signs first. The first time, it is made.
    pub async fn keys(&self) -> Result<Vec<PublicKey>, AuditError> {
        let rows = self.0.store.system_read().await?.list_audit_keys().await?;
        if !rows.is_empty() {
            return public_keys(&rows);
        }
        let mut tx = self.0.store.system().await?;
        let key = self.signing_key(&mut tx).await?;
        tx.commit().await?;
        Ok(vec![key.public()])
    }

    /// Signs for the chains that have grown since about a day ago. Several processes may ask at once: each chain is
    /// signed for by one. Returns how many were.
    pub async fn sign_due(&self) -> Result<usize, AuditError> {
        let mut signed = 0;
        loop {
            let mut tx = self.0.store.system().await?;
            tx.take_turn().await?;
            let before = self.0.clock.now().minus(CHECKPOINT_AGE);
            let due = tx.list_unsigned_ends(before, CHAINS).await?;
            if due.is_empty() {
                return Ok(signed);
            }
            let key = self.signing_key(&mut tx).await?;
            let mut now = 0;
            for end in due {
                now += usize::from(self.sign(&mut tx, &key, end).await?.is_some());
            }
            tx.commit().await?;
            if now == 0 {
                // What is left was rewritten, which is told each time.
                return Ok(signed);
            }
            signed += now;
        }
    }

    /// Signs for the chain of the member's organisation as it is. `None` if nothing has happened there.
    pub async fn sign_now(&self, member: &Member) -> Result<Option<Checkpoint>, AuditError> {
        let permit = policy::may_manage(member, member.tenant, OrgRole::Admin)?;
        let (tenant, actor) = (permit.tenant(), permit.actor());
        self.0.audit.flush().await;
        let signed = self.sign_for(tenant).await?;
        if let Some(checkpoint) = &signed {
            self.record(tenant, actor, format!("checkpoint of event {}", checkpoint.seq));
        }
        Ok(signed)
    }

    /// Signs for every chain as it is. Returns the newest checkpoint of each. For the operator at the shell.
    pub async fn sign_all(&self) -> Result<Vec<Checkpoint>, AuditError> {
        let ends = self.0.store.system_read().await?.list_chain_ends(None, LIST_MAX).await?;
        let mut signed = Vec::new();
        for end in ends {
            signed.extend(self.sign_for(end.tenant).await?);
        }
        Ok(signed)
    }

    /// Signs for the chain of an organisation as it is, or returns the checkpoint that was signed for it before. `None` if
    /// nothing has happened there.
    pub(super) async fn sign_for(&self, tenant: TenantId) -> Result<Option<Checkpoint>, AuditError> {
        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        let Some(end) = tx.find_chain_end(tenant).await?.filter(|end| end.seq > 0) else { return Ok(None) };
        let key = self.signing_key(&mut tx).await?;
        let signed = match self.sign(&mut tx, &key, end).await? {
            Some(signed) => Some(signed),
            None => tx.list_checkpoints_of(tenant, end.seq - 1, 1).await?.pop(),
        };
        tx.commit().await?;
        Ok(signed)
    }

    /// Signs for an event of an organisation, unless that is signed for already.
    pub(super) async fn sign_at(&self, tenant: TenantId, seq: i64) -> Result<(), AuditError> {
        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        if let Some(hash) = tx.find_link_hash(tenant, seq).await? {
            let key = self.signing_key(&mut tx).await?;
            self.sign(&mut tx, &key, ChainEnd { tenant, seq, hash }).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Returns the checkpoints of the organisation's events behind this one, in their order.
    pub async fn checkpoints(
        &self,
        permit: &AuditPermit,
        behind: i64,
        limit: i64,
    ) -> Result<Vec<Checkpoint>, AuditError> {
        Ok(self.0.store.read(permit.tenant()).await?.list_checkpoints(behind, limit).await?)
    }

    /// Looks over every chain, whether every checkpoint in the database and of those `kept` elsewhere fits, and whether
    /// all are signed with one of the keys that count: those given, else the installation's own.
    pub async fn verify(&self, keys: &[PublicKey], kept: &[Checkpoint]) -> Result<Verified, AuditError> {
        let mut tx = self.0.store.system_snapshot().await?;
        let keys = match keys {
            [] => public_keys(&tx.list_audit_keys().await?)?,
            given => given.to_vec(),
        };
        let counts = |id: &str| keys.iter().find(|key| key.id() == id);
        let mut verified = Verified::default();
        // A chain that is gone as a whole is known by its checkpoints alone.
        let ends = tx.list_chain_ends(None, LIST_MAX).await?;
        let mut tenants: Vec<TenantId> = ends.iter().map(|end| end.tenant).collect();
        tenants.extend(kept.iter().map(|checkpoint| checkpoint.organisation));
        tenants.sort_unstable();
        tenants.dedup();
        for tenant in tenants {
            let mut signed = tx.list_checkpoints_of(tenant, 0, LIST_MAX).await?;
            // Those kept elsewhere come last, so that they count where the database has others.
            signed.extend(kept.iter().filter(|checkpoint| checkpoint.organisation == tenant).cloned());
            let flaw = signed.iter().find_map(|checkpoint| is_signed(checkpoint, counts).err());
            let report = tx.verify_chain(tenant, &signed).await?;
            verified.organisations += 1;
            verified.tally.events += report.tally.events;
            verified.tally.erased += report.tally.erased;
            verified.tally.blank += report.tally.blank;
            verified.checkpoints += report.checkpoints;
            if let Some(flaw) = report.flaw.or(flaw) {
                verified.flaw = Some((tenant, flaw));
                break;
            }
        }
        Ok(verified)
    }

    /// Erases from the log of every organisation who the account of this handle is: from its own events who and from
    /// where, from what others did to it what they call it. The chains stay whole. Returns how many events that were;
    /// `None` if there is no such account.
    pub async fn erase(&self, permit: &AdminPermit, handle: &Handle) -> Result<Option<u64>, AuditError> {
        let (notary, actor, handle) = (self.clone(), permit.actor().clone(), handle.clone());
        // To its end also when whoever asked goes away: a half is told by nobody.
        apart::finish(async move {
            let mut tx = notary.0.store.system_read().await?;
            let Some((user, _)) = tx.find_user_by_login(handle.as_str()).await? else { return Ok(None) };
            let home = tx.find_first_admin().await?.map(|admin| admin.tenant);
            drop(tx);
            notary.0.audit.flush().await;
            let erased = erase::of_person(&notary.0.store, &user).await?;
            if let Some(tenant) = actor.tenant.or(home) {
                notary.record(tenant, &actor, format!("erased who somebody was from {erased} events"));
            }
            Ok(Some(erased))
        })
        .await
    }

    /// Signs for where a chain ends, unless that is signed for already, or the chain is not the one that was signed for
    /// last time, which is told in the log.
    async fn sign(
        &self,
        tx: &mut SystemTx,
        key: &SigningKey,
        end: ChainEnd,
    ) -> Result<Option<Checkpoint>, AuditError> {
        let ChainEnd { tenant, seq, hash } = end;
        if let Some(last) = tx.find_last_checkpoint(tenant).await?
            && let Some(there) = tx.find_link_hash(tenant, last.seq).await?
            && let Err(flaw) = fits(&last, &there)
        {
            tracing::error!(%tenant, "the audit log is not signed for: {flaw}");
            return Ok(None);
        }
        let checkpoint = key.sign(tenant, seq, hash, self.0.clock.now());
        let added = tx.add_checkpoint(&checkpoint).await?;
        Ok(added.then_some(checkpoint))
    }

    /// Opens the key that signs; the first time, makes it. Within a transaction that has its turn.
    async fn signing_key(&self, tx: &mut SystemTx) -> Result<SigningKey, AuditError> {
        tx.take_turn().await?;
        if let Some(row) = tx.list_audit_keys().await?.into_iter().next() {
            let seed = self.0.vault.open_sealed(&place(row.id), &row.sealed)?;
            return SigningKey::from_seed(&seed).ok_or(AuditError::Seed);
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| AuditError::Seed)?;
        let key = SigningKey::from_seed(seed.as_slice()).ok_or(AuditError::Seed)?;
        let id = Uuid::now_v7();
        let row = AuditKeyRow {
            id,
            public_key: key.public().as_bytes().to_vec(),
            sealed: self.0.vault.seal(&place(id), seed.as_slice())?,
            created_at: self.0.clock.now(),
        };
        tx.add_audit_key(&row).await?;
        tracing::info!(key = key.public().id(), "made the key {} that signs for the audit log", key.public());
        Ok(key)
    }

    fn record(&self, tenant: TenantId, actor: &Actor, done: String) {
        self.0.audit.record(RunEvent {
            user: actor.user,
            principal: actor.principal().to_owned(),
            key: actor.key,
            address: actor.whence.address_text(),
            request_id: actor.whence.request_text(),
            subject: done,
            ..RunEvent::new(tenant, self.0.clock.now(), Action::AuditChange)
        });
    }
}

fn public_keys(rows: &[AuditKeyRow]) -> Result<Vec<PublicKey>, AuditError> {
    rows.iter().map(|row| Ok(PublicKey::from_bytes(&row.public_key)?)).collect()
}

/// The keys are of no organisation.
fn place(row: Uuid) -> Place<'static> {
    Place { tenant: TenantId(Uuid::nil()), table: "audit_keys", row, column: "sealed" }
}
