//! What can go wrong with a preset.

use thiserror::Error;

use crate::{
    clock::Ms,
    fault::Fault,
    mail::MailError,
    model::{PlanName, Slug},
    policy::Denied,
    presets::Collision,
    store::StoreError,
};

/// Says why a preset was not found or kept.
#[derive(Debug, Error)]
pub enum PresetError {
    /// There is no such preset, or it belongs to somebody else.
    #[error("there is no such preset")]
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

    /// Another preset of the same owner has the slug.
    #[error("there is already a preset with the slug `{slug}`")]
    SlugTaken {
        /// The slug.
        slug: Slug,
    },

    /// The owner's plan holds no more presets.
    #[error(
        "the plan `{plan}` holds {limit} presets and {used} are there: remove one, or ask an administrator of this \
         gateway for another plan"
    )]
    Limit {
        /// The plan.
        plan: PlanName,
        /// How many it holds.
        limit: i64,
        /// How many there are.
        used: i64,
    },

    /// Two tools want one name.
    #[error("{}", collision_text(.collisions))]
    Collision {
        /// Every such name, at least one.
        collisions: Vec<Collision>,
    },

    /// Somebody else edited it after this caller looked.
    #[error(
        "{} changed this preset at {at}; look at it again and repeat the change",
        .by.as_deref().unwrap_or("somebody else")
    )]
    Stale {
        /// Who, if the audit log knows.
        by: Option<String>,
        /// The version it has.
        version: i64,
        /// When it was edited.
        at: Ms,
    },

    /// That version of the preset is not kept.
    #[error("version {version} of this preset is not kept")]
    NoVersion {
        /// The version.
        version: i64,
    },

    /// The invitation is for somebody else.
    #[error("this invitation is for another account: sign in with the one of the e-mail address it is for")]
    NotYours,

    /// The machine gives no random numbers.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),

    /// The letter was not sent, and nobody was invited.
    #[error("nobody is invited")]
    Mail(#[from] MailError),

    /// The database failed.
    #[error("could not read or write presets")]
    Store(#[from] StoreError),
}

impl PresetError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotFound
            | Self::NoVersion { .. }
            | Self::Invalid { .. }
            | Self::SlugTaken { .. }
            | Self::Collision { .. }
            | Self::Stale { .. } => Fault::Caller,
            Self::Denied(_) | Self::NotYours | Self::Limit { .. } => Fault::Refused,
            Self::Random(_) => Fault::Gateway,
            Self::Mail(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}

fn collision_text(collisions: &[Collision]) -> String {
    let mut text = String::new();
    for Collision { name, first, second, suggestion } in collisions {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&format!(
            "`{}` of source `{}` and `{}` of source `{}` would both be called `{name}`: expose one of them \
             under another name, for example `{suggestion}`",
            first.1, first.0, second.1, second.0
        ));
    }
    text
}
