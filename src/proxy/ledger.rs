//! One entry in the audit log per request that a source has to do with, however it ends.

use std::{net::IpAddr, time::Instant};

use sha2::{Digest, Sha256};

use crate::{
    audit::Audit,
    clock::Clock,
    mcp::{Raw, Revision, trace::Traceparent},
    model::{Action, EventId, Outcome, Principal, RunEvent, SourceId, SourceName, TraceContext},
    policy::CallPermit,
    presets::RouteTable,
};

/// The longest reason kept, in bytes.
const REASON_BYTES_MAX: usize = 500;

/// The facts of one call. If it is dropped before [`Ledger::close`], the caller went away.
pub(super) struct Ledger {
    audit: Audit,
    clock: Clock,
    begun: Instant,
    /// `None` once the entry is written.
    event: Option<Box<RunEvent>>,
}

/// Where a request came from and what it carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) begun: Instant,
    pub(super) address: IpAddr,
    pub(super) request_id: &'a str,
    pub(super) request_bytes: usize,
    pub(super) client: &'a str,
    pub(super) revision: Revision,
    pub(super) action: Action,
    /// The tool, prompt or resource by the name the caller knows.
    pub(super) subject: &'a str,
    pub(super) arguments: Option<Raw<'a>>,
    pub(super) trace: Option<Traceparent>,
}

impl Ledger {
    /// Opens the entry of a call.
    pub(super) fn open(
        audit: &Audit,
        clock: &Clock,
        permit: &CallPermit,
        table: &RouteTable,
        facts: &Facts<'_>,
    ) -> Self {
        let member = permit.caller().member();
        let key = member.and_then(|member| member.via.key());
        let event = RunEvent {
            id: EventId::new(),
            tenant: permit.tenant(),
            at: clock.now(),
            action: facts.action,
            outcome: Outcome::Cancelled,
            reason: String::new(),
            user: member.map(|member| member.user),
            principal: principal_name(permit.caller()).to_owned(),
            key,
            address: facts.address.to_string(),
            client: facts.client.to_owned(),
            revision: facts.revision.as_str().to_owned(),
            preset: Some(permit.preset()),
            preset_slug: table.preset.slug.as_str().to_owned(),
            source: None,
            source_name: String::new(),
            subject: facts.subject.to_owned(),
            duration_us: 0,
            request_bytes: count(facts.request_bytes),
            response_bytes: 0,
            argument_digest: facts.arguments.map_or_else(String::new, digest),
            request_id: facts.request_id.to_owned(),
            trace: facts.trace.map(|trace| TraceContext {
                trace_id: trace.trace_id,
                span_id: trace.parent_id,
                flags: trace.flags,
            }),
        };
        Self { audit: audit.clone(), clock: clock.clone(), begun: facts.begun, event: Some(Box::new(event)) }
    }

    /// Takes note of where the call goes.
    pub(super) fn routed(&mut self, source: SourceId, name: &SourceName) {
        if let Some(event) = &mut self.event {
            event.source = Some(source);
            event.source_name = name.as_str().to_owned();
        }
    }

    /// Returns the tool, prompt or resource by the name the caller knows.
    pub(super) fn subject(&self) -> &str {
        self.event.as_deref().map_or("", |event| &event.subject)
    }

    /// Returns the digest of the arguments; empty if there were none.
    pub(super) fn digest(&self) -> &str {
        self.event.as_deref().map_or("", |event| &event.argument_digest)
    }

    /// Counts bytes sent to the caller.
    pub(super) fn sent(&mut self, bytes: usize) {
        if let Some(event) = &mut self.event {
            event.response_bytes = event.response_bytes.saturating_add(count(bytes));
        }
    }

    /// Writes the entry.
    pub(super) fn close(mut self, outcome: Outcome, reason: impl Into<String>) {
        self.write(outcome, reason.into());
    }

    /// Writes nothing: another process does.
    pub(super) fn handed_on(mut self) {
        self.event = None;
    }

    fn write(&mut self, outcome: Outcome, mut reason: String) {
        let Some(mut event) = self.event.take() else { return };
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        event.outcome = outcome;
        event.reason = reason;
        event.at = self.clock.now();
        event.duration_us = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.audit.record(*event);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.write(Outcome::Cancelled, "the caller went away".to_owned());
    }
}

/// Returns the name the audit log shows.
fn principal_name(caller: &Principal) -> &str {
    match caller {
        Principal::Anonymous => "anonymous",
        Principal::Member(member) => member.handle.as_str(),
    }
}

fn digest(arguments: Raw<'_>) -> String {
    // Into room of its own first: `hex::encode` puts a text together character by character.
    let mut digits = [0; 64];
    let encoded = hex::encode_to_slice(Sha256::digest(arguments.as_bytes()), &mut digits);
    debug_assert!(encoded.is_ok());
    String::from_utf8_lossy(&digits).into_owned()
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
