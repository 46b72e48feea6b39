//! What owners did to sources and presets, for the audit log: the one place that makes these
//! events.

use crate::{
    audit::Audit,
    clock::{Clock, Ms},
    fault::Fault,
    model::{Action, EventId, Member, Outcome, Preset, PresetId, RunEvent, Source, SourceId, TenantId, Via},
    store::{EventFilter, Store, StoreError},
};

/// Records edits; cheap to clone.
#[derive(Clone)]
pub(crate) struct Trail {
    audit: Audit,
    clock: Clock,
}

/// The thing an edit was about.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A source with its name.
    Source(SourceId, String),
    /// A preset with its slug.
    Preset(PresetId, String),
}

impl From<&Source> for Subject {
    fn from(source: &Source) -> Self {
        Self::Source(source.id, source.name.to_string())
    }
}

impl From<&Preset> for Subject {
    fn from(preset: &Preset) -> Self {
        Self::Preset(preset.id, preset.slug.to_string())
    }
}

impl Trail {
    /// Begins a trail.
    pub(crate) fn new(audit: Audit, clock: Clock) -> Self {
        Self { audit, clock }
    }

    /// Returns the time, to measure how long an edit took.
    pub(crate) fn now(&self) -> Ms {
        self.clock.now()
    }

    /// Records one edit: what was done to what, since when it was under way, and how it ended.
    pub(crate) fn record(
        &self,
        member: &Member,
        done: &str,
        subject: Subject,
        begun: Ms,
        failure: Option<(Fault, String)>,
    ) {
        let now = self.clock.now();
        let (action, source, preset) = match subject {
            Subject::Source(id, name) => (Action::SourceChange, Some((id, name)), None),
            Subject::Preset(id, slug) => (Action::PresetChange, None, Some((id, slug))),
        };
        let (source, source_name) = source.unzip();
        let (preset, preset_slug) = preset.unzip();
        let (fault, reason) = failure.unzip();
        let outcome = match fault {
            None => Outcome::Ok,
            Some(Fault::Caller) => Outcome::Caller,
            Some(Fault::Refused) => Outcome::Refused,
            Some(Fault::Upstream) => Outcome::Upstream,
            Some(Fault::Gateway) => Outcome::Gateway,
        };
        self.audit.record(RunEvent {
            id: EventId::new(),
            tenant: member.tenant,
            at: now,
            action,
            outcome,
            reason: reason.unwrap_or_default(),
            user: Some(member.user),
            principal: member.handle.to_string(),
            key: match member.via {
                Via::ApiKey { id, .. } => Some(id),
                Via::BrowserSession(_) | Via::Shell => None,
            },
            address: String::new(),
            client: String::new(),
            revision: String::new(),
            preset,
            preset_slug: preset_slug.unwrap_or_default(),
            source,
            source_name: source_name.unwrap_or_default(),
            subject: done.to_owned(),
            duration_us: i64::try_from(now.since(begun).as_micros()).unwrap_or(i64::MAX),
            request_bytes: 0,
            response_bytes: 0,
            argument_digest: String::new(),
            request_id: String::new(),
        });
    }
}

/// Returns who last edited something, by the audit log; `None` if it does not say.
pub(crate) async fn last_editor(
    store: &Store,
    tenant: TenantId,
    subject: &Subject,
) -> Result<Option<String>, StoreError> {
    /// How many events are looked at.
    const EVENTS_MAX: i64 = 100;
    let mut filter = EventFilter { outcome: Some(Outcome::Ok), limit: EVENTS_MAX, ..EventFilter::default() };
    match subject {
        Subject::Source(..) => filter.action = Some(Action::SourceChange),
        Subject::Preset(id, _) => {
            filter.action = Some(Action::PresetChange);
            filter.preset = Some(*id);
        }
    }
    let events = store.read(tenant).await?.list_events(&filter).await?;
    let is_about = |event: &RunEvent| match subject {
        Subject::Source(id, _) => event.source == Some(*id),
        Subject::Preset(id, _) => event.preset == Some(*id),
    };
    Ok(events.into_iter().find(is_about).map(|event| event.principal))
}
