//! What the engine's errors are as problems.

use std::error::Error;

use doorward::{
    audit::AuditError,
    connections::ConnectionError,
    explain::ExplainError,
    fault::{Fault, told},
    identity::IdentityError,
    insights::AnalysisError,
    metrics::MetricsError,
    orgs::OrgError,
    plan_changes::PlanChangeError,
    policy::Denied,
    presets::PresetError,
    quota::QuotaError,
    sources::{SourceError, TunnelEditError},
    store::StoreError,
};

use super::{Problem, ProblemKind};
use crate::apply::ApplyError;

/// When to try again where other analyses must end first: most take seconds.
const ANALYSIS_RETRY_SECS: u64 = 5;

impl Problem {
    /// Describes an error by whose fault it is. What went wrong inside goes to the log, since this
    /// is where it is handled.
    pub fn of(error: &(dyn Error + 'static), fault: Fault) -> Self {
        match fault {
            Fault::Caller => Self::new(ProblemKind::Unprocessable, told(error)),
            Fault::Refused => Self::new(ProblemKind::Forbidden, told(error)),
            Fault::Upstream => Self::new(ProblemKind::Upstream, told(error)),
            Fault::Gateway => {
                tracing::error!("could not answer: {}", told(error));
                Self::new(ProblemKind::Internal, "the log has more under this request's id")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            tracing::warn!("could not answer: {}", told(&error));
            return Self::new(ProblemKind::Unavailable, "the database is busy or away").retry_after_secs(1);
        }
        Self::of(&error, error.fault())
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            // What belongs to others is not there.
            Denied::OtherOrganisation => Self::new(ProblemKind::NotFound, ""),
            Denied::Role { .. }
            | Denied::Level { .. }
            | Denied::Owner
            | Denied::InstanceAdmin
            | Denied::Auditor
            | Denied::KeyScope
            | Denied::KeyOrganisation
            | Denied::Grant => Self::new(ProblemKind::Forbidden, denied.to_string()),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Denied(denied) => denied.into(),
            IdentityError::Store(error) => error.into(),
            IdentityError::Busy => Self::new(ProblemKind::Unavailable, error.to_string()).retry_after_secs(1),
            IdentityError::Throttled { retry_after } => Self::new(ProblemKind::TooMany, error.to_string())
                .retry_after_secs(retry_after.as_secs().max(1)),
            IdentityError::Taken { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::NotFound | SourceError::Tunnel(TunnelEditError::NotFound) => {
                Self::new(ProblemKind::NotFound, error.to_string())
            }
            SourceError::Denied(denied) => denied.into(),
            SourceError::Store(error) => error.into(),
            SourceError::Connection(ConnectionError::NotFound) => {
                Self::new(ProblemKind::NotFound, error.to_string())
            }
            SourceError::NameTaken { .. }
            | SourceError::Stale { .. }
            | SourceError::Tunnel(
                TunnelEditError::NameTaken { .. }
                | TunnelEditError::Stale { .. }
                | TunnelEditError::InUse { .. }
                | TunnelEditError::Diverts { .. },
            ) => Self::new(ProblemKind::Conflict, error.to_string()),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<AnalysisError> for Problem {
    fn from(error: AnalysisError) -> Self {
        match error {
            AnalysisError::NotFound => Self::new(ProblemKind::NotFound, error.to_string()),
            AnalysisError::Denied(denied) => denied.into(),
            AnalysisError::Source(error) => error.into(),
            AnalysisError::Store(error) => error.into(),
            AnalysisError::Ended | AnalysisError::SourceGone { .. } => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            AnalysisError::Exhausted { retry_after, .. } => {
                Self::new(ProblemKind::TooMany, error.to_string())
                    .retry_after_secs(retry_after.as_secs().max(1))
            }
            AnalysisError::Concurrent { .. } => {
                Self::new(ProblemKind::TooMany, error.to_string()).retry_after_secs(ANALYSIS_RETRY_SECS)
            }
            AnalysisError::Busy { .. } | AnalysisError::Stopping => {
                Self::new(ProblemKind::Unavailable, error.to_string()).retry_after_secs(ANALYSIS_RETRY_SECS)
            }
            other @ (AnalysisError::Invalid { .. }
            | AnalysisError::NotAnalysable { .. }
            | AnalysisError::NoPlan { .. }
            | AnalysisError::Stored { .. }
            | AnalysisError::Unreadable { .. }) => Self::of(&other, other.fault()),
        }
    }
}

impl From<PresetError> for Problem {
    fn from(error: PresetError) -> Self {
        match error {
            PresetError::NotFound | PresetError::NoVersion { .. } => {
                Self::new(ProblemKind::NotFound, error.to_string())
            }
            PresetError::Denied(denied) => denied.into(),
            PresetError::Store(error) => error.into(),
            PresetError::Mail(error) => Self::of(&error, error.fault()),
            PresetError::SlugTaken { .. } | PresetError::Stale { .. } => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<OrgError> for Problem {
    fn from(error: OrgError) -> Self {
        match error {
            OrgError::NotFound | OrgError::NoMember { .. } | OrgError::NoInvitation => {
                Self::new(ProblemKind::NotFound, error.to_string())
            }
            OrgError::Denied(denied) => denied.into(),
            OrgError::Store(error) => error.into(),
            OrgError::Mail(error) => Self::of(&error, error.fault()),
            OrgError::Taken { .. } | OrgError::IsMember { .. } | OrgError::LastAdmin => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<PlanChangeError> for Problem {
    fn from(error: PlanChangeError) -> Self {
        let kind = match error {
            PlanChangeError::Store(error) => return error.into(),
            PlanChangeError::Off => ProblemKind::NotFound,
            PlanChangeError::Unsigned(_) => ProblemKind::Unauthenticated,
            PlanChangeError::TooLarge => ProblemKind::TooLarge,
            PlanChangeError::OtherBody { .. } => ProblemKind::Conflict,
            PlanChangeError::TooMany { .. } => ProblemKind::TooMany,
            PlanChangeError::Unreadable { .. }
            | PlanChangeError::NoSubject { .. }
            | PlanChangeError::NoPlan { .. } => ProblemKind::Unprocessable,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Denied(denied) => denied.into(),
            ExplainError::Preset(error) => error.into(),
            ExplainError::Quota(error) => error.into(),
            ExplainError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<QuotaError> for Problem {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Store(error) => error.into(),
            QuotaError::RedisAway => {
                Self::new(ProblemKind::Unavailable, error.to_string()).retry_after_secs(1)
            }
            QuotaError::TooFast(too_fast) => Self::new(ProblemKind::TooMany, too_fast.to_string())
                .retry_after_secs(too_fast.retry_after_secs()),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Denied(denied) => denied.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<MetricsError> for Problem {
    fn from(error: MetricsError) -> Self {
        Self::of(&error, error.fault())
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        let said = Self::of(&error, error.fault());
        match (&error, error.fault()) {
            // The cause is for the log; what holds already is for the one who must go on from there.
            (ApplyError::Partly { .. }, Fault::Gateway) => said.adding(&error.to_string()),
            _ => said,
        }
    }
}
