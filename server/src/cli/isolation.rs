//! `doorward doctor --isolation`: the owner of an installation has it proven that its organisations are kept apart.
//!
//! Needs nothing of the installation but its settings, and changes nothing of it: the proof has a SQLite file of its own,
//! and on the server of `database_url` a database of its own, which are removed in the end.

use std::{
    fs::{self, DirBuilder},
    io::{self, IsTerminal as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    process::ExitCode,
};

use doorward::{clock::Clock, secret::Secret, store::ScratchDatabase};
use uuid::Uuid;

use super::{CommandResult, Context};
use crate::{
    config::{LogFormat, Settings},
    isolation::{Failed, Scratch, prove, report},
    logging,
};

pub(super) async fn run(context: &Context) -> CommandResult {
    logging::start("error", LogFormat::Text);
    let settings = context.load()?.settings;
    // Before anything that takes its time, whether there can be a database on the server.
    let server = match (&settings.database_url, &settings.database_owner_url) {
        (Some(app), Some(owner)) => Some(ScratchDatabase::create(app, owner).await?),
        (Some(_), None) => {
            return Err("set `database_owner_url`: its role makes the database of the proof".into());
        }
        (None, _) => None,
    };
    let in_file = on("SQLite", None).await;
    let on_server = match server {
        Some(database) => {
            let proven = on("PostgreSQL", Some((&database.app, &database.owner))).await;
            database.remove().await?;
            proven
        }
        None => {
            println!("PostgreSQL: not tried, since `database_url` names none");
            Ok(true)
        }
    };
    let holds = in_file? && on_server?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Proves it on one kind of database, and prints the table. Says whether it holds.
async fn on(name: &str, urls: Option<(&Secret, &Secret)>) -> Result<bool, Failed> {
    let folder = Folder::make()?;
    let mut variables = vec![
        ("DOORWARD_DATA_DIR".to_owned(), folder.0.display().to_string()),
        // So that this route is there to be tried.
        ("DOORWARD_METRICS_LISTEN".to_owned(), "main".to_owned()),
    ];
    if let Some((app, owner)) = urls {
        variables.push(("DOORWARD_DATABASE_URL".to_owned(), app.expose().to_owned()));
        variables.push(("DOORWARD_DATABASE_OWNER_URL".to_owned(), owner.expose().to_owned()));
    }
    let scratch = Scratch::open(Settings::load(None, variables)?.settings, Clock::system()).await?;
    let proof = prove(scratch.clone(), |done, of| say_how_far(name, done, of)).await;
    scratch.engine.stop().await;
    scratch.engine.store.close().await;
    let proof = proof?;
    println!("{}", report(name, &proof));
    Ok(proof.holds())
}

/// Says it to a person who waits, and to no file.
fn say_how_far(name: &str, done: usize, of: usize) {
    let mut out = io::stderr();
    if out.is_terminal() {
        let end = if done == of { "\n" } else { "" };
        // Who cannot be told goes on without.
        let _ = write!(out, "\r{name}: {done} of {of} operations tried{end}");
    }
}

/// A folder for one database that nobody else may read, which ends with its use.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("doorward-isolation-{}", Uuid::now_v7().simple()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("doorward: could not remove {}: {error}", self.0.display());
        }
    }
}
