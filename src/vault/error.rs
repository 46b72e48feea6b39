use std::{io, path::PathBuf};

use thiserror::Error;

use crate::{fault::Fault, store::StoreError};

/// Says why the vault is shut. Never holds a key or a plain text.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The key file is gone while the database holds records sealed with it.
    #[error(
        "the vault's key file {} does not exist, but the database was sealed with key {kid}: put the \
         file back from your backup, or point DOORWARD_VAULT_KEY_FILE at it", path.display()
    )]
    KeyFileGone {
        /// Where it was expected.
        path: PathBuf,
        /// The key that is needed.
        kid: String,
    },
    /// Others can read the key file.
    #[error(
        "the vault's key file {} can be read by others (mode {mode:03o}): run `chmod 600 {}`, and \
         `doorward vault rotate` if somebody may have looked", path.display(), path.display()
    )]
    KeyFileOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not one.
    #[error("the vault's key file {} is damaged ({why}): put it back from your backup", path.display())]
    KeyFileDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key file could not be read or written.
    #[error("could not use the vault's key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key in the settings is not usable.
    #[error(
        "the vault's key in the settings {why}: give 32 random bytes as base64 or hexadecimal, for \
         example from `openssl rand -base64 32`"
    )]
    BadSetting {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The keys at hand are not the ones the database was sealed with.
    #[error(
        "the database was sealed with key {kid}, but the vault holds {have}: use the key file or \
         setting that belongs to this database"
    )]
    WrongKey {
        /// The key that is needed.
        kid: String,
        /// The keys at hand.
        have: String,
    },
    /// The canary has the right key's id and does not open.
    #[error(
        "the vault's canary does not open: the database or the key was altered, restore both from one backup"
    )]
    CanaryBroken,
    /// A record names a key that the keyring does not hold.
    #[error("a record is sealed with key {kid}, which the vault does not hold")]
    UnknownKey {
        /// The key that is needed.
        kid: String,
    },
    /// A record was altered, or copied from another place.
    #[error("a record in column {column} of table {table} was altered or moved and does not open")]
    NotAuthentic {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A text is not a sealed record at all.
    #[error("a record does not have the form of a sealed one")]
    NotSealed,
    /// Another rotation is under way.
    #[error("another process is rotating the vault's keys")]
    RotationRunning,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// The database failed.
    #[error("could not read or write sealed records")]
    Store(#[from] StoreError),
}

impl VaultError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Store(error) => error.fault(),
            Self::KeyFileGone { .. }
            | Self::KeyFileOpenToOthers { .. }
            | Self::KeyFileDamaged { .. }
            | Self::File { .. }
            | Self::BadSetting { .. }
            | Self::WrongKey { .. }
            | Self::CanaryBroken
            | Self::UnknownKey { .. }
            | Self::NotAuthentic { .. }
            | Self::NotSealed
            | Self::RotationRunning
            | Self::Random(_) => Fault::Gateway,
        }
    }
}
