//! The command line: what can be said, and which file does it.
//!
//! A command is a variant of [`Command`], a line in [`run`] and a file beside this one. Never holds
//! the work itself beyond reading arguments and printing answers.

mod analyze;
mod apply;
mod audit;
mod config;
mod connect;
mod doctor;
mod explain;
mod installation;
mod isolation;
mod key;
mod serve;
mod user;
mod vault;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use doorward::{fault::told, secret::Secret, upstream::stdio};
use tokio::runtime;

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
    /// Serve the console, the REST API and every preset.
    Serve,
    /// Make an installation be as a YAML document declares.
    Apply(apply::ApplyArguments),
    /// Print what an installation holds as such a document, without secrets.
    Export(apply::ExportArguments),
    /// Say what is wrong with a Spark application, with the numbers behind it.
    Analyze(analyze::AnalyzeArguments),
    /// Look whether everything an installation needs is in order.
    Doctor(doctor::DoctorArguments),
    /// Say why a call would work or not: every layer's decision in order.
    Explain(explain::ExplainArguments),
    /// Prove the audit log, or find where it was changed.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Manage the vault's keys.
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Manage accounts at the shell of the installation.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Manage API keys at the shell of the installation.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Check the settings, or print a sample of them.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Be a preset as an MCP server on standard input and output.
    Connect(connect::ConnectArguments),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    // The guard of a source's process comes before anything that starts threads.
    if stdio::guard_requested(std::env::args_os()) {
        return stdio::guard_main(std::env::args_os());
    }
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
        Command::Serve => wait_for(serve::run(&context)),
        Command::Apply(arguments) => wait_for(apply::apply(&context, arguments)),
        Command::Export(arguments) => wait_for(apply::export(&context, arguments)),
        Command::Explain(arguments) => wait_for(explain::run(&context, arguments)),
        Command::Analyze(arguments) => wait_for(analyze::run(&context, arguments)),
        Command::Doctor(arguments) if arguments.isolation => wait_for(isolation::run(&context)),
        Command::Doctor(_) => wait_for(doctor::run(&context)),
        Command::Audit(command) => wait_for(audit::run(&context, command)),
        Command::Vault(command) => wait_for(vault::run(&context, command)),
        Command::User(command) => wait_for(user::run(&context, command)),
        Command::Key(command) => wait_for(key::run(&context, command)),
        Command::Config(command) => config::run(&context, &command),
        Command::Connect(arguments) => wait_for(connect::run(arguments)),
    }
}

/// Runs what waits for others. With one core there is nobody to share the work with, and being ready to share it costs
/// every call.
fn wait_for(command: impl Future<Output = CommandResult>) -> CommandResult {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runtime = if cores == 1 {
        runtime::Builder::new_current_thread()
    } else {
        runtime::Builder::new_multi_thread()
    };
    runtime.enable_all().build()?.block_on(command)
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
    eprintln!("doorward: {}", told(error));
}
