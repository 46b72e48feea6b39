//! What can go wrong with a change of a plan.

use thiserror::Error;

use crate::{fault::Fault, model::PlanName, signed::Unsigned, store::StoreError};

use super::BODY_BYTES_MAX;

/// Says why a change was not taken.
#[derive(Debug, Error)]
pub enum PlanChangeError {
    /// There is no secret that posts could be signed with.
    #[error("this gateway takes no changes of plans")]
    Off,

    /// Whoever posted it is not believed.
    #[error("the post is not believed: {0}")]
    Unsigned(#[from] Unsigned),

    /// The body is larger than a change is.
    #[error("{BODY_BYTES_MAX} bytes are the most")]
    TooLarge,

    /// The body is not a change.
    #[error("the body is not a change of a plan: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },

    /// Another body was posted under the same id.
    #[error("the change `{id}` was posted before with another body")]
    OtherBody {
        /// The id.
        id: String,
    },

    /// There is nobody of that name.
    #[error(
        "there is no organisation or account `{subject}`: name it by its handle, or a person by e-mail address"
    )]
    NoSubject {
        /// Whom it names.
        subject: String,
    },

    /// There is no plan of that name.
    #[error("there is no plan `{plan}`")]
    NoPlan {
        /// The plan asked for.
        plan: PlanName,
    },

    /// As many are remembered as there may be.
    #[error("{max} changes are remembered, and no more are taken until old ones are forgotten")]
    TooMany {
        /// How many there may be.
        max: i64,
    },

    /// The database failed.
    #[error("could not read or write changes of plans")]
    Store(#[from] StoreError),
}

impl PlanChangeError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::TooLarge
            | Self::Unreadable { .. }
            | Self::OtherBody { .. }
            | Self::NoSubject { .. }
            | Self::NoPlan { .. } => Fault::Caller,
            Self::Off | Self::Unsigned(_) | Self::TooMany { .. } => Fault::Refused,
            Self::Store(error) => error.fault(),
        }
    }
}
