//! What ties a browser's way to a provider and back together. All of it is made of the one random
//! token in the browser's cookie, so that nothing secret is stored and nothing can be mixed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The parts of a request to a provider that only this browser's own answer can match.
pub(super) struct Ties {
    /// `state`: the answer belongs to this browser.
    pub(super) state: Secret,
    /// `nonce`: the ID token was made for this request.
    pub(super) nonce: Secret,
    /// The PKCE verifier: the code is exchanged by whoever asked for it.
    pub(super) verifier: Secret,
}

impl Ties {
    /// Makes the ties of a cookie.
    pub(super) fn of(cookie: &str) -> Self {
        let derive = |purpose: &str| {
            let digest =
                Sha256::new().chain_update(purpose).chain_update([0]).chain_update(cookie).finalize();
            Secret::new(BASE64.encode(digest))
        };
        Self {
            state: derive("doorward login state"),
            nonce: derive("doorward login nonce"),
            verifier: derive("doorward login verifier"),
        }
    }

    /// Says whether the answer's state is this one.
    pub(super) fn fits(&self, state: &str) -> bool {
        self.state.expose().as_bytes().ct_eq(state.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tie_is_another_and_follows_from_the_cookie() {
        let (one, same, other) = (Ties::of("a"), Ties::of("a"), Ties::of("b"));

        assert!(one.fits(same.state.expose()));
        assert!(!one.fits(other.state.expose()));
        assert!(!one.fits(""));
        assert_ne!(one.state.expose(), one.nonce.expose());
        assert_ne!(one.state.expose(), one.verifier.expose());
        // RFC 7636 wants 43 to 128 characters.
        assert_eq!(one.verifier.expose().len(), 43);
    }
}
