//! Recovery codes, for whoever has lost what they sign in with.

use zeroize::Zeroizing;

use super::{CODE_BYTES_MAX, authenticator::base32};
use crate::{
    identity::{Identity, IdentityError, record::Deed, token},
    model::{Action, Member},
    secret::Secret,
};

/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;
/// The bytes of a recovery code: 80 random bits, so that one SHA-256 hides them.
const RECOVERY_BYTES: usize = 10;

impl Identity {
    /// Gives the person new recovery codes in place of those they had, once they have shown their
    /// password, or, if the account has none, by having signed in just before. The codes are not kept
    /// and never shown again.
    pub async fn renew_recovery_codes(
        &self,
        member: &Member,
        password: Secret,
    ) -> Result<Vec<Secret>, IdentityError> {
        let user = self.confirm(member, password, Action::FactorChange).await?;
        let codes = make()?;
        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        if !tx.has_second_factor(user.id).await? {
            return Err(IdentityError::NoFactor);
        }
        tx.set_recovery_codes(user.tenant, user.id, &digests(&codes)).await?;
        tx.commit().await?;
        self.record_of(member, Deed::done(Action::FactorChange, "new recovery codes"));
        Ok(codes)
    }
}

/// Makes as many recovery codes as a person gets.
pub(super) fn make() -> Result<Vec<Secret>, IdentityError> {
    (0..RECOVERY_CODES).map(|_| recovery_code()).collect()
}

/// Returns what is stored of recovery codes.
pub(super) fn digests(codes: &[Secret]) -> Vec<[u8; 32]> {
    codes.iter().filter_map(|code| recovery_digest(code.expose())).collect()
}

/// Makes a recovery code, as `ABCD-EFGH-IJKL-MNOP`.
fn recovery_code() -> Result<Secret, IdentityError> {
    let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(IdentityError::Random)?;
    let text = Zeroizing::new(base32(bytes.as_slice()));
    Ok(Secret::new(format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])))
}

/// Returns what is stored of a recovery code, however it is typed; `None` if it has not the form.
pub(super) fn recovery_digest(code: &str) -> Option<[u8; 32]> {
    if code.len() > CODE_BYTES_MAX {
        return None;
    }
    let plain: Zeroizing<String> = Zeroizing::new(
        code.chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
            .map(|letter| letter.to_ascii_uppercase())
            .collect(),
    );
    let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    let formed = plain.len() == RECOVERY_BYTES / 5 * 8 && plain.bytes().all(is_letter);
    formed.then(|| token::digest(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let code = recovery_code().unwrap();
        let code = code.expose();
        let digest = recovery_digest(code).unwrap();

        assert_eq!(code.len(), 19);
        assert_eq!(recovery_digest(&code.to_lowercase().replace('-', " ")), Some(digest));
        for wrong in ["", "123456", &code[1..], "ABCD-EFGH-IJKL-MNO1", &"A".repeat(1000)] {
            assert_eq!(recovery_digest(wrong), None, "{wrong}");
        }
    }
}
