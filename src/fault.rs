//! Whose fault an error is.
//!
//! Every room's error answers `fault()`; the answer decides log level, metric label and whether a
//! retry makes sense. Never decides a status code: that is `server/src/respond`.

use std::error::Error;

use serde::{Deserialize, Serialize};

/// Says whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The request was wrong; the same request will fail again.
    Caller,
    /// The request was understood and refused: permission, quota, limit.
    Refused,
    /// The source behind us failed, was unreachable or broke the protocol.
    Upstream,
    /// Doorward itself failed: database, disk, a bug.
    Gateway,
}

impl Fault {
    /// Returns the label used in logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Refused => "refused",
            Self::Upstream => "upstream",
            Self::Gateway => "gateway",
        }
    }
}

/// Returns an error and its causes in one line. Of causes that their error tells already, nothing is said again.
pub fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}
