//! `doorward audit`: whether the audit log is as it was recorded. Works beside a running installation; files are verified
//! without one.

use std::{
    fs::File,
    io::{self, BufReader, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use doorward::{
    audit::Verified,
    chain::{Checkpoint, FileReport, Line, PublicKey, Tally, Verifier, VerifyError, proof_line},
    clock::Clock,
    engine::Engine,
    fault::told,
    model::TenantId,
};

use super::{CommandResult, Context};
use crate::{config::LogFormat, logging, state::engine_settings};

/// What `doorward audit` does.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verify files that were exported with proof, with nothing but them; without a file, the installation's own log.
    Verify(VerifyArguments),
    /// Print the public key that checkpoints are signed with. Keep it where the installation cannot change it.
    Key,
    /// Sign for the log of every organisation as it is, and print the checkpoints, to be kept elsewhere.
    Checkpoint,
}

/// What `doorward audit verify` takes.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The files, those of one organisation in the order of their events.
    files: Vec<PathBuf>,
    /// A public key that counts; without one, those that the files or the installation name themselves.
    #[arg(long = "key", value_name = "PUBLIC_KEY", value_parser = PublicKey::parse)]
    keys: Vec<PublicKey>,
    /// A file with checkpoints that were kept elsewhere, to hold the log against: what `doorward audit checkpoint`
    /// printed, or a file that was exported with proof.
    #[arg(long = "kept", value_name = "FILE")]
    kept: Vec<PathBuf>,
}

pub(super) async fn run(context: &Context, command: AuditCommand) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    match command {
        AuditCommand::Verify(arguments) if !arguments.files.is_empty() => Ok(verify_files(&arguments)),
        AuditCommand::Verify(arguments) => {
            let kept = match read_kept(&arguments) {
                Ok(kept) => kept,
                Err(wrong) => return Ok(fails(&wrong)),
            };
            let engine = open(context).await?;
            let verified = engine.notary.verify(&arguments.keys, &kept).await;
            let told = match verified {
                Ok(verified) => Ok(tell(&engine, verified, kept.len()).await),
                Err(error) => Err(error.into()),
            };
            engine.store.close().await;
            told
        }
        AuditCommand::Key => {
            let engine = open(context).await?;
            let keys = engine.notary.keys().await;
            engine.store.close().await;
            for key in keys? {
                println!("{key}");
            }
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Checkpoint => {
            let engine = open(context).await?;
            let signed = engine.notary.sign_all().await;
            engine.store.close().await;
            let mut out = Vec::new();
            for checkpoint in signed? {
                proof_line(&Line::Checkpoint(checkpoint), &mut out);
            }
            io::stdout().write_all(&out)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn open(context: &Context) -> Result<Engine, Box<dyn std::error::Error + Send + Sync>> {
    let settings = context.load()?.settings;
    Ok(Engine::open(engine_settings(&settings), Clock::system()).await?)
}

/// Verifies files in their order, those with checkpoints kept elsewhere first.
fn verify_files(arguments: &VerifyArguments) -> ExitCode {
    let mut verifier = Verifier::new(arguments.keys.clone());
    let (mut tally, mut checkpoints) = (Tally::default(), 0);
    for path in &arguments.kept {
        if let Err(error) = read(&mut verifier, path) {
            return fails(&says(path, &error));
        }
    }
    for path in &arguments.files {
        match read(&mut verifier, path) {
            Ok(report) => {
                tally.events += report.tally.events;
                tally.erased += report.tally.erased;
                tally.blank += report.tally.blank;
                checkpoints += report.checkpoints;
            }
            Err(error) => return fails(&says(path, &error)),
        }
    }
    println!("{}", counted(tally, checkpoints));
    match verifier.unsigned() {
        0 => {}
        events => {
            println!("{events} events are newer than the newest checkpoint: nobody signed for them yet")
        }
    }
    for key in verifier.named_keys() {
        println!(
            "signed with {key}, which the files name themselves: compare it with the one you kept, or give it as --key"
        );
    }
    ExitCode::SUCCESS
}

/// Returns the checkpoints of files that were kept elsewhere.
fn read_kept(arguments: &VerifyArguments) -> Result<Vec<Checkpoint>, String> {
    let mut kept = Vec::new();
    for path in &arguments.kept {
        let file = File::open(path).map_err(|error| says(path, &error.into()))?;
        let lines = Verifier::checkpoints_in(BufReader::new(file));
        kept.extend(lines.map_err(|error| says(path, &error))?);
    }
    Ok(kept)
}

fn read(verifier: &mut Verifier, path: &Path) -> Result<FileReport, VerifyError> {
    verifier.file(&path.display().to_string(), BufReader::new(File::open(path)?))
}

fn says(path: &Path, error: &VerifyError) -> String {
    format!("{}: {}", path.display(), told(error))
}

fn fails(what: &str) -> ExitCode {
    println!("{what}");
    ExitCode::FAILURE
}

/// Says what was found in the installation's own log.
async fn tell(engine: &Engine, verified: Verified, kept: usize) -> ExitCode {
    let Verified { organisations, tally, checkpoints, flaw } = verified;
    if let Some((tenant, flaw)) = flaw {
        return fails(&format!("the log of {}: {flaw}", name(engine, tenant).await));
    }
    println!("{organisations} organisations: {}", counted(tally, checkpoints));
    if kept == 0 {
        println!(
            "held against the database's own checkpoints only: with those you kept elsewhere (--kept) and the key you kept (--key), a log rewritten as a whole is found too"
        );
    }
    ExitCode::SUCCESS
}

async fn name(engine: &Engine, tenant: TenantId) -> String {
    let found = async { engine.store.system_read().await?.find_organisation(tenant).await };
    match found.await {
        Ok(Some(found)) => found.handle.to_string(),
        // It was removed, or the database answers no more; its id is known in any case.
        Ok(None) | Err(_) => tenant.to_string(),
    }
}

fn counted(tally: Tally, checkpoints: i64) -> String {
    let Tally { events, erased, blank } = tally;
    let mut text =
        format!("{events} events and {checkpoints} checkpoints are as they were recorded and signed");
    if erased > 0 {
        text.push_str(&format!("; who it was is erased from {erased} events"));
    }
    if blank > 0 {
        text.push_str(&format!(
            ", {blank} of them recorded before that could be proven, so nobody vouches for what else they say"
        ));
    }
    text
}
