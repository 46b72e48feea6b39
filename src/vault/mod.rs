//! Seals and opens what must not be read from the database: the credentials of sources.
//!
//! *Envelope encryption*: every record has a random data key of its own, and that key is wrapped by
//! a key-encryption key from the [keyring](keyring), which is never in the database. Both layers are
//! XChaCha20-Poly1305 and both are bound to the [`Place`] the record lives at, so that a sealed text
//! copied into another row, column or organisation does not open.
//!
//! A *canary* in the database proves at start that the keyring is the right one: a wrong or missing
//! key is a refusal that says what to do, never garbage later.
//!
//! Never logs, prints or keeps an opened credential, and never decides who may have one. To seal one
//! more column, give it a [`Place`] and add it to the store's list of sealed columns, so that
//! [`Vault::rotate`] finds it.

mod envelope;
mod error;
mod keyring;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    model::TenantId,
    secret::Secret,
    store::{SealedRow, Store},
};
use keyring::{Keyring, Stamp};

pub use error::VaultError;

/// How many records are re-sealed between two looks at the database.
const ROTATION_BATCH: i64 = 100;

/// What the canary says once opened.
const CANARY: &[u8] = b"doorward";

/// Where a sealed record lives. Part of what is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The organisation.
    pub tenant: TenantId,
    /// The table's name.
    pub table: &'a str,
    /// The row's id.
    pub row: Uuid,
    /// The column's name.
    pub column: &'a str,
}

impl Place<'_> {
    /// The canary belongs to no organisation and no row.
    const CANARY: Self =
        Self { tenant: TenantId(Uuid::nil()), table: "vault", row: Uuid::nil(), column: "canary" };
}

/// Where the key-encryption keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file that only its owner can read, made on the first start.
    File(PathBuf),
    /// A setting: one or more keys of 32 bytes, as base64 or hexadecimal, separated by commas or
    /// white space. The first seals, the others only open.
    Settings(Secret),
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The id of the key everything is sealed under.
    pub active: String,
    /// How many records were re-sealed.
    pub resealed: usize,
    /// How many older keys the keyring still holds. They open older backups of the database.
    pub older_keys: usize,
}

/// Seals and opens; cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Store,
    source: KeySource,
    held: Mutex<Held>,
}

struct Held {
    keyring: Arc<Keyring>,
    /// What the file looked like when it was read; `None` = the keys are from the settings.
    stamp: Option<Stamp>,
}

impl Vault {
    /// Takes the keys from their source and proves by the canary that they are the right ones.
    /// Makes the key file if neither it nor a canary exists.
    pub async fn open(store: Store, source: KeySource) -> Result<Self, VaultError> {
        let canary = store.system_read().await?.vault_canary().await?;
        let held = match (&source, &canary) {
            (KeySource::Settings(text), _) => {
                Held { keyring: Arc::new(Keyring::parse_settings(text)?), stamp: None }
            }
            (KeySource::File(path), None) if !path.exists() => {
                let (keyring, stamp) = keyring::create(path)?;
                tracing::info!(path = %path.display(), "made the vault's key file; keep a copy of it apart from the database");
                Held { keyring: Arc::new(keyring), stamp: Some(stamp) }
            }
            (KeySource::File(path), Some(canary)) if !path.exists() => {
                return Err(VaultError::KeyFileGone { path: path.clone(), kid: envelope::kid_of(canary)? });
            }
            (KeySource::File(path), _) => {
                let (keyring, stamp) = keyring::read(path)?;
                Held { keyring: Arc::new(keyring), stamp: Some(stamp) }
            }
        };
        let vault = Self(Arc::new(Inner { store, source, held: Mutex::new(held) }));
        match canary {
            Some(canary) => vault.prove(&canary)?,
            None => vault.place_canary(None).await?,
        }
        Ok(vault)
    }

    /// Seals a record for its place.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<String, VaultError> {
        let keyring = self.fresh_keyring()?;
        envelope::seal(keyring.active(), place, plain)
    }

    /// Opens a record from its place.
    pub fn open_sealed(&self, place: &Place<'_>, sealed: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let kid = envelope::kid_of(sealed)?;
        let mut keyring = self.keyring();
        if keyring.find(&kid).is_none() {
            // Another process may have rotated the keys since.
            keyring = self.fresh_keyring()?;
        }
        let key = keyring.find(&kid).ok_or_else(|| VaultError::UnknownKey { kid })?;
        envelope::open(key, place, sealed)
    }

    /// Returns one key for this purpose from each key of the keyring, the sealing one's first. They
    /// are the same after a restart, tell nothing of the keys they were made from, and those of two
    /// purposes have nothing to do with each other.
    pub fn derive(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        self.keyring().derive(purpose)
    }

    /// Returns the id of the key that seals.
    pub fn active_key(&self) -> String {
        self.keyring().active().id().to_owned()
    }

    /// Adds a new key to the key file, makes it the one that seals, and wraps every record's data
    /// key again under it, in batches, while other processes serve. With keys from the settings,
    /// everything is wrapped under the first of them.
    ///
    /// Older keys stay in the file: a process that has not looked at it since may still seal under
    /// them, and backups of the database need them.
    pub async fn rotate(&self) -> Result<Rotation, VaultError> {
        // Held to the end: two rotations at once could each lose the other's key.
        let _lock = match &self.0.source {
            KeySource::File(path) => {
                let lock = keyring::lock(path)?;
                let (keyring, _) = keyring::read(path)?;
                let (keyring, stamp) = keyring::replace(path, keyring.with_new_active()?)?;
                *self.held() = Held { keyring: Arc::new(keyring), stamp: Some(stamp) };
                Some(lock)
            }
            KeySource::Settings(_) => None,
        };
        let keyring = self.keyring();
        let canary = self.0.store.system_read().await?.vault_canary().await?;
        self.place_canary(canary.as_deref()).await?;

        let mut resealed = 0;
        loop {
            let rows = self.sealed_under_others(&keyring).await?;
            if rows.is_empty() {
                break;
            }
            resealed += self.reseal(&keyring, rows).await?;
        }

        Ok(Rotation { active: keyring.active().id().to_owned(), resealed, older_keys: keyring.count() - 1 })
    }

    async fn sealed_under_others(&self, keyring: &Keyring) -> Result<Vec<SealedRow>, VaultError> {
        let mut tx = self.0.store.system_read().await?;
        Ok(tx.list_sealed_not_under(keyring.active().id(), ROTATION_BATCH).await?)
    }

    /// Wraps one batch. A record that somebody else replaced meanwhile is left to the next look.
    async fn reseal(&self, keyring: &Keyring, rows: Vec<SealedRow>) -> Result<usize, VaultError> {
        let mut resealed = 0;
        let mut tx = self.0.store.system().await?;
        for row in rows {
            let kid = envelope::kid_of(&row.sealed)?;
            let key = keyring.find(&kid).ok_or(VaultError::UnknownKey { kid })?;
            let place = Place { tenant: row.tenant, table: row.table, row: row.row, column: row.column };
            let wrapped = envelope::rewrap(key, keyring.active(), &place, &row.sealed)?;
            resealed += usize::from(tx.replace_sealed(&row, &wrapped).await?);
        }
        tx.commit().await?;
        Ok(resealed)
    }

    fn prove(&self, canary: &str) -> Result<(), VaultError> {
        match self.open_sealed(&Place::CANARY, canary) {
            Ok(plain) if plain.as_slice() == CANARY => Ok(()),
            Ok(_) | Err(VaultError::NotAuthentic { .. } | VaultError::NotSealed) => {
                Err(VaultError::CanaryBroken)
            }
            Err(VaultError::UnknownKey { kid }) => {
                Err(VaultError::WrongKey { kid, have: self.keyring().ids().join(", ") })
            }
            Err(error) => Err(error),
        }
    }

    /// Sets the canary if it still is `old`; otherwise proves the keyring by what another process
    /// has set meanwhile.
    async fn place_canary(&self, old: Option<&str>) -> Result<(), VaultError> {
        let sealed = envelope::seal(self.keyring().active(), &Place::CANARY, CANARY)?;
        let mut tx = self.0.store.system().await?;
        if tx.set_vault_canary(old, &sealed).await? {
            return Ok(tx.commit().await?);
        }
        match tx.vault_canary().await? {
            Some(theirs) => self.prove(&theirs),
            None => Err(VaultError::CanaryBroken),
        }
    }

    /// Returns the keyring as it is in the file, which another process may have rotated.
    fn fresh_keyring(&self) -> Result<Arc<Keyring>, VaultError> {
        let mut held = self.held();
        if let KeySource::File(path) = &self.0.source
            && held.stamp != Some(Stamp::of(path)?)
        {
            let (keyring, stamp) = keyring::read(path)?;
            *held = Held { keyring: Arc::new(keyring), stamp: Some(stamp) };
        }
        Ok(Arc::clone(&held.keyring))
    }

    fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.held().keyring)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
