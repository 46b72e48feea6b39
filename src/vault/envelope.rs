//! The sealed form of one record; pure but for the random bytes it takes.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Place, VaultError, keyring::Key};

const ALGORITHM: &str = "xchacha20-poly1305";
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// What the database holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    v: u8,
    alg: String,
    /// The key-encryption key.
    kid: String,
    /// Nonce and wrapped data key.
    wrapped_dek: String,
    /// The record's nonce.
    n: String,
    /// The record.
    ct: String,
}

/// Seals a record under a data key of its own, wrapped by `key`.
pub(super) fn seal(key: &Key, place: &Place<'_>, plain: &[u8]) -> Result<String, VaultError> {
    let data_key = Zeroizing::new(random::<KEY_BYTES>()?);
    let nonce = random::<NONCE_BYTES>()?;
    let text = encrypt(&data_key, &nonce, plain, &bound_to(place, "record"), place)?;
    let envelope = Envelope {
        v: VERSION,
        alg: ALGORITHM.to_owned(),
        kid: key.id().to_owned(),
        wrapped_dek: wrap(key, place, &data_key)?,
        n: BASE64.encode(nonce),
        ct: BASE64.encode(text),
    };
    serde_json::to_string(&envelope).map_err(|_| VaultError::NotSealed)
}

/// Opens a record.
pub(super) fn open(key: &Key, place: &Place<'_>, sealed: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let envelope = parse(sealed)?;
    let data_key = unwrap(key, place, &envelope)?;
    let nonce = exactly::<NONCE_BYTES>(&decode(&envelope.n)?)?;
    decrypt(&data_key, &nonce, &decode(&envelope.ct)?, &bound_to(place, "record"), place)
}

/// Wraps a record's data key under another key. The record itself is not touched.
pub(super) fn rewrap(from: &Key, to: &Key, place: &Place<'_>, sealed: &str) -> Result<String, VaultError> {
    let mut envelope = parse(sealed)?;
    let data_key = unwrap(from, place, &envelope)?;
    envelope.wrapped_dek = wrap(to, place, &data_key)?;
    to.id().clone_into(&mut envelope.kid);
    serde_json::to_string(&envelope).map_err(|_| VaultError::NotSealed)
}

/// Returns the id of the key a record is sealed with.
pub(super) fn kid_of(sealed: &str) -> Result<String, VaultError> {
    parse(sealed).map(|envelope| envelope.kid)
}

/// Fills an array with random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(VaultError::Random)?;
    Ok(bytes)
}

fn parse(sealed: &str) -> Result<Envelope, VaultError> {
    let envelope: Envelope = serde_json::from_str(sealed).map_err(|_| VaultError::NotSealed)?;
    if envelope.v == VERSION && envelope.alg == ALGORITHM { Ok(envelope) } else { Err(VaultError::NotSealed) }
}

fn wrap(key: &Key, place: &Place<'_>, data_key: &[u8; KEY_BYTES]) -> Result<String, VaultError> {
    let nonce = random::<NONCE_BYTES>()?;
    let mut wrapped = nonce.to_vec();
    wrapped.extend(encrypt(key.bytes(), &nonce, data_key, &bound_to(place, "key"), place)?);
    Ok(BASE64.encode(wrapped))
}

fn unwrap(
    key: &Key,
    place: &Place<'_>,
    envelope: &Envelope,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
    let wrapped = decode(&envelope.wrapped_dek)?;
    let (nonce, text) = wrapped.split_at_checked(NONCE_BYTES).ok_or(VaultError::NotSealed)?;
    let plain = decrypt(key.bytes(), &exactly(nonce)?, text, &bound_to(place, "key"), place)?;
    exactly(&plain).map(Zeroizing::new)
}

fn encrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    plain: &[u8],
    bound_to: &str,
    place: &Place<'_>,
) -> Result<Vec<u8>, VaultError> {
    XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad: bound_to.as_bytes() })
        .map_err(|_| not_authentic(place))
}

fn decrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    text: &[u8],
    bound_to: &str,
    place: &Place<'_>,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: bound_to.as_bytes() })
        .map(Zeroizing::new)
        .map_err(|_| not_authentic(place))
}

/// Writes what both layers are bound to. Ids are of fixed length and the names are our own, so no
/// two places give the same text.
fn bound_to(place: &Place<'_>, layer: &str) -> String {
    let Place { tenant, table, row, column } = place;
    format!("{tenant}|{table}|{row}|{column}|v{VERSION}|{layer}")
}

fn not_authentic(place: &Place<'_>) -> VaultError {
    VaultError::NotAuthentic { table: place.table.to_owned(), column: place.column.to_owned() }
}

fn decode(text: &str) -> Result<Vec<u8>, VaultError> {
    BASE64.decode(text).map_err(|_| VaultError::NotSealed)
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], VaultError> {
    bytes.try_into().map_err(|_| VaultError::NotSealed)
}
