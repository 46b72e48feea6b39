//! Tunnels: how a source is reached where this machine's network does not lead.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    clock::Ms,
    model::{TenantId, TunnelId, TunnelName, words},
};

/// How many SSH servers stand behind each other at most.
pub const HOPS_MAX: usize = 4;
/// How many places one tunnel leads to at most.
pub const DESTINATIONS_MAX: usize = 32;

/// An SSH way that an organisation owns. Its keys are not part of it: `sources` opens them at the moment of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Names it.
    pub id: TunnelId,
    /// The organisation that owns it.
    pub tenant: TenantId,
    /// What its owner calls it.
    pub name: TunnelName,
    /// The SSH servers in the order they are passed: the first is connected to from here, each further one from
    /// the one before, and destinations from the last. At least one.
    pub hops: Vec<Hop>,
    /// The only places it leads to.
    pub destinations: Vec<Destination>,
    /// Counts the edits; an edit names the version it saw.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it was last edited.
    pub updated_at: Ms,
}

/// One SSH server of a tunnel. Holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Its name or address.
    pub host: String,
    /// Its port, usually 22.
    pub port: u16,
    /// Who signs in there.
    pub user: String,
    /// What with.
    pub auth: HopAuthKind,
    /// The public half of the key that signs in, as a line of `authorized_keys`; `None` with a password.
    pub public_key: Option<String>,
    /// Whether the key was made here, rather than given by its owner.
    #[serde(default)]
    pub made_here: bool,
    /// The host key that the owner confirmed; `None` before that, and nothing is sent there until then.
    pub host_key: Option<Fingerprint>,
}

impl Hop {
    /// The port of SSH.
    pub const PORT: u16 = 22;

    /// Returns host and port.
    pub fn address(&self) -> String {
        Destination::written(&self.host, self.port)
    }

    /// Says whether this is the same server as another.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

/// What somebody signs in with at an SSH server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HopAuthKind {
    /// A key pair, perhaps with a certificate.
    #[default]
    Key,
    /// A password, also where the server asks for it as a question.
    Password,
}
words!(HopAuthKind { Key = "key", Password = "password" });

/// A host key as people compare it: `SHA256:` and 43 characters of base64, as OpenSSH prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Reads a fingerprint; `None` if it is not one of SHA-256.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix("SHA256:")?.trim_end_matches('=');
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        (digits.len() == 43 && digits.bytes().all(is_base64)).then(|| Self(format!("SHA256:{digits}")))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a fingerprint looks like SHA256:…"))
    }
}

/// A place that a tunnel leads to: a host as the last SSH server knows it, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    host: String,
    port: u16,
}

impl Destination {
    /// Reads `host:port`, an IPv6 address in brackets; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.trim().rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return None;
        }
        let host = bare.unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0)?;
        is_host(host).then(|| Self { host: host.to_ascii_lowercase(), port })
    }

    /// Says whether this is it.
    pub fn is(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.eq_ignore_ascii_case(host)
    }

    /// Writes host and port as one text.
    pub fn written(host: &str, port: u16) -> String {
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Returns the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Says whether a text can be the name or the address of a host.
pub fn is_host(text: &str) -> bool {
    const LENGTH_MAX: usize = 253;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    !text.is_empty() && text.len() <= LENGTH_MAX && !text.starts_with('-') && text.chars().all(fits)
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&Self::written(&self.host, self.port))
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a destination looks like host:port"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_host_and_a_port_and_nothing_else() {
        for (text, written) in [
            ("History.Internal:18080", "history.internal:18080"),
            ("10.0.0.7:80", "10.0.0.7:80"),
            ("[fd00::1]:443", "[fd00::1]:443"),
        ] {
            assert_eq!(Destination::parse(text).unwrap().to_string(), written);
        }
        for wrong in
            ["host", "host:", "host:0", "host:70000", "fd00::1", ":80", "a b:80", "-o:80", "a/b:80", "*:80"]
        {
            assert_eq!(Destination::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_fingerprint_is_one_of_sha_256() {
        let digits = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(
            Fingerprint::parse(&format!(" SHA256:{digits}= ")).unwrap().as_str(),
            format!("SHA256:{digits}")
        );
        for wrong in [digits, "MD5:aa:bb", "SHA256:short", &format!("SHA256:{digits}x")] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }
}
