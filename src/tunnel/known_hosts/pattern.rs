//! Which servers a line is about.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::model::Hop;

/// How a server is written in the file: the host alone at the usual port, otherwise with its port.
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        Self(if port == Hop::PORT { host } else { format!("[{host}]:{port}") })
    }
}

/// The servers of a line.
pub(super) enum Hosts {
    /// At least one of the first kind matches and none of the second.
    Patterns { yes: Vec<String>, no: Vec<String> },
    /// One name, known by its hash.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl Hosts {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if let Some(hashed) = text.strip_prefix('|') {
            return hashed_name(hashed)
                .ok_or_else(|| "a hashed name is `|1|` with 20 bytes of salt and 20 of hash".to_owned());
        }
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for pattern in text.split(',') {
            let (list, pattern) = match pattern.strip_prefix('!') {
                Some(pattern) => (&mut no, pattern),
                None => (&mut yes, pattern),
            };
            if !is_pattern(pattern) {
                return Err(format!(
                    "`{pattern}` is no server; one is written as `host`, `*.example.org` or `[host]:2222`"
                ));
            }
            // The usual port goes without saying; OpenSSH would never find a server written with it.
            let usual = pattern.strip_prefix('[').and_then(|pattern| pattern.strip_suffix("]:22"));
            list.push(usual.unwrap_or(pattern).to_ascii_lowercase());
        }
        Ok(Self::Patterns { yes, no })
    }

    pub(super) fn name(&self, name: &Name) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &name.0));
        match self {
            Self::Patterns { yes, no } => any(yes) && !any(no),
            Self::Hashed { salt, hash } => {
                let mac = Hmac::<Sha1>::new_from_slice(salt);
                mac.is_ok_and(|mac| mac.chain_update(&name.0).verify_slice(hash).is_ok())
            }
        }
    }
}

fn hashed_name(text: &str) -> Option<Hosts> {
    const BYTES: usize = 20;
    let (salt, hash) = text.strip_prefix("1|")?.split_once('|')?;
    let read = |text: &str| BASE64.decode(text).ok().filter(|bytes| bytes.len() == BYTES);
    Some(Hosts::Hashed { salt: read(salt)?, hash: read(hash)? })
}

fn is_pattern(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '*' | '?' | '%');
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.rsplit_once("]:") {
            Some((host, port)) => (host, Some(port)),
            None => return false,
        },
        None => (text, None),
    };
    let is_port = |port: &str| {
        let has_wildcard =
            port.contains(['*', '?']) && port.chars().all(|c| c.is_ascii_digit() || "*?".contains(c));
        has_wildcard || port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    !host.is_empty() && host.chars().all(fits) && port.is_none_or(is_port)
}

/// Says whether a text fits a pattern, in which `*` stands for any characters and `?` for one.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut begun) = (0, 0);
    // Where the last `*` was, and up to where it stands for the text.
    let mut star: Option<(usize, usize)> = None;
    while begun < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, begun));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[begun] => {
                at += 1;
                begun += 1;
            }
            _ => match &mut star {
                Some((place, reached)) => {
                    *reached += 1;
                    (at, begun) = (*place + 1, *reached);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
