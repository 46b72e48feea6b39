//! What can go wrong with an analysis.

use std::time::Duration;

use thiserror::Error;

use crate::{
    clock::Ms,
    fault::Fault,
    model::{Payer, PlanName, SourceName},
    policy::Denied,
    sources::SourceError,
    store::StoreError,
};

/// Says why an analysis was not begun, found, ended or removed.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// There is no such analysis, or it belongs to somebody else.
    #[error("there is no such analysis")]
    NotFound,

    /// The caller may not do this.
    #[error("not allowed")]
    Denied(#[from] Denied),

    /// A part of what was typed cannot be used.
    #[error("{part}: {reason}")]
    Invalid {
        /// The part, by the name of its field.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// The source has nothing that an analysis could be made of.
    #[error(
        "the data source `{name}` is no Spark History Server, and has no accepted tools that give what one knows"
    )]
    NotAnalysable {
        /// Its name.
        name: SourceName,
    },

    /// The source of the analysis has been removed, so it cannot be repeated.
    #[error("the data source `{name}` of this analysis has been removed")]
    SourceGone {
        /// What it was called.
        name: SourceName,
    },

    /// The analysis has ended already.
    #[error("the analysis has ended already")]
    Ended,

    /// The plan has nothing left in this month.
    #[error(
        "all {limit} analyses of {} month are used up; the next month begins at {resets_at}, and an administrator of \
         this gateway can change the plan", payer.whose()
    )]
    Exhausted {
        /// Whose plan: the person's or the organisation's.
        payer: Payer,
        /// Analyses the plan allows in a month.
        limit: i64,
        /// When the next month begins.
        resets_at: Ms,
        /// How long until then.
        retry_after: Duration,
    },

    /// As many run as the plan allows at the same time.
    #[error(
        "the plan `{plan}` allows {limit} at the same time, and as many analyses run: wait for one to end, or cancel it"
    )]
    Concurrent {
        /// The plan.
        plan: PlanName,
        /// How many it allows.
        limit: i64,
    },

    /// As many are kept as the plan allows.
    #[error(
        "the plan `{plan}` keeps {limit} analyses and {used} are there: remove one, or ask an administrator of this \
         gateway for another plan"
    )]
    Stored {
        /// The plan.
        plan: PlanName,
        /// How many it keeps.
        limit: i64,
        /// How many there are.
        used: i64,
    },

    /// As many run in this process as it has room for.
    #[error("{limit} analyses run at once and there is room for no more: try again in a moment")]
    Busy {
        /// How many there is room for.
        limit: usize,
    },

    /// The plan was taken away.
    #[error("there is no plan `{plan}`")]
    NoPlan {
        /// The plan asked for.
        plan: PlanName,
    },

    /// The program is ending.
    #[error("the program is ending")]
    Stopping,

    /// The source answered, and what it said cannot be read.
    #[error("the data source did not say which applications there are: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },

    /// The source cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),

    /// The database failed.
    #[error("could not read or write analyses")]
    Store(#[from] StoreError),
}

impl AnalysisError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound
            | Self::Invalid { .. }
            | Self::NotAnalysable { .. }
            | Self::SourceGone { .. }
            | Self::Ended => Fault::Caller,
            Self::Denied(_) | Self::Exhausted { .. } | Self::Concurrent { .. } | Self::Stored { .. } => {
                Fault::Refused
            }
            Self::Busy { .. } | Self::NoPlan { .. } | Self::Stopping => Fault::Gateway,
            Self::Unreadable { .. } => Fault::Upstream,
            Self::Source(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}
