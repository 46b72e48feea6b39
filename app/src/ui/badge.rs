//! States: a word with a shape, never a colour alone.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ui::Icon;

/// What a state or a sentence means to the person who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    /// It works.
    Good,
    /// It works, but look.
    Warn,
    /// It does not work.
    Bad,
    /// It waits for somebody.
    Held,
    /// It is switched off, or was never tried.
    Off,
    /// It is worth knowing.
    Plain,
}

impl Tone {
    /// Returns the shape that stands for it.
    pub(crate) fn icon(self) -> Icon {
        match self {
            Self::Good => Icon::Good,
            Self::Warn => Icon::Alert,
            Self::Bad => Icon::Failing,
            Self::Held => Icon::Held,
            Self::Off => Icon::Off,
            Self::Plain => Icon::Info,
        }
    }

    /// Returns the classes of its badge.
    pub(crate) fn badge(self) -> &'static str {
        match self {
            Self::Good => tw!("badge badge-good"),
            Self::Warn => tw!("badge badge-warn"),
            Self::Bad => tw!("badge badge-bad"),
            Self::Held => tw!("badge badge-held"),
            Self::Off => tw!("badge badge-off"),
            Self::Plain => tw!("badge badge-accent"),
        }
    }
}

/// A state as a word with a shape.
#[component]
pub(crate) fn Badge(
    /// What it means.
    tone: Tone,
    /// The word.
    #[prop(into)]
    word: String,
    /// A shape other than the tone's.
    #[prop(optional)]
    icon: Option<Icon>,
) -> impl IntoView {
    view! {
        <span class=tone.badge()>
            {icon.unwrap_or(tone.icon()).sized(tw!("size-3"))}
            {word}
        </span>
    }
}
