//! Scheduled export: every hour or day that is over, of every organisation, is written as files with proof to a folder or
//! to S3-compatible storage.
//!
//! Several processes may export to the same place: one claims an organisation for a while, and what a file is to hold is
//! written down before it is made, so that whoever tries again makes the same file under the same name. Never half a
//! file: it gets its name once it is whole.

mod period;
mod s3;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use uuid::Uuid;

use super::{AuditError, Notary, Proof};
use crate::{
    clock::{Clock, Ms},
    egress::{Egress, EgressError},
    fault::told,
    model::TenantId,
    store::{ExportFailure, ExportPlan, Store, StoreError},
};

pub use period::Every;
pub use s3::S3Settings;

/// How long after its end a period is exported: events that wait for their commit are still of it.
const GRACE: Duration = Duration::from_secs(60);
/// How long a process has an organisation to itself.
const LEASE: Duration = Duration::from_secs(600);
/// When what failed is tried again.
const RETRY: Duration = Duration::from_secs(120);
/// How many events one file holds at most; a period with more has several that continue each other.
const FILE_EVENTS_MAX: i64 = 50_000;
/// How many organisations are looked at together.
const ORGANISATIONS: i64 = 500;

/// What an export needs to know.
#[derive(Clone, Debug, Default)]
pub struct ExportSettings {
    /// Where files go; `None` = nothing is exported.
    pub target: Option<ExportTarget>,
    /// How long one period is.
    pub every: Every,
}

/// Where files go.
#[derive(Clone, Debug)]
pub enum ExportTarget {
    /// A folder, with one in it for each organisation.
    Folder(PathBuf),
    /// A bucket.
    S3(S3Settings),
}

/// Says why a file was not written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// It could not be read from the log.
    #[error("could not read what is to be exported")]
    Audit(#[from] AuditError),
    /// The folder did not take it.
    #[error("could not write into {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the machine says.
        source: io::Error,
    },
    /// The storage cannot be reached.
    #[error("could not reach the storage")]
    Egress(#[from] EgressError),
    /// The storage did not take it.
    #[error("the storage answered with the status {status}{code}")]
    Storage {
        /// The status.
        status: u16,
        /// What the storage calls it, in brackets; empty if it says nothing.
        code: String,
    },
    /// The settings of the storage name no bucket.
    #[error("the settings of the storage do not fit: {0}")]
    Settings(String),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Audit(error.into())
    }
}

/// Exports; cheap to clone.
#[derive(Clone)]
pub struct Exporter(Arc<Inner>);

struct Inner {
    store: Store,
    notary: Notary,
    egress: Egress,
    clock: Clock,
    settings: ExportSettings,
    failing: AtomicU64,
}

impl Exporter {
    /// Makes an exporter, which does nothing by itself.
    pub fn new(store: Store, notary: Notary, egress: Egress, clock: Clock, settings: ExportSettings) -> Self {
        let failing = AtomicU64::new(0);
        Self(Arc::new(Inner { store, notary, egress, clock, settings, failing }))
    }

    /// Says whether anything is exported.
    pub fn is_on(&self) -> bool {
        self.0.settings.target.is_some()
    }

    /// Returns of how many organisations an export failed the last time it was tried, as this process saw last.
    pub fn failing(&self) -> u64 {
        self.0.failing.load(Ordering::Relaxed)
    }

    /// Returns what failed the last time it was tried, by organisation.
    pub async fn failures(&self) -> Result<Vec<ExportFailure>, StoreError> {
        self.0.store.system_read().await?.list_export_failures(ORGANISATIONS).await
    }

    /// Exports every period that is over and not exported yet. Returns how many files were written. What fails is told in
    /// the log and tried again.
    pub async fn export_due(&self) -> Result<usize, StoreError> {
        let Some(target) = &self.0.settings.target else { return Ok(0) };
        let mut written = 0;
        let mut after = None;
        loop {
            let mut tx = self.0.store.system_read().await?;
            let ends = tx.list_chain_ends(after, ORGANISATIONS).await?;
            drop(tx);
            let Some(last) = ends.last() else { break };
            after = Some(last.tenant);
            for end in ends {
                while self.export_next(target, end.tenant).await? {
                    written += 1;
                }
            }
        }
        let failing = self.failures().await?.len();
        self.0.failing.store(u64::try_from(failing).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(written)
    }

    /// Exports the next file of an organisation. `false` if there is none to write, another process is at it, or it failed.
    async fn export_next(&self, target: &ExportTarget, tenant: TenantId) -> Result<bool, StoreError> {
        let Some(plan) = self.claim(tenant).await? else { return Ok(false) };
        let result = self.write(target, tenant, &plan).await;
        let now = self.0.clock.now();
        let mut tx = self.0.store.system().await?;
        match &result {
            Ok(()) => tx.export_done(tenant, &plan).await?,
            Err(error) => {
                let why = told(error);
                tracing::warn!(%tenant, "the audit log could not be exported, and is tried again: {why}");
                tx.export_failed(tenant, &why, now, now.plus(RETRY)).await?;
            }
        }
        tx.commit().await?;
        Ok(result.is_ok())
    }

    /// Returns what the next file of an organisation is to hold, which this process alone has to write for a while.
    async fn claim(&self, tenant: TenantId) -> Result<Option<ExportPlan>, StoreError> {
        let now = self.0.clock.now();
        // Most of the time nothing is due, and nothing is written to find that out.
        let mut tx = self.0.store.system_read().await?;
        let is_due = tx.find_export(tenant, now).await?;
        let is_due = match is_due {
            Some(state) if state.is_leased => false,
            Some(state) if state.plan.is_some() => true,
            state => {
                let behind = state.map_or(0, |state| state.seq);
                self.period_of_next(&mut tx, tenant, behind).await?.is_some()
            }
        };
        drop(tx);
        if !is_due {
            return Ok(None);
        }
        let mut tx = self.0.store.system().await?;
        let Some(state) = tx.claim_export(tenant, now, now.plus(LEASE)).await? else { return Ok(None) };
        let plan = match state.plan {
            Some(plan) => plan,
            None => {
                let Some(begin) = self.period_of_next(&mut tx, tenant, state.seq).await? else {
                    return Ok(None);
                };
                let end = self.0.settings.every.end(begin);
                let upto = state.seq + FILE_EVENTS_MAX;
                let last = tx.find_last_of_period(tenant, state.seq, upto, (begin, end)).await?;
                let plan = ExportPlan { behind: state.seq, last, begin };
                tx.plan_export(tenant, &plan).await?;
                plan
            }
        };
        tx.commit().await?;
        Ok(Some(plan))
    }

    /// Returns when the period of the next event behind this one began, if it is over.
    async fn period_of_next(
        &self,
        tx: &mut crate::store::SystemTx,
        tenant: TenantId,
        behind: i64,
    ) -> Result<Option<Ms>, StoreError> {
        let every = self.0.settings.every;
        let begin = tx.find_next_event_time(tenant, behind).await?.map(|at| every.begin(at));
        Ok(begin.filter(|begin| every.end(*begin).plus(GRACE) <= self.0.clock.now()))
    }

    async fn write(
        &self,
        target: &ExportTarget,
        tenant: TenantId,
        plan: &ExportPlan,
    ) -> Result<(), ExportError> {
        self.0.notary.sign_at(tenant, plan.last).await?;
        let keys = self.0.notary.keys().await?;
        let mut proof = Proof::between(self.0.store.clone(), tenant, plan.behind, plan.last).await?;
        let (folder, name) = (proof.handle().to_owned(), self.name(plan));
        match target {
            ExportTarget::Folder(root) => {
                let mut file = Beside::begin(&root.join(folder), &name)?;
                while let Some(piece) = proof.next(&keys).await? {
                    file.add(&piece)?;
                }
                file.finish()
            }
            ExportTarget::S3(settings) => {
                let mut whole = Vec::new();
                while let Some(piece) = proof.next(&keys).await? {
                    whole.extend_from_slice(&piece);
                }
                let now = self.0.clock.now();
                settings.put(&self.0.egress, &format!("{folder}/{name}"), whole.into(), now).await
            }
        }
    }

    /// Names a file by its period and the numbers of its events.
    fn name(&self, plan: &ExportPlan) -> String {
        let ExportPlan { behind, last, begin } = plan;
        format!("audit-{}-{}-{last}.jsonl", self.0.settings.every.name(*begin), behind + 1)
    }
}

/// A file that gets its name once it is whole.
struct Beside {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    folder: PathBuf,
    is_whole: bool,
}

impl Beside {
    fn begin(folder: &Path, name: &str) -> Result<Self, ExportError> {
        let temporary = folder.join(format!(".{name}.{}", Uuid::new_v4().simple()));
        let opened = fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary));
        let file = opened.map_err(|source| ExportError::Folder { folder: folder.to_owned(), source })?;
        let path = folder.join(name);
        Ok(Self { file, temporary, path, folder: folder.to_owned(), is_whole: false })
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), ExportError> {
        self.file.write_all(piece).map_err(|source| self.failed(source))
    }

    /// Makes sure that the file and its name survive a power cut.
    fn finish(mut self) -> Result<(), ExportError> {
        let named = self.file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.path));
        named.map_err(|source| self.failed(source))?;
        self.is_whole = true;
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ExportError {
        ExportError::Folder { folder: self.folder.clone(), source }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_whole {
            // What is left of it is of no use; the first error is the one to tell.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
