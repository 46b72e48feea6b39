//! The key-encryption keys, and the file they live in.
//!
//! A key's id is derived from the key, so a file cannot pair an id with another key, and the same
//! key has the same id in every file and setting.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{VaultError, envelope::random};
use crate::secret::Secret;

/// The largest key file read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One key-encryption key.
#[derive(Clone)]
pub(super) struct Key {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    fn random() -> Result<Self, VaultError> {
        Ok(Self::from_bytes(Zeroizing::new(random()?)))
    }

    fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"doorward vault key id v1");
        hasher.update(bytes.as_slice());
        Self { id: hex::encode(&hasher.finalize()[..8]), bytes }
    }

    /// Reads a key as base64 or hexadecimal.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes = Zeroizing::new(match hex::decode(text) {
            Ok(bytes) => bytes,
            Err(_) => BASE64.decode(text).map_err(|_| "is neither base64 nor hexadecimal")?,
        });
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| "is not 32 bytes long")?;
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err("is one byte repeated");
        }
        Ok(Self::from_bytes(Zeroizing::new(bytes)))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// Keys, one of which seals. Never empty.
#[derive(Clone)]
pub(super) struct Keyring {
    /// The one that seals.
    active: Key,
    /// Those that only open.
    older: Vec<Key>,
}

impl Keyring {
    /// Reads keys from the settings; the first one seals.
    pub(super) fn parse_settings(text: &Secret) -> Result<Self, VaultError> {
        let mut keys = Vec::new();
        for word in
            text.expose().split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
        {
            keys.push(Key::parse(word).map_err(|why| VaultError::BadSetting { why })?);
        }
        if keys.is_empty() {
            return Err(VaultError::BadSetting { why: "is empty" });
        }
        Ok(Self { active: keys.remove(0), older: keys })
    }

    pub(super) fn active(&self) -> &Key {
        &self.active
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.keys().map(|key| key.id.clone()).collect()
    }

    pub(super) fn count(&self) -> usize {
        1 + self.older.len()
    }

    /// Returns the same keyring with one more key, which seals.
    pub(super) fn with_new_active(self) -> Result<Self, VaultError> {
        let mut older = self.older;
        older.insert(0, self.active);
        Ok(Self { active: Key::random()?, older })
    }

    /// Returns one key for this purpose from each key, the sealing one's first.
    pub(super) fn derive(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        self.keys().map(|key| derive(key.bytes(), purpose)).collect()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.older)
    }
}

/// HMAC-SHA-256 (RFC 2104) of the purpose under the key, which is as long as half a block.
fn derive(key: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let padded = |pad: u8| {
        let mut block = Zeroizing::new([pad; 64]);
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36).as_slice()).chain_update(b"doorward derive v1 ");
    let inner = inner.chain_update(purpose.as_bytes()).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c).as_slice()).chain_update(inner).finalize();
    Zeroizing::new(outer.into())
}

/// The file's form. The first key seals.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<'a> {
    version: u8,
    #[serde(borrow)]
    keys: Vec<KeyForm<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm<'a> {
    id: &'a str,
    key: &'a str,
}

/// What a file looked like, to see cheaply whether it is another one. A rewrite is always a new
/// file, hence a new inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified_ns: i128,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Result<Self, VaultError> {
        fs::metadata(path).map(|metadata| Self::from(&metadata)).map_err(|error| failed(path, error))
    }
}

impl From<&fs::Metadata> for Stamp {
    fn from(metadata: &fs::Metadata) -> Self {
        let modified_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { inode: metadata.ino(), modified_ns }
    }
}

/// Reads a key file, refusing one that others can read.
pub(super) fn read(path: &Path) -> Result<(Keyring, Stamp), VaultError> {
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let metadata = file.metadata().map_err(|error| failed(path, error))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultError::KeyFileOpenToOthers { path: path.to_owned(), mode });
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(damaged(path, "it is too large"));
    }
    let text = Zeroizing::new(io::read_to_string(file).map_err(|error| failed(path, error))?);
    Ok((parse(path, &text)?, Stamp::from(&metadata)))
}

/// Makes a key file with one key. When another process makes it at the same moment, that one's is
/// read.
pub(super) fn create(path: &Path) -> Result<(Keyring, Stamp), VaultError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(path, error))?;
    }
    let temporary = write_beside(path, &Keyring { active: Key::random()?, older: Vec::new() })?;
    // A link, unlike a rename, fails when the name is taken, and the file appears whole.
    let linked = fs::hard_link(&temporary, path);
    let removed = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(path, error)),
        Ok(()) | Err(_) => removed.map_err(|error| failed(path, error))?,
    }
    sync_folder(path)?;
    read(path)
}

/// Replaces a key file in one step.
pub(super) fn replace(path: &Path, keyring: Keyring) -> Result<(Keyring, Stamp), VaultError> {
    let temporary = write_beside(path, &keyring)?;
    fs::rename(&temporary, path).map_err(|error| failed(path, error))?;
    sync_folder(path)?;
    Ok((keyring, Stamp::of(path)?))
}

/// Keeps other rotations out until the file returned is dropped.
pub(super) fn lock(path: &Path) -> Result<File, VaultError> {
    let path = beside(path, "lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| failed(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(VaultError::RotationRunning),
        Err(TryLockError::Error(error)) => Err(failed(&path, error)),
    }
}

fn parse(path: &Path, text: &str) -> Result<Keyring, VaultError> {
    let form: Form = serde_json::from_str(text).map_err(|error| {
        // The line and column say enough; the message itself may quote a piece of a key.
        damaged(path, &format!("line {}, column {}", error.line(), error.column()))
    })?;
    if form.version != 1 {
        return Err(damaged(path, "its version is another one than 1"));
    }
    let mut keys = Vec::with_capacity(form.keys.len());
    for KeyForm { id, key } in &form.keys {
        let key = Key::parse(key).map_err(|why| damaged(path, &format!("key {id} {why}")))?;
        if key.id != **id {
            return Err(damaged(path, &format!("key {id} does not belong to its id")));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(damaged(path, "it holds no key"));
    }
    Ok(Keyring { active: keys.remove(0), older: keys })
}

fn write_beside(path: &Path, keyring: &Keyring) -> Result<PathBuf, VaultError> {
    let texts: Vec<Zeroizing<String>> =
        keyring.keys().map(|key| Zeroizing::new(BASE64.encode(key.bytes()))).collect();
    let keys = keyring.keys().zip(&texts).map(|(key, text)| KeyForm { id: &key.id, key: text }).collect();
    let mut text = Zeroizing::new(
        serde_json::to_string_pretty(&Form { version: 1, keys })
            .map_err(|error| failed(path, error.into()))?,
    );
    text.push('\n');
    let temporary = beside(path, &hex::encode(random::<8>()?));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    match written {
        Ok(()) => Ok(temporary),
        Err(error) => {
            // What is left of it is of no use; the first error is the one to tell.
            let _ = fs::remove_file(&temporary);
            Err(failed(path, error))
        }
    }
}

/// Makes sure that the file's new name survives a power cut.
fn sync_folder(path: &Path) -> Result<(), VaultError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(path, error))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn failed(path: &Path, source: io::Error) -> VaultError {
    VaultError::File { path: path.to_owned(), source }
}

fn damaged(path: &Path, why: &str) -> VaultError {
    VaultError::KeyFileDamaged { path: path.to_owned(), why: why.to_owned() }
}
