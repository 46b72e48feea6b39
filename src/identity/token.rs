//! Random texts that prove something, and the form of an API key.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::IdentityError;
pub(crate) use crate::secret::digest;
use crate::{model::ApiKeyId, secret::Secret};

const PREFIX: &str = "dw_";
/// What every access token of the issuer begins with.
pub(crate) const ACCESS_PREFIX: &str = "dwa_";
const ID_CHARACTERS: usize = 32;
/// 43 characters out of 62 are 256 bits.
const SECRET_CHARACTERS: usize = 43;
/// 32 bytes as base64.
const TOKEN_CHARACTERS: usize = 43;
const KEY_CHARACTERS: usize = PREFIX.len() + ID_CHARACTERS + 1 + SECRET_CHARACTERS;

/// The characters of a key's secret half: none that ends a double click.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes a token of 256 random bits.
pub(crate) fn random_token() -> Result<Secret, IdentityError> {
    Secret::random().map_err(IdentityError::Random)
}

/// Says whether a text has the form of such a token.
pub(super) fn is_random_token(text: &str) -> bool {
    text.len() == TOKEN_CHARACTERS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Writes a new API key: `dw_<id>_<secret>`.
pub(super) fn new_key(id: ApiKeyId) -> Result<Secret, IdentityError> {
    let mut text = String::with_capacity(KEY_CHARACTERS);
    text.push_str(PREFIX);
    text.push_str(&id.0.simple().to_string());
    text.push('_');
    let mut bytes = Zeroizing::new([0; 64]);
    while text.len() < KEY_CHARACTERS {
        getrandom::fill(bytes.as_mut_slice()).map_err(IdentityError::Random)?;
        // 248 is the greatest multiple of 62: what lies above would make some characters likelier.
        let even = bytes
            .iter()
            .filter(|byte| **byte < 248)
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]));
        text.extend(even.take(KEY_CHARACTERS - text.len()));
    }
    Ok(Secret::new(text))
}

/// Returns what a program with this key is called as a client of the issuer: the key's first half.
pub(crate) fn key_client(id: ApiKeyId) -> String {
    format!("{PREFIX}{}", id.0.simple())
}

/// Says whether a client of the issuer is a program with an API key.
pub(crate) fn is_key_client(client: &str) -> bool {
    client.starts_with(PREFIX)
}

/// Returns the id in an API key's text; `None` if it does not have the form of one.
pub(super) fn parse_key(text: &str) -> Option<ApiKeyId> {
    if text.len() != KEY_CHARACTERS || !text.is_ascii() {
        return None;
    }
    let (id, secret) = text.strip_prefix(PREFIX)?.split_at(ID_CHARACTERS);
    let secret = secret.strip_prefix('_')?;
    let lower = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let well_formed = lower && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if well_formed { Uuid::try_parse(id).ok().map(ApiKeyId) } else { None }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

    use super::*;

    #[test]
    fn a_key_names_its_id_and_no_two_are_alike() {
        let id = ApiKeyId::new();
        let (one, two) = (new_key(id).unwrap(), new_key(id).unwrap());

        assert_eq!(one.expose().len(), KEY_CHARACTERS);
        assert_eq!(parse_key(one.expose()), Some(id));
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn a_text_of_another_form_is_no_key() {
        let key = new_key(ApiKeyId::new()).unwrap();
        let key = key.expose();
        let upper = format!("dw_{}{}", key[3..35].to_uppercase(), &key[35..]);
        for wrong in [
            "",
            "dw_",
            &key[1..],
            &key[..key.len() - 1],
            &format!("{key}x"),
            &key.replacen("dw_", "sk_", 1),
            &upper,
            &key.replacen(&key[35..36], "-", 1),
            &format!("{}é", &key[..key.len() - 2]),
            &format!("{}~", &key[..key.len() - 1]),
        ] {
            assert_eq!(parse_key(wrong), None, "{wrong} was accepted");
        }
    }

    #[test]
    fn a_token_has_256_bits() {
        let token = random_token().unwrap();

        assert_eq!(BASE64.decode(token.expose()).map(|bytes| bytes.len()), Ok(32));
        assert!(is_random_token(token.expose()));
        for wrong in ["", "x", &token.expose()[1..], &format!("{}=", &token.expose()[1..])] {
            assert!(!is_random_token(wrong), "{wrong}");
        }
    }
}
