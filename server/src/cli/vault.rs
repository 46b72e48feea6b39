//! `doorward vault`: the vault's keys. Works beside a running installation.

use std::process::ExitCode;

use clap::Subcommand;
use doorward::{clock::Clock, engine::Engine};

use super::{CommandResult, Context};
use crate::{config::LogFormat, logging, state::engine_settings};

/// What `doorward vault` does.
#[derive(Debug, Subcommand)]
pub(super) enum VaultCommand {
    /// Make a new key and seal every credential under it. A running installation goes on serving.
    Rotate,
}

pub(super) async fn run(context: &Context, command: VaultCommand) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let settings = context.load()?.settings;
    let VaultCommand::Rotate = command;
    let engine = Engine::open(engine_settings(&settings), Clock::system()).await?;
    let rotated = engine.vault.rotate().await;
    engine.store.close().await;
    let rotation = rotated?;
    println!(
        "{} credentials are sealed under the new key {}; {} older keys are kept for backups",
        rotation.resealed, rotation.active, rotation.older_keys
    );
    Ok(ExitCode::SUCCESS)
}
