//! What callers carry for us between two requests, so that nobody else can read, alter or use it:
//! the state of a call that waits for answers, and the names of tasks.
//!
//! A sealed text opens only for the principal, the preset, the thing asked for and the arguments it
//! was made for, and only until it expires. The keys follow from the vault's, so that a restart
//! keeps what was sealed. Pure but for random bytes.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    clock::Ms,
    mcp::sealed::{self, Purpose, SealedError},
    model::{PresetId, Principal, SourceId},
};

const NONCE_BYTES: usize = 24;

/// Who and what a sealed text is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    pub(super) purpose: Purpose,
    pub(super) caller: &'a Principal,
    pub(super) preset: PresetId,
    /// The method and the thing asked for; empty for tasks.
    pub(super) method: &'a str,
    pub(super) subject: &'a str,
    /// The digest of the arguments; empty if there were none.
    pub(super) digest: &'a str,
}

/// What was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) source: SourceId,
    pub(super) fields: Vec<Vec<u8>>,
}

/// Says why something was not sealed.
#[derive(Clone, Copy, Debug, Error)]
pub(super) enum CannotSeal {
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// It is too much to be carried.
    #[error(transparent)]
    Form(#[from] SealedError),
}

/// Says why a sealed text was not opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum SealError {
    /// It is none of ours, was altered, or was made for somebody or something else.
    #[error("it was not made by this gateway for this caller and this request")]
    Foreign,
    /// It is too old.
    #[error("it has expired")]
    Expired,
}

/// Seals and opens.
pub(super) struct Sealer {
    /// The first one seals.
    keys: Vec<XChaCha20Poly1305>,
    /// Makes the nonces of texts that must come out alike every time.
    nonce_key: Zeroizing<[u8; 32]>,
}

impl Sealer {
    /// Takes at least one key, the one that seals first.
    pub(super) fn new(keys: &[Zeroizing<[u8; 32]>]) -> Self {
        let nonce_key = keys.first().cloned().unwrap_or_default();
        let keys = keys.iter().map(|key| XChaCha20Poly1305::new((&**key).into())).collect();
        Self { keys, nonce_key }
    }

    /// Seals; another text every time.
    pub(super) fn seal(
        &self,
        bound: &Bound<'_>,
        expires: Ms,
        source: SourceId,
        fields: &[&[u8]],
    ) -> Result<String, CannotSeal> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(CannotSeal::Random)?;
        Ok(self.seal_with(nonce, &bound.bytes(), &plain(bound, expires, source, fields)?))
    }

    /// Seals; the same text for the same values, so that the text can serve as a name.
    pub(super) fn seal_name(
        &self,
        bound: &Bound<'_>,
        source: SourceId,
        fields: &[&[u8]],
    ) -> Result<String, CannotSeal> {
        let (bound, plain) = (bound.bytes(), plain(bound, Ms(i64::MAX), source, fields)?);
        let mut hasher = Sha256::new();
        hasher.update(self.nonce_key.as_slice());
        hasher.update(b"nonce");
        for part in [&bound, &plain] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&hasher.finalize()[..NONCE_BYTES]);
        Ok(self.seal_with(nonce, &bound, &plain))
    }

    fn seal_with(&self, nonce: [u8; NONCE_BYTES], bound: &[u8], plain: &[u8]) -> String {
        let key = self.keys.first().expect("a keyring is never empty");
        let text = key
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: bound })
            .expect("memory is no obstacle to this cipher");
        let mut sealed = nonce.to_vec();
        sealed.extend(text);
        BASE64.encode(sealed)
    }

    /// Opens what was sealed for exactly this.
    pub(super) fn open(&self, bound: &Bound<'_>, text: &str, now: Ms) -> Result<Opened, SealError> {
        let sealed = BASE64.decode(text).map_err(|_| SealError::Foreign)?;
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealError::Foreign)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Foreign)?;
        let aad = bound.bytes();
        let open = |key: &XChaCha20Poly1305| {
            key.decrypt(&XNonce::from(nonce), Payload { msg: text, aad: &aad }).ok()
        };
        let plain = self.keys.iter().find_map(open).ok_or(SealError::Foreign)?;
        let now = u64::try_from(now.0).unwrap_or(0);
        let fields = match sealed::read(&plain, bound.purpose, now) {
            Ok(fields) => fields,
            Err(SealedError::Expired) => return Err(SealError::Expired),
            Err(SealedError::Malformed | SealedError::Purpose | SealedError::TooLarge) => {
                return Err(SealError::Foreign);
            }
        };
        let (source, fields) = fields.split_first().ok_or(SealError::Foreign)?;
        let source = Uuid::from_slice(source).map_err(|_| SealError::Foreign)?;
        Ok(Opened { source: SourceId(source), fields: fields.iter().map(|field| field.to_vec()).collect() })
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sealer")
    }
}

fn plain(bound: &Bound<'_>, expires: Ms, source: SourceId, fields: &[&[u8]]) -> Result<Vec<u8>, SealedError> {
    let mut all: Vec<&[u8]> = vec![source.0.as_bytes()];
    all.extend(fields);
    sealed::write(bound.purpose, u64::try_from(expires.0).unwrap_or(0), &all)
}

impl Bound<'_> {
    /// Returns it as bytes; different bounds give different bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96 + self.subject.len());
        bytes.extend_from_slice(self.preset.0.as_bytes());
        match self.caller {
            Principal::Anonymous => bytes.extend_from_slice(&[0; 17]),
            Principal::Member(member) => {
                bytes.push(1);
                bytes.extend_from_slice(member.user.0.as_bytes());
            }
        }
        for part in [self.method, self.subject, self.digest] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_000_000);

    fn sealer() -> Sealer {
        Sealer::new(&[Zeroizing::new([7; 32])])
    }

    fn bound() -> Bound<'static> {
        Bound {
            purpose: Purpose::RequestState,
            caller: &Principal::Anonymous,
            preset: PresetId(Uuid::from_u128(1)),
            method: "tools/call",
            subject: "a",
            digest: "00",
        }
    }

    fn sealed(sealer: &Sealer, source: SourceId) -> String {
        sealer.seal(&bound(), Ms(NOW.0 + 1), source, &[b"state"]).expect("small")
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_request_until_it_expires() {
        let (sealer, source) = (sealer(), SourceId::new());
        let text = sealed(&sealer, source);

        let opened = sealer.open(&bound(), &text, NOW);

        assert_eq!(opened, Ok(Opened { source, fields: vec![b"state".to_vec()] }));
        assert_eq!(sealer.open(&bound(), &text, Ms(NOW.0 + 1)), Err(SealError::Expired));
        assert_ne!(sealed(&sealer, source), text);
    }

    #[test]
    fn it_opens_for_nothing_else() {
        let sealer = sealer();
        let text = sealed(&sealer, SourceId::new());
        let others = [
            Bound { purpose: Purpose::Task, ..bound() },
            Bound { preset: PresetId::new(), ..bound() },
            Bound { method: "prompts/get", ..bound() },
            Bound { subject: "b", ..bound() },
            Bound { digest: "", ..bound() },
            Bound { method: "tools/calla", subject: "", ..bound() },
        ];

        for other in others {
            assert_eq!(sealer.open(&other, &text, NOW), Err(SealError::Foreign), "{other:?}");
        }
        for wrong in ["", "x", "AAAA", &text[1..], &format!("{text}A"), &"A".repeat(200)] {
            assert_eq!(sealer.open(&bound(), wrong, NOW), Err(SealError::Foreign));
        }
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert_eq!(sealer.open(&bound(), &altered, NOW), Err(SealError::Foreign), "at {at}");
        }
    }

    #[test]
    fn a_name_is_the_same_every_time() {
        let (sealer, source) = (sealer(), SourceId::new());
        let bound = Bound { purpose: Purpose::Task, ..bound() };
        let name = |id: &[u8]| sealer.seal_name(&bound, source, &[id]).expect("small");

        assert_eq!(name(b"task-1"), name(b"task-1"));
        assert_ne!(name(b"task-1"), name(b"task-2"));
        let opened = sealer.open(&bound, &name(b"x"), NOW).map(|opened| opened.fields);
        assert_eq!(opened, Ok(vec![b"x".to_vec()]));
    }

    #[test]
    fn what_an_older_key_sealed_still_opens() {
        let (old, new) = (Zeroizing::new([7; 32]), Zeroizing::new([8; 32]));
        let text = sealed(&sealer(), SourceId::new());

        let rotated = Sealer::new(&[new.clone(), old]);

        assert!(rotated.open(&bound(), &text, NOW).is_ok());
        assert_eq!(Sealer::new(&[new]).open(&bound(), &text, NOW), Err(SealError::Foreign));
    }
}
