//! What can be wrong with a document, or keep it from being applied.

use std::{fmt, path::PathBuf};

use doorward::{
    fault::Fault, identity::IdentityError, model::Handle, orgs::OrgError, policy::Denied,
    presets::PresetError, sources::SourceError,
};
use thiserror::Error;

use super::{Action, Step};

/// A mistake in the document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, counted from 1, if it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            // The parser ends its own words with the place.
            Some(line) if self.reason.contains(&format!("line {line}")) => formatter.write_str(&self.reason),
            Some(line) => write!(formatter, "line {line}: {}", self.reason),
            None => formatter.write_str(&self.reason),
        }
    }
}

impl std::error::Error for Mistake {}

/// Says why a document was not applied, or not as a whole.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The document is wrong.
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// A file that the document names could not be read or written.
    #[error("{}: could not {deed} `{}`", line(.at), path.display())]
    File {
        /// The line of the thing it belongs to.
        at: Option<usize>,
        /// `read` or `write`.
        deed: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The document names a file, and whoever sends it has none here.
    #[error("{}: `{name}` names a file, and files are read where `doorward apply` runs; send what is in it", line(.at))]
    FileByRequest {
        /// The line of the thing it belongs to.
        at: Option<usize>,
        /// The member.
        name: &'static str,
    },
    /// There is no such person.
    #[error("{}: there is no user or organisation `{handle}`, or it is switched off", line(.at))]
    NoUser {
        /// The line of the thing it belongs to.
        at: Option<usize>,
        /// The name.
        handle: Handle,
    },
    /// A thing belongs to somebody else than the one who applies.
    #[error("{}: this belongs to `{owner}`, and you are `{acting}`", line(.at))]
    SomebodyElse {
        /// The line of the thing.
        at: Option<usize>,
        /// Its owner.
        owner: Handle,
        /// Who applies.
        acting: Handle,
    },
    /// An account or key was not changed.
    #[error("{}", line(.at))]
    Identity {
        /// The line of the thing.
        at: Option<usize>,
        /// Why.
        source: IdentityError,
    },
    /// An organisation was not changed.
    #[error("{}", line(.at))]
    Organisation {
        /// The line of the thing.
        at: Option<usize>,
        /// Why.
        source: OrgError,
    },
    /// A source was not changed.
    #[error("{}", line(.at))]
    Source {
        /// The line of the thing.
        at: Option<usize>,
        /// Why.
        source: SourceError,
    },
    /// A preset was not changed.
    #[error("{}", line(.at))]
    Preset {
        /// The line of the thing.
        at: Option<usize>,
        /// Why.
        source: PresetError,
    },
    /// Something failed after a part was applied. That stays; a second run goes on from there.
    #[error("applied up to here: {}; then", done.join(", "))]
    Partly {
        /// What is applied, thing by thing.
        done: Vec<String>,
        /// What failed.
        source: Box<ApplyError>,
    },
    /// Whoever applies may not.
    #[error("{}", line(.at))]
    Denied {
        /// The line of the thing.
        at: Option<usize>,
        /// Why.
        source: Denied,
    },
}

impl ApplyError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Mistake(_) | Self::FileByRequest { .. } | Self::NoUser { .. } => Fault::Caller,
            Self::SomebodyElse { .. } => Fault::Refused,
            Self::File { .. } => Fault::Gateway,
            Self::Identity { source, .. } => source.fault(),
            Self::Organisation { source, .. } => source.fault(),
            Self::Source { source, .. } => source.fault(),
            Self::Preset { source, .. } => source.fault(),
            Self::Denied { source, .. } => source.fault(),
            Self::Partly { source, .. } => source.fault(),
        }
    }

    /// Returns the error of a run that has done these steps.
    pub(super) fn after(self, steps: &[Step]) -> Self {
        let done = steps.iter().filter(|step| step.action != Action::Same);
        let done: Vec<String> = done.map(|step| format!("{} {}", step.kind, step.name)).collect();
        if done.is_empty() { self } else { Self::Partly { done, source: Box::new(self) } }
    }
}

fn line(at: &Option<usize>) -> String {
    at.map_or_else(|| "somewhere".to_owned(), |line| format!("line {line}"))
}
