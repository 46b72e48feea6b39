//! The command line: what can be said, and which file does it.
//!
//! A command is a variant of [`Command`], a line in [`run`] and a file beside this one. Never holds
//! the work itself beyond reading arguments and printing answers.

mod config;
mod connect;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use doorward::secret::Secret;

use crate::config::{ConfigErrors, Loaded, Settings, environment, variable};

/// What a command may end with.
pub type CommandResult = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// A self-hosted gateway for the Model Context Protocol.
#[derive(Debug, Parser)]
#[command(name = "doorward", version)]
struct Arguments {
    /// The settings file; `DOORWARD_CONFIG` names one as well.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the settings, or print a sample of them.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Be a preset as an MCP server on standard input and output.
    Connect(connect::ConnectArguments),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            print_chain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> CommandResult {
    let context = Context { config: arguments.config };
    match arguments.command {
        Command::Config(command) => config::run(&context, &command),
        Command::Connect(arguments) => wait_for(connect::run(arguments)),
    }
}

/// Runs what waits for others.
fn wait_for(command: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

/// Reads a secret from a file, without the line end that editors leave there.
fn read_secret_file(path: &Path) -> Result<Secret, io::Error> {
    let text = fs::read_to_string(path).map_err(|error| {
        io::Error::new(error.kind(), format!("could not read `{}`: {error}", path.display()))
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// What every command knows.
struct Context {
    config: Option<PathBuf>,
}

impl Context {
    fn load(&self) -> Result<Loaded, ConfigErrors> {
        let named = self.config.clone().or_else(|| variable("DOORWARD_CONFIG").map(PathBuf::from));
        Settings::load(named.as_deref(), environment())
    }
}

fn print_chain(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    eprintln!("doorward: {text}");
}
