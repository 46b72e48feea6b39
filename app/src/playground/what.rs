//! What can be asked for in the playground. Pure.

use doorward::mcp::ListKind;
use serde::{Deserialize, Serialize};

use crate::form::encode;

/// A kind of thing that presets publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A tool, to be called.
    Tool,
    /// A prompt, to be filled in.
    Prompt,
    /// A resource, to be read.
    Resource,
    /// A template for the addresses of resources, to be filled in and read.
    Template,
}

impl What {
    /// Every kind, in the order of the page.
    pub(super) const ALL: [Self; 4] = [Self::Tool, Self::Prompt, Self::Resource, Self::Template];

    /// The word for it in addresses and forms.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "template",
        }
    }

    /// The title above several.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Tool => "Tools",
            Self::Prompt => "Prompts",
            Self::Resource => "Resources",
            Self::Template => "Resource templates",
        }
    }

    /// What the button says.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Tool => "Call the tool",
            Self::Prompt => "Get the prompt",
            Self::Resource | Self::Template => "Read the resource",
        }
    }

    /// What the form says that has no fields.
    pub(super) fn takes_nothing(self) -> &'static str {
        match self {
            Self::Tool => "This tool takes no arguments.",
            Self::Prompt => "This prompt takes no arguments.",
            Self::Resource => "A resource is read as it is: there is nothing to fill in.",
            Self::Template => "This template has no variables.",
        }
    }

    /// The list it stands in.
    pub(super) fn list(self) -> ListKind {
        match self {
            Self::Tool => ListKind::Tools,
            Self::Prompt => ListKind::Prompts,
            Self::Resource => ListKind::Resources,
            Self::Template => ListKind::Templates,
        }
    }
}

/// One thing that a preset publishes: its kind, and its name, address or template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub what: What,
    pub name: String,
}

impl Subject {
    /// Reads it from the page's address.
    pub(super) fn asked(value: impl Fn(&str) -> Option<String>) -> Option<Self> {
        What::ALL.into_iter().find_map(|what| Some(Self { what, name: value(what.word())? }))
    }

    /// Returns the page's address with it, below the playground of this preset.
    pub(super) fn path(&self, preset: &str) -> String {
        format!("/presets/{}/try?{}={}", encode(preset), self.what.word(), encode(&self.name))
    }
}
