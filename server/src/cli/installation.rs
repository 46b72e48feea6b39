//! An installation in the hands of the one at the shell.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::PathBuf,
};

use doorward::{
    clock::Clock,
    engine::{Engine, EngineError},
};
use thiserror::Error;

use crate::{config::Settings, state::engine_settings};

/// Says why an installation was not opened.
#[derive(Debug, Error)]
pub(super) enum OpenError {
    /// Another process has it.
    #[error(
        "this installation is running (its data folder is {}): stop it, or use its console or `--url`",
        folder.display()
    )]
    Running {
        /// The data folder.
        folder: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("could not use the data folder {}", folder.display())]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A part could not be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Held while a process uses an installation, so that no other changes what it remembers. The
/// system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "holding it open is its use")] File);

impl Hold {
    /// Takes hold of the data folder, making it if it is not there.
    pub(super) fn take(settings: &Settings) -> Result<Self, OpenError> {
        let folder = settings.data_dir.clone();
        let failed = |source| OpenError::Folder { folder: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let file = File::create(folder.join("doorward.lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::Running { folder }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// A stopped installation, opened for one command.
pub(super) struct Installation {
    pub(super) engine: Engine,
    _hold: Hold,
}

impl Installation {
    pub(super) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let hold = Hold::take(settings)?;
        let engine = Engine::open(engine_settings(settings), Clock::system()).await?;
        engine.start();
        Ok(Self { engine, _hold: hold })
    }

    /// Ends what the command started, and lets everything it did be written.
    pub(super) async fn close(self) {
        self.engine.stop().await;
    }
}
