//! What can go wrong with an organisation.

use thiserror::Error;

use crate::{
    fault::Fault,
    mail::MailError,
    model::{Handle, PlanName},
    policy::Denied,
    store::StoreError,
};

/// Says why an organisation was not found or changed.
#[derive(Debug, Error)]
pub enum OrgError {
    /// There is no such organisation, or the person does not belong to it.
    #[error("there is no such organisation that you belong to")]
    NotFound,

    /// The caller may not do this.
    #[error("not allowed")]
    Denied(#[source] Denied),

    /// A part of what was typed cannot be used.
    #[error("{part}: {reason}")]
    Invalid {
        /// The part, by the name of its field.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// A person or an organisation has the handle, or an organisation had it that was removed.
    #[error("the handle `{handle}` is taken")]
    Taken {
        /// The handle.
        handle: Handle,
    },

    /// The person made as many organisations as one may.
    #[error("you have made {max} organisations: remove one first")]
    TooManyMade {
        /// How many there may be.
        max: i64,
    },

    /// There is no plan of that name.
    #[error("there is no plan `{plan}`")]
    NoPlan {
        /// The plan asked for.
        plan: PlanName,
    },

    /// The organisation has as many people as one may.
    #[error("an organisation has at most {max} members")]
    TooManyMembers {
        /// How many there may be.
        max: usize,
    },

    /// Only teams have members.
    #[error("this is one person's own organisation: make another one to share")]
    Personal,

    /// Nobody would be left to manage the organisation.
    #[error("this is the last administrator of the organisation: make somebody else one first")]
    LastAdmin,

    /// There is no account of that handle.
    #[error("there is no account `{handle}`")]
    Nobody {
        /// The handle.
        handle: Handle,
    },

    /// The person does not belong to the organisation.
    #[error("`{handle}` is no member of the organisation")]
    NoMember {
        /// The person's handle.
        handle: Handle,
    },

    /// The person belongs to the organisation already.
    #[error("`{handle}` is a member of the organisation already")]
    IsMember {
        /// The person's handle.
        handle: Handle,
    },

    /// Who manages the instance would give themselves what an organisation owns.
    #[error("nobody puts themselves into an organisation: have one of its administrators invite you")]
    Yourself,

    /// The invitation is for somebody else.
    #[error("this invitation is for another account: sign in with the one it is for")]
    NotYours,

    /// The invitation was accepted, withdrawn, or has ended.
    #[error("this invitation was accepted, withdrawn, or has ended")]
    NoInvitation,

    /// The machine gives no random numbers.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),

    /// The letter was not sent, and nobody was invited.
    #[error("nobody is invited")]
    Mail(#[from] MailError),

    /// The database failed.
    #[error("could not read or write organisations")]
    Store(#[from] StoreError),
}

impl OrgError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound
            | Self::Invalid { .. }
            | Self::NoPlan { .. }
            | Self::Taken { .. }
            | Self::Personal
            | Self::Nobody { .. }
            | Self::NoMember { .. }
            | Self::IsMember { .. }
            | Self::NoInvitation => Fault::Caller,
            Self::Denied(_)
            | Self::TooManyMade { .. }
            | Self::TooManyMembers { .. }
            | Self::LastAdmin
            | Self::Yourself
            | Self::NotYours => Fault::Refused,
            Self::Random(_) => Fault::Gateway,
            Self::Mail(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}
