//! The headers that every request to a source carries.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use super::{UpstreamError, unusable};
use crate::model::Auth;

/// Headers that belong to the connection or the protocol; a credential may not take their place.
const RESERVED: [HeaderName; 12] = [
    header::HOST,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
];

/// Returns what every request carries. The credential is marked as sensitive, so that no log of
/// headers prints it.
pub(super) fn headers(auth: &Auth) -> Result<HeaderMap, UpstreamError> {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("doorward/", env!("CARGO_PKG_VERSION"))),
    );
    match auth {
        // Each request gets its own, from whoever keeps it alive.
        Auth::None | Auth::Oauth(_) => {}
        Auth::Jws(_) => return Err(unusable("a signed token is for Spark History Servers")),
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
                .map_err(|_| unusable("the name of its credential's header is no header name"))?;
            if RESERVED.contains(&name) || name.as_str().starts_with("mcp-") {
                return Err(unusable("its credential's header is one that the protocol itself uses"));
            }
            headers.insert(name, sensitive(value.expose())?);
        }
    }
    Ok(headers)
}

fn sensitive(text: &str) -> Result<HeaderValue, UpstreamError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| unusable("its credential holds characters that cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn each_kind_of_credential_becomes_its_header_and_prints_as_nothing() {
        let bearer = headers(&Auth::Bearer(Secret::new("t0ken"))).unwrap();
        let basic = headers(&Auth::Basic { user: "ada".to_owned(), password: Secret::new("pw") }).unwrap();
        let own = headers(&Auth::Header { name: "X-Api-Key".to_owned(), value: Secret::new("k3y") }).unwrap();

        assert_eq!(bearer["authorization"], "Bearer t0ken");
        assert_eq!(basic["authorization"], "Basic YWRhOnB3");
        assert_eq!(own["x-api-key"], "k3y");
        assert!(!format!("{bearer:?}{own:?}").contains("k3y"));
        assert!(!format!("{bearer:?}").contains("t0ken"));
    }

    #[test]
    fn a_credential_cannot_take_the_place_of_a_header_of_the_protocol() {
        for name in ["Host", "Content-Length", "mcp-session-id", "Mcp-Name", "no spaces", ""] {
            let auth = Auth::Header { name: name.to_owned(), value: Secret::new("x") };
            assert!(headers(&auth).is_err(), "{name}");
        }
        assert!(headers(&Auth::Bearer(Secret::new("a\r\nHost: b"))).is_err());
    }
}
