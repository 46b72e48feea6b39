//! Keys that sign in: reading every usual form, and making new ones. Slow by design of their formats (an encrypted
//! OpenSSH key takes half a second of computing): never called on an asynchronous thread.

use std::sync::Arc;

use russh::keys::{self, Algorithm, Certificate, HashAlg, PrivateKey, ssh_key::LineEnding};
use thiserror::Error;

use crate::{model::Fingerprint, secret::Secret};

/// The longest private key that is read, in bytes.
const KEY_BYTES_MAX: usize = 32 * 1024;
/// The shortest RSA key that signs in.
const RSA_BITS_MIN: usize = 2048;

/// Says why a key or a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is encrypted and no passphrase was given.
    #[error("it is encrypted; give its passphrase")]
    NeedsPassphrase,
    /// The passphrase is another.
    #[error("its passphrase is another one")]
    WrongPassphrase,
    /// It is a public key.
    #[error("this is the public half; paste the private one, which begins with `-----BEGIN`")]
    Public,
    /// It has no form that is known, or is damaged.
    #[error("it is no private key in the form of OpenSSH, PEM or PKCS#8, or it is damaged")]
    Unreadable,
    /// Its kind is not used.
    #[error("keys of the kind {0} are not used; take ed25519, ECDSA, or RSA of at least 2048 bits")]
    Kind(String),
    /// What was given as a certificate is none.
    #[error("its certificate is no user certificate of OpenSSH (the line in `…-cert.pub`)")]
    Certificate,
    /// The certificate belongs to another key.
    #[error("its certificate is for another key")]
    OtherKey,
    /// The machine has no randomness.
    #[error("no new key could be made")]
    Making,
}

/// A key pair that has been read.
#[derive(Clone)]
pub struct KeyPair(Arc<PrivateKey>);

impl KeyPair {
    /// Reads a private key.
    pub fn read(private: &Secret, passphrase: Option<&Secret>) -> Result<Self, KeyError> {
        let text = private.expose();
        if !text.contains("-----BEGIN") && text.trim_start().starts_with(['s', 'e']) {
            return Err(KeyError::Public);
        }
        if text.len() > KEY_BYTES_MAX || text.contains("PuTTY-User-Key-File") {
            return Err(KeyError::Unreadable);
        }
        let given = passphrase.filter(|passphrase| !passphrase.is_empty()).map(Secret::expose);
        let is_encrypted = text.contains("ENCRYPTED");
        let key = keys::decode_secret_key(text, given).map_err(|error| match (error, given) {
            (keys::Error::KeyIsEncrypted, _) => KeyError::NeedsPassphrase,
            (_, None) if is_encrypted => KeyError::NeedsPassphrase,
            (keys::Error::SshKey(keys::ssh_key::Error::Crypto), Some(_)) => KeyError::WrongPassphrase,
            (_, Some(_)) => KeyError::WrongPassphrase,
            (_, None) => KeyError::Unreadable,
        })?;
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => {}
            Algorithm::Rsa { .. } if rsa_bits(&key) >= RSA_BITS_MIN => {}
            other => return Err(KeyError::Kind(other.to_string())),
        }
        Ok(Self(Arc::new(key)))
    }

    /// Makes a new ed25519 key. Returns its private half, to be sealed, beside it.
    pub fn generate(comment: &str) -> Result<(Self, Secret), KeyError> {
        let mut key = PrivateKey::random(&mut keys::key::safe_rng(), Algorithm::Ed25519)
            .map_err(|_| KeyError::Making)?;
        key.set_comment(comment);
        let text = key.to_openssh(LineEnding::LF).map_err(|_| KeyError::Making)?;
        let private = Secret::new(text.as_str());
        Ok((Self(Arc::new(key)), private))
    }

    /// Returns the public half, as a line of `authorized_keys`.
    pub fn public_line(&self) -> String {
        self.0.public_key().to_openssh().unwrap_or_default()
    }

    /// Returns the fingerprint of the public half.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        Fingerprint::parse(&self.0.fingerprint(HashAlg::Sha256).to_string())
    }

    pub(super) fn private(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.0)
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("KeyPair").field(&self.fingerprint()).finish()
    }
}

fn rsa_bits(key: &PrivateKey) -> usize {
    key.public_key().key_data().rsa().map_or(0, |rsa| rsa.n().as_positive_bytes().map_or(0, <[u8]>::len) * 8)
}

/// Reads a user certificate and checks that it is for this key.
pub fn certificate_for(key: &KeyPair, line: &str) -> Result<Certificate, KeyError> {
    let certificate = Certificate::from_openssh(line.trim()).map_err(|_| KeyError::Certificate)?;
    if !certificate.cert_type().is_user() {
        return Err(KeyError::Certificate);
    }
    if certificate.public_key() != key.0.public_key().key_data() {
        return Err(KeyError::OtherKey);
    }
    Ok(certificate)
}
