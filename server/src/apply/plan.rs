//! What applying does, thing by thing.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// What is done to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Add,
    /// It is made to be as declared.
    Change,
    /// It is as declared.
    Same,
}

/// One thing of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub struct Step {
    /// What is done to it.
    pub action: Action,
    /// What it is: `plan`, `user`, `organisation`, `tunnel`, `source`, `preset` or `key`.
    pub kind: String,
    /// Its name, after its owner's.
    pub name: String,
    /// What is worth knowing: the parts that change, or what a source answered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The text of a key that was made, which is not to be had again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Every thing of the document, in the order of doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub struct Plan {
    /// Whether it was only looked at.
    pub dry_run: bool,
    /// The things.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Says whether everything is as declared.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Same)
    }

    /// Returns how much was done, in a line.
    pub fn summary(&self) -> String {
        let (add, change, same) =
            (self.count(Action::Add), self.count(Action::Change), self.count(Action::Same));
        let said = if self.dry_run { "would be " } else { "" };
        format!("{add} {said}added, {change} {said}changed, {same} as declared")
    }

    fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(formatter, "{step}")?;
        }
        writeln!(formatter, "{}", self.summary())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.action {
            Action::Add => '+',
            Action::Change => '~',
            Action::Same => '=',
        };
        write!(formatter, "{mark} {:<7} {}", self.kind, self.name)?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, "  ({})", self.detail) }
    }
}
