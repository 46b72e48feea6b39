//! What can be wrong with settings.

use std::{fmt, path::PathBuf};

use doorward::fault::told;
use thiserror::Error;

use super::Origin;

/// Says what is wrong with a setting.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A name that is no setting.
    #[error("{origin}: there is no setting `{name}`{}", did_you_mean(nearest))]
    Unknown {
        /// The name as written.
        name: String,
        /// Where it was said.
        origin: Origin,
        /// The setting that is written most like it, if one is close.
        nearest: Option<String>,
    },
    /// A value that does not fit.
    #[error("{origin}: `{name}` {reason}")]
    Value {
        /// The setting.
        name: String,
        /// Where it was said.
        origin: Origin,
        /// What would fit.
        reason: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Together(String),
    /// The settings file, or a file a secret is in, could not be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("`{}`: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Every mistake found, so that they can be mended in one go.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the settings do not hold")?;
        for error in &self.0 {
            write!(formatter, "\n  {}", told(error))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
