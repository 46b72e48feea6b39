//! `doorward config`: are the settings right, and what settings are there?

use std::process::ExitCode;

use clap::Subcommand;

use super::{CommandResult, Context};
use crate::config::{effective, sample, table};

/// What `doorward config` does.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the settings and print what is in force, and where it was said.
    Check,
    /// Print a settings file with every setting at its default.
    Sample,
    /// Print the settings as a Markdown table, as the README has it.
    Table,
}

pub(super) fn run(context: &Context, command: &ConfigCommand) -> CommandResult {
    match command {
        ConfigCommand::Check => print!("{}", effective(&context.load()?)),
        ConfigCommand::Sample => print!("{}", sample()),
        ConfigCommand::Table => print!("{}", table()),
    }
    Ok(ExitCode::SUCCESS)
}
