//! Doorward's own commands: what a person types after cloning, and what continuous integration runs.
//!
//! `cargo xtask serve` goes from a fresh machine to a running gateway, `dist` builds the program that is
//! deployed, `test` checks everything, `assets` builds the browser's half of the console alone, `css` shows what a class
//! becomes, `bench` measures a call. Each says what it does while it does it, and a second run does only what changed.
//!
//! Nothing in here is part of the program that is deployed.
//!
//! To add a command: a module with a `run`, and a line in [`Command`]. To add a step to `test`: a line in
//! `test::STEPS`.

#![expect(
    clippy::disallowed_methods,
    reason = "starting other programs and reading the environment is its duty"
)]

mod assets;
mod bench;
mod css;
mod machine;
mod measure;
mod node;
mod peers;
mod process;
mod serve;
mod test;
mod wasm;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Doorward's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build everything and start the gateway on 127.0.0.1:8080, with its data in ./data.
    Serve {
        /// Handed to `doorward serve`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the one file a deployment needs, optimised as a whole: better by a tenth, and slow to build.
    Dist,
    /// Install what tests need, then check format and lints and run all tests.
    Test {
        /// Only these steps; without any, all of them.
        steps: Vec<String>,
    },
    /// Build the islands (WebAssembly) into target/site.
    Assets,
    /// Measure calls through the gateway beside direct ones and nginx.
    Bench {
        /// Measure only what has this in its name, as in `modern` or `1 MiB`; `search` is measured only so.
        #[arg(long)]
        only: Option<String>,
        /// Keep the figures in xtask/bench.json, to be compared with by the next run.
        #[arg(long)]
        keep: bool,
        /// Measure this program, and build none.
        #[arg(long)]
        program: Option<PathBuf>,
    },
    /// Measure again what the tests compare with, and write it into the repository.
    Keep {
        /// What to measure.
        what: measure::Kept,
    },
    /// Print the rules of these classes, or the console's whole sheet.
    Css {
        /// Utility classes such as `md:px-4`.
        classes: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve { arguments } => serve::start(&arguments),
        Command::Dist => serve::dist(),
        Command::Test { steps } => test::run(&steps),
        Command::Assets => assets::build().map(drop),
        Command::Bench { keep, only, program } => bench::run_all(keep, only.as_deref(), program),
        Command::Keep { what } => measure::keep(what),
        Command::Css { classes } => css::run(&classes),
    }
}
