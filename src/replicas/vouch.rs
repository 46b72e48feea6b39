//! What one process vouches for when it hands a request on: where the caller is, and that it was handed on.
//!
//! The header is signed with a key of the vault, which all processes have, for one process, one credential and a short
//! time. Whoever sends one of their own is believed nothing: the request is then one like any other.

use std::{net::IpAddr, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::Sha256;

use super::Replicas;
use crate::{clock::Ms, model::ReplicaNumber};

/// The header of a request that was handed on.
pub const FORWARDED: HeaderName = HeaderName::from_static("doorward-forwarded");

/// How long it is believed; clocks may differ by as much.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

/// What is vouched for.
#[derive(Clone, Copy, Debug)]
struct Vouched<'a> {
    to: ReplicaNumber,
    at: Ms,
    address: IpAddr,
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
}

impl Vouched<'_> {
    fn sign(&self, key: &[u8; 32]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length of key will do for HMAC");
        let Self { to, at, address, method, path, headers } = self;
        let credential = headers.get(header::AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
        let (to, at, address) = (to.0.to_string(), at.0.to_string(), address.to_string());
        let parts =
            [to.as_bytes(), at.as_bytes(), address.as_bytes(), method.as_str().as_bytes(), path.as_bytes()];
        for part in parts.into_iter().chain([credential]) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl Replicas {
    /// Returns the header for a request that goes to another process.
    pub(super) fn vouch(
        &self,
        to: ReplicaNumber,
        address: IpAddr,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> HeaderValue {
        let at = self.0.clock.now();
        let key = self.0.keys.first().expect("a keyring is never empty");
        let mac = Vouched { to, at, address, method, path, headers }.sign(key).finalize().into_bytes();
        let text = format!("{} {address} {}", at.0, hex::encode(mac));
        HeaderValue::try_from(text).expect("numbers, an address and hexadecimal are visible ASCII")
    }

    /// Returns where the caller of a request is that another process has handed on; `None` if none has.
    pub fn vouched(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<IpAddr> {
        let text = headers.get(&FORWARDED)?.to_str().ok()?;
        let mut words = text.split(' ');
        let at = Ms(words.next()?.parse().ok()?);
        let address: IpAddr = words.next()?.parse().ok()?;
        let mac = hex::decode(words.next()?).ok()?;
        let now = self.0.clock.now();
        let apart = now.since(at).max(at.since(now));
        if words.next().is_some() || apart > BELIEVED_FOR {
            return None;
        }
        let vouched = Vouched { to: self.0.own, at, address, method, path, headers };
        let is_signed = |key: &zeroize::Zeroizing<[u8; 32]>| vouched.sign(key).verify_slice(&mac).is_ok();
        self.0.keys.iter().any(is_signed).then_some(address)
    }
}
