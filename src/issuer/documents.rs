//! Clients that are called by the address of their description (Client ID Metadata Documents).
//!
//! The description is fetched through the guarded door and only for somebody who is signed in; the
//! token endpoint never fetches, it knows what the person saw.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use moka::sync::Cache;
use serde::Deserialize;
use url::Url;

use crate::{
    clock::Ms,
    egress::{Egress, EgressError, names_this_machine, read_body},
    issuer::{ClientMetadata, clients::Client},
};

/// The largest description, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// How long fetching one may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a description is believed that says nothing of it.
const AGE_DEFAULT: Duration = Duration::from_secs(600);
/// How long a description is believed at most, whatever it says.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How many descriptions are remembered.
const KEPT_MAX: u64 = 1_000;

/// Fetches descriptions and remembers them as long as HTTP allows.
pub(super) struct Documents {
    egress: Egress,
    kept: Cache<String, (Client, Ms)>,
}

/// Says why there is no description to show.
#[derive(Debug)]
pub(super) struct Undescribed(pub(super) String);

#[derive(Deserialize)]
struct Document {
    client_id: String,
    #[serde(default)]
    client_secret: Option<serde::de::IgnoredAny>,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

impl Documents {
    pub(super) fn new(egress: Egress) -> Self {
        Self { egress, kept: Cache::new(KEPT_MAX) }
    }

    /// Returns the client that is described at this address.
    pub(super) async fn client(&self, id: &str, now: Ms) -> Result<Client, Undescribed> {
        if let Some((client, until)) = self.kept.get(id)
            && now < until
        {
            return Ok(client);
        }
        let url = read_id(id).ok_or_else(|| {
            Undescribed("the address of the client's description is not one that can be used".to_owned())
        })?;
        let (headers, body) = self.fetch(&url).await.map_err(|error| match error {
            // What is inside this network is not told to whoever wrote the link.
            EgressError::Refused { .. } => {
                Undescribed("the client's description is at an address that is not allowed".to_owned())
            }
            other => {
                tracing::info!(
                    error = &other as &dyn std::error::Error,
                    "could not fetch a client's description"
                );
                Undescribed("the client's description could not be fetched".to_owned())
            }
        })?;
        let client = read(id, &headers, &body)?;
        let age = age(&headers);
        if !age.is_zero() {
            self.kept.insert(id.to_owned(), (client.clone(), now.plus(age)));
        }
        Ok(client)
    }

    async fn fetch(&self, url: &Url) -> Result<(HeaderMap, Bytes), EgressError> {
        let broken = |detail: &str| EgressError::Broken { detail: detail.to_owned() };
        self.egress.check_url(url)?;
        let uri: Uri = url.as_str().parse().map_err(|_| broken("it is no address"))?;
        let make = |uri: &Uri| {
            let request =
                Request::builder().method(Method::GET).uri(uri).header(header::ACCEPT, "application/json");
            request.body(Full::default()).expect("a request of constants and an address can be made")
        };
        let whole = async {
            let answered = self.egress.request(&uri, make, TIMEOUT).await?;
            if answered.moved_to.is_some() {
                return Err(broken("it redirects"));
            }
            let (head, body) = answered.response.into_parts();
            if head.status != StatusCode::OK {
                return Err(broken("it is not answered with 200"));
            }
            Ok((head.headers, read_body(body, BYTES_MAX).await?))
        };
        tokio::time::timeout(TIMEOUT, whole).await.unwrap_or_else(|_| Err(broken("it takes too long")))
    }
}

/// Says whether a client is called by an address.
pub(super) fn is_address(id: &str) -> bool {
    id.starts_with("https://") || id.starts_with("http://")
}

/// Reads the address of a description: https with a path; http for programs on this computer, which
/// the guarded door lets through only where the settings say so.
fn read_id(id: &str) -> Option<Url> {
    let url = Url::parse(id).ok()?;
    let is_plain = url.as_str() == id
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path().len() > 1;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && names_this_machine(&url));
    (is_plain && is_safe).then_some(url)
}

fn read(id: &str, headers: &HeaderMap, body: &[u8]) -> Result<Client, Undescribed> {
    let wrong = |why: &str| Undescribed(format!("the client's description cannot be used: {why}"));
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        return Err(wrong("it is not sent as JSON"));
    }
    let Document { client_id, client_secret, mut metadata } =
        serde_json::from_slice(body).map_err(|_| wrong("it is not JSON of the right form"))?;
    if client_id != id {
        return Err(wrong("its `client_id` is not its own address"));
    }
    metadata.token_endpoint_auth_method.get_or_insert_with(|| "none".to_owned());
    if client_secret.is_some() || !metadata.is_public() {
        return Err(wrong("only clients without a secret can be described so (`none`)"));
    }
    metadata.check().map_err(|error| wrong(&error.to_string()))?;
    Ok(Client { name: metadata.name(id), id: id.to_owned(), metadata, secret_hash: None })
}

/// Returns how long an answer may be remembered (RFC 9111, 5.2.2).
fn age(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut age = AGE_DEFAULT;
    for directive in values.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            return Duration::ZERO;
        }
        if let Some(secs) = directive.strip_prefix("max-age=") {
            age = secs.trim_matches('"').parse().map_or(Duration::ZERO, Duration::from_secs);
        }
    }
    age.min(AGE_MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const ID: &str = "https://client.example/client.json";

    #[test]
    fn only_plain_addresses_stand_for_clients() {
        for good in
            [ID, "https://client.example:8443/a/b?x=1", "http://127.0.0.1:8080/c", "http://localhost/c"]
        {
            assert!(read_id(good).is_some(), "{good}");
        }
        for bad in [
            "https://client.example",
            "https://client.example/",
            "https://client.example/c#x",
            "https://me@client.example/c",
            "https://client.example/a/../c",
            "HTTPS://client.example/c",
            "http://client.example/c",
            "http://10.0.0.1/c",
            "ftp://client.example/c",
        ] {
            assert!(read_id(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_description_speaks_for_its_own_address_only() {
        let described = |body: &str| read(ID, &headers("application/json", ""), body.as_bytes());
        let whole = |id: &str, more: &str| {
            format!(
                r#"{{"client_id":"{id}","client_name":"C","redirect_uris":["https://client.example/cb"]{more}}}"#
            )
        };

        let client = described(&whole(ID, "")).unwrap();
        assert_eq!((client.name.as_str(), client.id.as_str()), ("C", ID));
        for bad in [
            whole("https://evil.example/client.json", ""),
            whole(ID, r#","client_secret":"x""#),
            whole(ID, r#","token_endpoint_auth_method":"client_secret_post""#),
            whole(ID, r#","token_endpoint_auth_method":"private_key_jwt""#),
            format!(r#"{{"client_id":"{ID}","redirect_uris":["javascript:x"]}}"#),
            format!(r#"{{"client_id":"{ID}"}}"#),
            "[]".to_owned(),
        ] {
            assert!(described(&bad).is_err(), "{bad}");
        }
        assert!(read(ID, &headers("text/html", ""), whole(ID, "").as_bytes()).is_err());
    }

    #[test]
    fn a_description_is_remembered_as_long_as_it_says_and_not_for_ever() {
        let age = |control| age(&headers("application/json", control)).as_secs();

        assert_eq!((age("max-age=60"), age("public, max-age=5"), age("")), (60, 5, AGE_DEFAULT.as_secs()));
        assert_eq!((age("no-store"), age("max-age=60, no-cache"), age("max-age=x")), (0, 0, 0));
        assert_eq!(age("max-age=99999999"), AGE_MAX.as_secs());
    }

    fn headers(kind: &'static str, control: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if !control.is_empty() {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(control));
        }
        headers
    }
}
