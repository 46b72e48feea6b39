//! Signatures of webhooks, those we post and those we take: Standard Webhooks 1.0, symmetric. Pure.
//!
//! Never reads a body beyond its bytes, and never decides what a signed one may do.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

use crate::{clock::Ms, secret::Secret};

/// How far the clock of whoever signs may be off, and how late a post may come.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// What a secret begins with whose rest is base64.
const SECRET_PREFIX: &str = "whsec_";
/// How many signatures one post may have: one for each secret while one follows another.
const SIGNATURES_MAX: usize = 8;

/// A post with its three headers.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, in seconds.
    pub seconds: &'a str,
    /// `webhook-signature`.
    pub signatures: &'a str,
    /// The bytes that came.
    pub body: &'a [u8],
}

/// Says why a post is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsigned {
    /// A header is missing or is none.
    #[error("it needs the headers `webhook-id`, `webhook-timestamp` in seconds and `webhook-signature`")]
    Headers,
    /// It was signed too long ago, or by a clock that is ahead.
    #[error("its `webhook-timestamp` is more than {} seconds off", TOLERANCE.as_secs())]
    Late,
    /// No signature is that of the secret.
    #[error("its `webhook-signature` is not that of the secret over id, time and body")]
    Wrong,
}

/// Signs id, time and body.
pub fn sign(secret: &Secret, id: &str, seconds: &str, body: &[u8]) -> String {
    format!("v1,{}", BASE64.encode(mac(secret, id, seconds, body).finalize().into_bytes()))
}

/// Says whether a post is signed with the secret, and was a moment ago. Takes as long for each wrong signature.
pub fn check(secret: &Secret, post: &Post<'_>, now: Ms) -> Result<(), Unsigned> {
    let digits = !post.seconds.is_empty() && post.seconds.bytes().all(|byte| byte.is_ascii_digit());
    let at: i64 = post.seconds.parse().ok().filter(|_| digits).ok_or(Unsigned::Headers)?;
    if post.id.is_empty() || post.signatures.is_empty() {
        return Err(Unsigned::Headers);
    }
    if (now.0 / 1000).abs_diff(at) > TOLERANCE.as_secs() {
        return Err(Unsigned::Late);
    }
    let mac = mac(secret, post.id, post.seconds, post.body);
    let given = post.signatures.split(' ').take(SIGNATURES_MAX);
    let is_signed = given
        .filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| mac.clone().verify_slice(&signature).is_ok());
    if is_signed { Ok(()) } else { Err(Unsigned::Wrong) }
}

fn mac(secret: &Secret, id: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    let text = secret.expose();
    let decoded = text.strip_prefix(SECRET_PREFIX).and_then(|rest| BASE64.decode(rest).ok());
    let key = decoded.unwrap_or_else(|| text.as_bytes().to_vec());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length of key will do for HMAC");
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SECONDS: &str = "1614265330";
    const NOW: Ms = Ms(1_614_265_330_000);

    fn secret() -> Secret {
        Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned())
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference implementations.
        let signature = sign(&secret(), ID, SECONDS, BODY);

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_post_is_believed_with_one_good_signature_in_its_time_and_not_otherwise() {
        let good = sign(&secret(), ID, SECONDS, BODY);
        let post = Post { id: ID, seconds: SECONDS, signatures: &good, body: BODY };
        let several = format!("v1a,abc v1,AAAA {good}");
        let check = |post: Post<'_>, now: Ms| check(&secret(), &post, now);

        assert_eq!(check(post, NOW), Ok(()));
        assert_eq!(check(post, NOW.plus(TOLERANCE)), Ok(()));
        assert_eq!(check(Post { signatures: &several, ..post }, NOW.minus(TOLERANCE)), Ok(()));
        let second = Duration::from_secs(1);
        assert_eq!(check(post, NOW.plus(TOLERANCE + second)), Err(Unsigned::Late));
        assert_eq!(check(post, NOW.minus(TOLERANCE + second)), Err(Unsigned::Late));
        assert_eq!(check(Post { id: "other", ..post }, NOW), Err(Unsigned::Wrong));
        assert_eq!(check(Post { seconds: "1614265331", ..post }, NOW), Err(Unsigned::Wrong));
        assert_eq!(check(Post { body: b"{}", ..post }, NOW), Err(Unsigned::Wrong));
        assert_eq!(check(Post { signatures: &good[3..], ..post }, NOW), Err(Unsigned::Wrong));
        let other = sign(&Secret::new("whsec_AAAA".to_owned()), ID, SECONDS, BODY);
        assert_eq!(check(Post { signatures: &other, ..post }, NOW), Err(Unsigned::Wrong));
        for seconds in ["", "-1", "+1614265330", "now", "99999999999999999999"] {
            assert_eq!(check(Post { seconds, ..post }, NOW), Err(Unsigned::Headers), "{seconds}");
        }
        assert_eq!(check(Post { signatures: "", ..post }, NOW), Err(Unsigned::Headers));
        let late = format!("{}{good}", "v1,AAAA ".repeat(SIGNATURES_MAX));
        assert_eq!(check(Post { signatures: &late, ..post }, NOW), Err(Unsigned::Wrong));
    }
}
