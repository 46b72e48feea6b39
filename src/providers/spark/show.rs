//! How requests show who we are: nothing, a pair, a token, a header, or a token signed for each request.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::SparkError;
use crate::{clock::Ms, model::Auth, secret::Secret};

/// How long a token that we sign is good, in seconds. Long enough for clocks that differ a little.
const TOKEN_SECS: i64 = 600;
/// The shortest key of HS256 (RFC 7518, 3.2), in bytes.
const KEY_BYTES_MIN: usize = 32;

/// Checks a key that tokens are to be signed with, or says what is wrong with it.
pub fn check_key(key: &Secret) -> Result<(), &'static str> {
    key_bytes(key).map(drop)
}

/// Returns what every request carries.
pub(super) fn headers(auth: &Auth, now: Ms) -> Result<HeaderMap, SparkError> {
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("doorward/", env!("CARGO_PKG_VERSION"))),
    );
    match auth {
        // Nobody signs in to a history server; the check of what is typed refuses it.
        Auth::None | Auth::Oauth(_) => {}
        Auth::Bearer(token) => {
            let text = Zeroizing::new(format!("Bearer {}", token.expose()));
            headers.insert(header::AUTHORIZATION, sensitive(&text)?);
        }
        Auth::Basic { user, password } => {
            let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
            let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            headers.insert(header::AUTHORIZATION, sensitive(&text)?);
        }
        Auth::Header { name, value } => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| SparkError::Key("its header's name is no name of a header"))?;
            headers.insert(name, sensitive(value.expose())?);
        }
        Auth::Jws(key) => {
            let text = Zeroizing::new(format!("Bearer {}", token(key, now)?));
            headers.insert(header::AUTHORIZATION, sensitive(&text)?);
        }
    }
    Ok(headers)
}

fn sensitive(text: &str) -> Result<HeaderValue, SparkError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| SparkError::Key("the credential holds characters that cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Signs a token (RFC 7515, compact, HS256), as Spark's `JWSFilter` takes it.
fn token(key: &Secret, now: Ms) -> Result<String, SparkError> {
    let key = key_bytes(key).map_err(SparkError::Key)?;
    let now_secs = now.0 / 1000;
    let claims =
        format!(r#"{{"sub":"doorward","iat":{now_secs},"exp":{}}}"#, now_secs.saturating_add(TOKEN_SECS));
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

fn key_bytes(key: &Secret) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let text = key.expose();
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map_err(|_| "the key is not written as base64url")?;
    if bytes.len() < KEY_BYTES_MIN {
        return Err("the key has less than 32 bytes, which HS256 does not take");
    }
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_with_the_decoded_key_and_ends() {
        // The key and the signing of RFC 7515, A.1, with our own claims.
        let key = Secret::new(URL_SAFE_NO_PAD.encode([7; 32]));
        let token = token(&key, Ms(1_700_000_000_000)).unwrap();

        let parts: Vec<&str> = token.split('.').collect();
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        assert!(mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).is_ok());
        assert_eq!((&claims["iat"], &claims["exp"]), (&1_700_000_000.into(), &1_700_000_600.into()));
    }

    #[test]
    fn a_key_is_base64url_of_32_bytes_at_least() {
        assert!(check_key(&Secret::new(URL_SAFE.encode([1; 32]))).is_ok());
        for wrong in ["", "not base64!", "c2hvcnQ"] {
            assert!(check_key(&Secret::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_credential_does_not_print() {
        let basic = Auth::Basic { user: "ada".to_owned(), password: Secret::new("pw") };
        let headers = headers(&basic, Ms(0)).unwrap();

        assert_eq!(headers["authorization"], "Basic YWRhOnB3");
        assert!(!format!("{headers:?}").contains("YWRh"));
    }
}
