//! What people did to sources, tunnels, presets and analyses, for the audit log: the one place that makes these
//! events.

use crate::{
    audit::Audit,
    clock::{Clock, Ms},
    fault::Fault,
    model::{
        Action, Analysis, AnalysisId, Member, Outcome, Preset, PresetId, RunEvent, Source, SourceId, TenantId,
    },
    store::{EventFilter, Store, StoreError},
};

/// What the log calls looking at a source, which edits nothing.
pub(super) const TEST: &str = "test";
/// See [`TEST`].
pub(super) const REFRESH: &str = "refresh";
/// What the log calls signing in to a source, and ending that, for the organisation and for oneself:
/// neither edits anything.
pub(super) const SIGN_IN: [&str; 2] = ["sign in to", "sign in for oneself to"];
/// See [`SIGN_IN`].
pub(super) const DISCONNECT: [&str; 2] = ["disconnect", "disconnect oneself from"];
const LOOKS: [&str; 6] = [TEST, REFRESH, SIGN_IN[0], SIGN_IN[1], DISCONNECT[0], DISCONNECT[1]];

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
    /// A tunnel, by its name.
    Tunnel(String),
    /// An analysis, with its source as far as that is there, and what that is called.
    Analysis(AnalysisId, Option<SourceId>, String),
}

impl From<&Source> for Subject {
    fn from(source: &Source) -> Self {
        Self::Source(source.id, source.name.to_string())
    }
}

impl From<&Analysis> for Subject {
    fn from(analysis: &Analysis) -> Self {
        Self::Analysis(analysis.id, analysis.source, analysis.source_name.to_string())
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

    /// Begins to record one edit: what is done to what. An entry that is dropped before its end
    /// says that the person went away meanwhile.
    pub(crate) fn begin<'a>(&'a self, member: &'a Member, done: &'a str, subject: Subject) -> Entry<'a> {
        self.begin_at(member.tenant, member, done, subject)
    }

    /// As [`Trail::begin`], of a thing of an organisation that the person may act in for once: its
    /// owner reads of it.
    pub(crate) fn begin_at<'a>(
        &'a self,
        tenant: TenantId,
        member: &'a Member,
        done: &'a str,
        subject: Subject,
    ) -> Entry<'a> {
        Entry { trail: self, tenant, member, done, subject: Some(subject), begun: self.clock.now() }
    }
}

/// An edit under way.
pub(crate) struct Entry<'a> {
    trail: &'a Trail,
    tenant: TenantId,
    member: &'a Member,
    done: &'a str,
    /// `None` once the entry is written or not worth it.
    subject: Option<Subject>,
    begun: Ms,
}

impl Entry<'_> {
    /// Records how the edit ended. A form filled in wrongly is nobody's business but the person's.
    pub(crate) fn end(mut self, failure: Option<(Fault, String)>) {
        let (outcome, reason) = match failure {
            None => (Outcome::Ok, String::new()),
            Some((Fault::Caller, _)) => {
                self.subject = None;
                return;
            }
            Some((Fault::Refused, reason)) => (Outcome::Refused, reason),
            Some((Fault::Upstream, reason)) => (Outcome::Upstream, reason),
            Some((Fault::Gateway, reason)) => (Outcome::Gateway, reason),
        };
        self.write(outcome, reason);
    }

    fn write(&mut self, outcome: Outcome, reason: String) {
        let Some(subject) = self.subject.take() else { return };
        let now = self.trail.clock.now();
        let done = self.done.to_owned();
        let nothing = (None, String::new());
        let (action, source, preset, done) = match subject {
            Subject::Source(id, name) => (Action::SourceChange, (Some(id), name), None, done),
            Subject::Preset(id, slug) => (Action::PresetChange, nothing, Some((id, slug)), done),
            Subject::Tunnel(name) => (Action::TunnelChange, nothing, None, format!("{done} {name}")),
            Subject::Analysis(id, source, name) => {
                (Action::AnalysisChange, (source, name), None, format!("{done} {id}"))
            }
        };
        let (source, source_name) = source;
        let (preset, preset_slug) = preset.unzip();
        let member = self.member;
        self.trail.audit.record(RunEvent {
            outcome,
            reason,
            user: Some(member.user),
            principal: member.handle.to_string(),
            key: member.via.key(),
            address: member.whence.address_text(),
            preset,
            preset_slug: preset_slug.unwrap_or_default(),
            source,
            source_name,
            subject: done,
            duration_us: i64::try_from(now.since(self.begun).as_micros()).unwrap_or(i64::MAX),
            request_id: member.whence.request_text(),
            ..RunEvent::new(self.tenant, now, action)
        });
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.write(
            Outcome::Cancelled,
            "the person went away before it was done; it may still hold".to_owned(),
        );
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
        // Whoever edits a tunnel is told by its version alone, and nobody edits an analysis.
        Subject::Tunnel(_) | Subject::Analysis(..) => return Ok(None),
        Subject::Preset(id, _) => {
            filter.action = Some(Action::PresetChange);
            filter.preset = Some(*id);
        }
    }
    let events = store.read(tenant).await?.list_events(&filter).await?;
    let is_about = |event: &RunEvent| match subject {
        Subject::Source(id, _) => event.source == Some(*id) && !LOOKS.contains(&event.subject.as_str()),
        Subject::Preset(id, _) => event.preset == Some(*id),
        Subject::Tunnel(_) | Subject::Analysis(..) => false,
    };
    Ok(events.into_iter().find(is_about).map(|event| event.principal))
}
