//! Logs: text for people or JSON for machines, to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

use crate::config::LogFormat;

/// Starts logging what the filter lets through, as `info,doorward=debug`. A second call in one
/// process changes nothing.
pub fn start(filter: &str, format: LogFormat) {
    let filter = EnvFilter::new(filter);
    // Colours are for terminals: a file or a collector would keep their codes.
    let colours = std::io::stderr().is_terminal();
    let lines = fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let outcome = match format {
        LogFormat::Text => lines.with_target(false).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    if outcome.is_err() {
        tracing::debug!("logging was already started");
    }
}
