//! One line of the file.

use russh::keys::{Algorithm, PublicKey};

use super::pattern::Hosts;

/// A line with a key.
pub(super) struct Entry {
    /// Its number, from one.
    pub(super) line: usize,
    pub(super) marker: Marker,
    pub(super) hosts: Hosts,
    pub(super) key: PublicKey,
}

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// The servers named show it.
    None,
    /// The servers named show certificates signed by it.
    Authority,
    /// Nobody may show it.
    Revoked,
}

impl Entry {
    /// Reads a line; `None` if it is empty or a comment.
    pub(super) fn read(line: usize, text: &str) -> Result<Option<Self>, String> {
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        if let Some(odd) = text.chars().find(|c| c.is_control() && *c != '\t') {
            return Err(format!("it holds the control character U+{:04X}", u32::from(odd)));
        }
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let mut first = words.next().unwrap_or_default();
        let marker = match first {
            "@cert-authority" => Marker::Authority,
            "@revoked" => Marker::Revoked,
            other if other.starts_with('@') => {
                return Err(format!(
                    "the marker `{other}` is not known; there are @cert-authority and @revoked"
                ));
            }
            _ => Marker::None,
        };
        if marker != Marker::None {
            first = words.next().ok_or("after the marker come servers, a kind of key and the key")?;
        }
        let hosts = Hosts::read(first)?;
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
            return Err("a line holds servers, a kind of key and the key".to_owned());
        };
        Ok(Some(Self { line, marker, hosts, key: key(kind, blob)? }))
    }
}

fn key(kind: &str, blob: &str) -> Result<PublicKey, String> {
    if kind.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("keys of version 1 of SSH are not used; remove the line".to_owned());
    }
    if kind.contains("-cert-v") {
        return Err(
            "it holds a certificate; name the authority that signed it, with @cert-authority".to_owned()
        );
    }
    // What the words say and what the key says must be the same kind; this checks it.
    let key = PublicKey::from_openssh(&format!("{kind} {blob}"))
        .map_err(|_| format!("`{kind}` is not followed by such a key in base64"))?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. } => Ok(key),
        _ => Err(format!("keys of the kind `{kind}` are not used; there are ed25519, ECDSA and RSA")),
    }
}
