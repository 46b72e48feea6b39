use thiserror::Error;

use super::{TooFast, rate::Refusal};
use crate::{
    clock::Ms,
    fault::Fault,
    model::{Payer, PlanName, TenantId},
    store::StoreError,
};

/// Says why a call was not charged.
#[derive(Debug, Error)]
pub enum QuotaError {
    /// The plan has nothing left in this month.
    #[error("all {limit} calls of {whose} month are used up; the next month begins at {resets_at}", whose = payer.whose())]
    Exhausted {
        /// Whose plan: the person's or the organisation's.
        payer: Payer,
        /// Calls the plan allows in a month.
        limit: i64,
        /// When the next month begins.
        resets_at: Ms,
    },
    /// Calls come faster than they may.
    #[error(transparent)]
    TooFast(#[from] TooFast),
    /// How fast calls come cannot be said, since Redis is away.
    #[error("Redis does not answer, and calls with limits are refused until it does")]
    RedisAway,
    /// The plan was taken away.
    #[error("there is no plan `{plan}`")]
    NoPlan {
        /// The plan asked for.
        plan: PlanName,
    },
    /// There is no account to charge, or it is switched off.
    #[error("nobody can be charged for organisation {tenant}")]
    NobodyToCharge {
        /// The organisation.
        tenant: TenantId,
    },
    /// The counters could not be read or written.
    #[error("could not read or write the quota counters")]
    Store(#[from] StoreError),
}

impl QuotaError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Exhausted { .. } | Self::TooFast(_) | Self::NobodyToCharge { .. } => Fault::Refused,
            Self::NoPlan { .. } | Self::RedisAway => Fault::Gateway,
            Self::Store(error) => error.fault(),
        }
    }
}

impl From<Refusal> for QuotaError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooFast(too_fast) => Self::TooFast(too_fast),
            Refusal::Away => Self::RedisAway,
        }
    }
}
