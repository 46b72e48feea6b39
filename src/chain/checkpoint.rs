//! Signatures over the end of a chain.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{Hash, Hex};
use crate::{clock::Ms, model::TenantId};

/// How many random bytes a private key is made of.
pub const SEED_BYTES: usize = 32;

/// What a public key begins with as a text.
const PREFIX: &str = "ed25519:";

/// Says why something is no key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a public key looks like `ed25519:` and 32 bytes as base64, as `doorward audit key` prints it")]
pub struct KeyError;

/// Whoever has it can tell whether a checkpoint was signed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the bytes of a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError)
    }

    /// Reads a key as it is printed.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes = BASE64.decode(text.trim().strip_prefix(PREFIX).ok_or(KeyError)?);
        Self::from_bytes(&bytes.map_err(|_| KeyError)?)
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the name by which checkpoints call it: the beginning of its SHA-256.
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.0)[..8])
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", BASE64.encode(self.0))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Signs checkpoints. Does not print.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Makes the key of these random bytes; `None` if they are not [`SEED_BYTES`] of them.
    pub fn from_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// Returns what others know it by.
    pub fn public(&self) -> PublicKey {
        let bytes = self.0.public_key().as_ref().try_into();
        PublicKey(bytes.expect("the public key of Ed25519 has 32 bytes"))
    }

    /// Vouches for an event being the one of this number at this time.
    pub fn sign(&self, tenant: TenantId, seq: i64, hash: Hash, at: Ms) -> Checkpoint {
        let signature = self.0.sign(&message(tenant, seq, &hash, at));
        Checkpoint {
            organisation: tenant,
            seq,
            hash: Hex(hash),
            at_ms: at,
            key: self.public().id(),
            signature: Hex(signature.as_ref().try_into().expect("a signature of Ed25519 has 64 bytes")),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.public().id())
    }
}

/// Says, signed, which event was the one of this number at this time, and with it all before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Whose chain it is.
    pub organisation: TenantId,
    /// The number of the event.
    pub seq: i64,
    /// Its hash.
    pub hash: Hex<32>,
    /// When it was signed, in milliseconds since 1970.
    pub at_ms: Ms,
    /// The key it was signed with, by its id.
    pub key: String,
    /// The signature (Ed25519) of all of this but the key's id.
    pub signature: Hex<64>,
}

impl Checkpoint {
    /// Says whether it was signed with this key.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        let message = message(self.organisation, self.seq, &self.hash.0, self.at_ms);
        UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(&message, &self.signature.0).is_ok()
    }
}

/// Writes what is signed. Every member has a fixed length.
fn message(tenant: TenantId, seq: i64, hash: &Hash, at: Ms) -> Vec<u8> {
    let mut message = b"doorward audit checkpoint 1\n".to_vec();
    message.extend_from_slice(tenant.0.as_bytes());
    message.extend_from_slice(&seq.to_be_bytes());
    message.extend_from_slice(hash);
    message.extend_from_slice(&at.0.to_be_bytes());
    message
}
