//! Why a page or a form cannot be answered, in the terms of a person who looks at it.

use doorward::{
    audit::AuditError,
    connections::ConnectionError,
    explain::ExplainError,
    fault::{Fault, told},
    identity::{IdentityError, LoginError},
    insights::AnalysisError,
    issuer::IssuerError,
    metrics::MetricsError,
    orgs::OrgError,
    policy::Denied,
    presets::PresetError,
    quota::QuotaError,
    sources::{SourceError, TunnelEditError},
    store::StoreError,
};

/// Says why there is no page to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nobody is signed in.
    SignIn,
    /// What is asked for is at another path.
    Elsewhere(String),
    /// There is no such thing, or it belongs to somebody else.
    NotFound,
    /// The person may not; the sentence says who may.
    Forbidden(String),
    /// The database is busy or away; trying again makes sense.
    Busy,
    /// Doorward failed. What happened is in the log.
    Broken,
}

impl From<Denied> for Trouble {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::OtherOrganisation => Self::NotFound,
            Denied::Role { .. }
            | Denied::Level { .. }
            | Denied::Owner
            | Denied::InstanceAdmin
            | Denied::Auditor
            | Denied::KeyScope
            | Denied::KeyOrganisation
            | Denied::Grant => Self::Forbidden(sentence(&denied.to_string())),
        }
    }
}

impl Trouble {
    /// Turns an error of the engine that is nothing the person could have typed otherwise into what
    /// they see, and logs it, because this is where it is handled.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static), fault: Fault) -> Self {
        match fault {
            Fault::Refused => Self::Forbidden(sentence(&error.to_string())),
            Fault::Caller | Fault::Upstream | Fault::Gateway => {
                tracing::error!(error = %told(error), "the console could not answer");
                Self::Broken
            }
        }
    }
}

impl From<IdentityError> for Trouble {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Denied(denied) => denied.into(),
            IdentityError::Busy => Self::Busy,
            IdentityError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<LoginError> for Trouble {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Identity(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<IssuerError> for Trouble {
    fn from(error: IssuerError) -> Self {
        match error {
            IssuerError::Denied(denied) => denied.into(),
            IssuerError::Identity(error) => error.into(),
            IssuerError::Preset(error) => error.into(),
            IssuerError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        if error.is_passing() { Self::Busy } else { Self::of(&error, error.fault()) }
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::NotFound | SourceError::Tunnel(TunnelEditError::NotFound) => Self::NotFound,
            SourceError::Denied(denied) | SourceError::Connection(ConnectionError::Denied(denied)) => {
                denied.into()
            }
            SourceError::Connection(ConnectionError::NotFound) => Self::NotFound,
            SourceError::Connection(ConnectionError::Store(error)) => error.into(),
            SourceError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<AnalysisError> for Trouble {
    fn from(error: AnalysisError) -> Self {
        match error {
            AnalysisError::NotFound => Self::NotFound,
            AnalysisError::Denied(denied) => denied.into(),
            AnalysisError::Source(error) => error.into(),
            AnalysisError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<PresetError> for Trouble {
    fn from(error: PresetError) -> Self {
        match error {
            PresetError::NotFound | PresetError::NoVersion { .. } => Self::NotFound,
            PresetError::Denied(denied) => denied.into(),
            PresetError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<OrgError> for Trouble {
    fn from(error: OrgError) -> Self {
        match error {
            OrgError::NotFound | OrgError::NoMember { .. } | OrgError::NoInvitation => Self::NotFound,
            OrgError::Denied(denied) => denied.into(),
            OrgError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

impl From<ExplainError> for Trouble {
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

impl From<AuditError> for Trouble {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Behind => Self::Busy,
            AuditError::Denied(denied) => denied.into(),
            AuditError::Store(error) => error.into(),
            other @ (AuditError::NotWhole | AuditError::Seed | AuditError::Key(_) | AuditError::Vault(_)) => {
                Self::of(&other, other.fault())
            }
        }
    }
}

impl From<MetricsError> for Trouble {
    fn from(error: MetricsError) -> Self {
        match error {
            MetricsError::Store(error) => error.into(),
        }
    }
}

impl From<QuotaError> for Trouble {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Store(error) => error.into(),
            other => Self::of(&other, other.fault()),
        }
    }
}

/// Returns a text with a capital at the beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Makes a sentence of an error's text: a capital at the beginning, a full stop at the end.
pub(crate) fn sentence(text: &str) -> String {
    let mut sentence = capital(text);
    if sentence.is_empty() {
        return sentence;
    }
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}
