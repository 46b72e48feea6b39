//! Ceremonies of passkeys (WebAuthn Level 3): what a browser is asked for, and whether its answer is
//! right. Free of I/O and of the time; whoever keeps a ceremony sees to it that it is answered once.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::{Host, Url};
use webauthn_rs::prelude::{
    PublicKeyCredential, RegisterPublicKeyCredential, SecurityKey, SecurityKeyAuthentication,
    SecurityKeyRegistration, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::{
    identity::IdentityError,
    model::{Passkey, PasskeyId, User},
};

/// What browsers show beside the address.
const RP_NAME: &str = "Doorward";
/// The longest answer of a browser that is looked at, in bytes. Those seen are under 3 KiB; an
/// attestation, which is not asked for, would make it longer.
const ANSWER_BYTES_MAX: usize = 32 * 1024;

/// The place that passkeys are for.
pub(in crate::identity) struct RelyingParty {
    webauthn: Webauthn,
    origin: String,
}

/// A ceremony as it is kept until it is answered.
#[derive(Serialize, Deserialize)]
struct Ceremony<State> {
    /// What the browser is asked for.
    options: Value,
    /// What its answer is held against.
    state: State,
}

/// A credential that was just made.
pub(super) struct Made {
    /// What the authenticator calls it.
    pub(super) credential_id: Vec<u8>,
    /// The public key and what was said of it, as JSON.
    pub(super) credential: String,
}

/// A passkey that was just shown.
pub(super) struct Shown {
    /// Which one.
    pub(super) id: PasskeyId,
    /// What is to be stored of it from here on, as JSON.
    pub(super) credential: String,
    /// How often the authenticator says it has signed.
    pub(super) counter: u32,
}

/// An answer that is not right, in the words of the audit log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none, or to something else.
    Wrong(&'static str),
    /// The authenticator has signed less often than it had before.
    Copied,
}

impl RelyingParty {
    /// Returns the place behind the address people use; `None` if browsers have no passkeys there.
    pub(in crate::identity) fn at(base_url: &str) -> Option<Self> {
        let origin = origin_of(base_url)?;
        let rp_id = origin.domain()?;
        let webauthn = WebauthnBuilder::new(rp_id, &origin).ok()?.rp_name(RP_NAME).build().ok()?;
        Some(Self { webauthn, origin: origin.origin().ascii_serialization() })
    }

    /// Returns the origin that browsers must see the console at, as `https://doorward.example.org`.
    pub(in crate::identity) fn origin(&self) -> &str {
        &self.origin
    }

    /// Asks for a new credential on an authenticator that has none of these yet.
    pub(super) fn ask_to_make(&self, user: &User, known: &[Passkey]) -> Result<String, IdentityError> {
        let known = known.iter().map(|passkey| passkey.credential_id.clone()).collect();
        let handle = user.handle.as_str();
        let (asked, state) = self
            .webauthn
            .start_securitykey_registration(user.id.0, handle, handle, Some(known), None, None)
            .map_err(IdentityError::Ceremony)?;
        let mut options = asked.public_key;
        // The library means hardware keys by these; here a telephone or the computer itself is as good,
        // and a key without a PIN stays one that works.
        options.hints = None;
        options.extensions = None;
        write(&Ceremony { options: to_value(options)?, state })
    }

    /// Holds an answer against what was asked for.
    pub(super) fn made(&self, ceremony: &str, answer: &str) -> Result<Made, Refused> {
        let ceremony: Ceremony<SecurityKeyRegistration> = read(ceremony).ok_or(UNREADABLE)?;
        let answer: RegisterPublicKeyCredential = read_answer(answer)?;
        let made =
            self.webauthn.finish_securitykey_registration(&answer, &ceremony.state).map_err(refused)?;
        let credential = serde_json::to_string(&made).map_err(|_| UNREADABLE)?;
        Ok(Made { credential_id: made.cred_id().clone(), credential })
    }

    /// Asks for one of these passkeys; `None` if there is none.
    pub(super) fn ask_to_show(&self, passkeys: &[Passkey]) -> Result<Option<String>, IdentityError> {
        // What cannot be read was stored by a later version.
        let keys: Vec<SecurityKey> =
            passkeys.iter().filter_map(|passkey| read(&passkey.credential)).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let (asked, state) =
            self.webauthn.start_securitykey_authentication(&keys).map_err(IdentityError::Ceremony)?;
        let mut options = asked.public_key;
        options.hints = None;
        write(&Ceremony { options: to_value(options)?, state }).map(Some)
    }

    /// Holds an answer against what was asked for, which must come of one of these passkeys.
    pub(super) fn shown(&self, ceremony: &str, answer: &str, passkeys: &[Passkey]) -> Result<Shown, Refused> {
        let ceremony: Ceremony<SecurityKeyAuthentication> = read(ceremony).ok_or(UNREADABLE)?;
        let answer: PublicKeyCredential = read_answer(answer)?;
        let passkey = passkeys
            .iter()
            .find(|passkey| passkey.credential_id == answer.raw_id)
            .ok_or(Refused::Wrong("the passkey is none of the account's"))?;
        if answer.response.user_handle.as_deref().is_some_and(|user| user != passkey.user.0.as_bytes()) {
            return Err(Refused::Wrong("the passkey was made for another account"));
        }
        let result =
            self.webauthn.finish_securitykey_authentication(&answer, &ceremony.state).map_err(refused)?;
        let mut key: SecurityKey = read(&passkey.credential).ok_or(UNREADABLE)?;
        key.update_credential(&result);
        let credential = serde_json::to_string(&key).map_err(|_| UNREADABLE)?;
        Ok(Shown { id: passkey.id, credential, counter: result.counter() })
    }
}

const UNREADABLE: Refused = Refused::Wrong("what the passkey was asked for cannot be read");

/// Returns what a browser is asked for in a ceremony, as JSON; `None` if it cannot be read.
pub(super) fn options(ceremony: &str) -> Option<String> {
    let ceremony: Ceremony<Value> = read(ceremony)?;
    Some(ceremony.options.to_string())
}

/// Returns the origin of the address people use, if browsers have passkeys there: by TLS and a name,
/// or on the machine itself, which must be called `localhost` as an address is no name.
fn origin_of(base_url: &str) -> Option<Url> {
    let mut url = Url::parse(base_url).ok()?;
    let fits = match (url.scheme(), url.host()?) {
        ("https", Host::Domain(_)) => true,
        ("http", Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Host::Ipv4(address)) if address.is_loopback() => url.set_host(Some("localhost")).is_ok(),
        ("http", Host::Ipv6(address)) if address.is_loopback() => url.set_host(Some("localhost")).is_ok(),
        _ => false,
    };
    if fits { Url::parse(&url.origin().ascii_serialization()).ok() } else { None }
}

fn refused(error: WebauthnError) -> Refused {
    Refused::Wrong(match error {
        WebauthnError::CredentialPossibleCompromise => return Refused::Copied,
        WebauthnError::MismatchedChallenge => "the passkey answers something else",
        WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash => {
            "the passkey was used at another address"
        }
        WebauthnError::CredentialNotFound => "the passkey was not asked for",
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => "nobody confirmed the passkey",
        WebauthnError::CredentialExcludedFromRequest => "the authenticator has a passkey of the account",
        WebauthnError::AuthenticationFailure => "the passkey's signature is wrong",
        _ => "what the passkey says cannot be read",
    })
}

fn read_answer<T: DeserializeOwned>(answer: &str) -> Result<T, Refused> {
    let short = answer.len() <= ANSWER_BYTES_MAX;
    short.then(|| read(answer)).flatten().ok_or(Refused::Wrong("what the passkey says cannot be read"))
}

fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn to_value(value: impl Serialize) -> Result<Value, IdentityError> {
    serde_json::to_value(value).map_err(|error| IdentityError::Ceremony(error.into()))
}

fn write<State: Serialize>(ceremony: &Ceremony<State>) -> Result<String, IdentityError> {
    serde_json::to_string(ceremony).map_err(|error| IdentityError::Ceremony(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_a_name_by_tls_or_for_the_machine_itself() {
        for (base, origin) in [
            ("https://door.example.org", Some("https://door.example.org")),
            ("https://door.example.org:8443/under/here", Some("https://door.example.org:8443")),
            ("http://localhost:8080", Some("http://localhost:8080")),
            ("http://127.0.0.1:8080", Some("http://localhost:8080")),
            ("http://[::1]:8080", Some("http://localhost:8080")),
            ("http://door.example.org", None),
            ("https://192.0.2.7", None),
            ("http://192.0.2.7:8080", None),
            ("http://[::]:8080", None),
            ("", None),
        ] {
            let at = RelyingParty::at(base);
            assert_eq!(at.as_ref().map(RelyingParty::origin), origin, "{base}");
        }
    }
}
