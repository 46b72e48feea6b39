//! By which names requests may come, and from which pages: pure decisions over headers.

use http::{HeaderMap, Method, Uri, header};
use url::Url;

use crate::config::Settings;

/// The names this installation answers to and the origins it trusts, made once from the settings.
#[derive(Clone, Debug)]
pub struct Names {
    /// Authorities accepted as they are, in lower case, with the port if it is not the scheme's own.
    authorities: Vec<String>,
    /// The origin people use.
    own_origin: Option<String>,
    /// Other pages whose scripts may call presets.
    foreign_origins: Vec<String>,
}

/// Names that only this machine's own programs can use for it. A page of a stranger can make a
/// browser connect to this machine, but not under these names.
const LOOPBACK_NAMES: &[&str] = &["localhost", "127.0.0.1", "[::1]"];

/// Says whether this is a name that only this machine uses for itself, with any port or none.
fn is_loopback(host: &str) -> bool {
    LOOPBACK_NAMES.iter().any(|name| {
        let (Some(start), Some(rest)) = (host.get(..name.len()), host.get(name.len()..)) else {
            return false;
        };
        let port = rest.strip_prefix(':').unwrap_or("0");
        start.eq_ignore_ascii_case(name)
            && (rest.is_empty() || rest.starts_with(':'))
            && !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

const SEC_FETCH_SITE: &str = "sec-fetch-site";

impl Names {
    /// Takes what the settings say.
    pub fn new(settings: &Settings) -> Self {
        let mut authorities: Vec<String> =
            settings.allowed_hosts.0.iter().map(|name| name.to_lowercase()).collect();
        if !settings.listen.ip().is_unspecified() {
            authorities.push(settings.listen.to_string());
        }
        if let Some(url) = &settings.public_url {
            authorities.extend(authority(url));
        }
        Self {
            authorities,
            own_origin: settings.public_url.as_ref().map(|url| url.origin().ascii_serialization()),
            foreign_origins: settings.allowed_origins.0.clone(),
        }
    }

    /// Says whether the request came to a name of ours: the guard against DNS rebinding.
    pub fn is_ours(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        // An absolute request target must name the same place as the header.
        if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
            return false;
        }
        self.authorities.iter().any(|name| name.eq_ignore_ascii_case(host)) || is_loopback(host)
    }

    /// Says whether a browser's request that changes something was made by a page of ours.
    ///
    /// Browsers say so themselves (`Sec-Fetch-Site`); older ones name the page's origin. A request
    /// that says neither is refused, unless it carries an API key: a stranger's page cannot add one.
    pub fn is_same_site(&self, method: &Method, headers: &HeaderMap) -> bool {
        if method.is_safe() || headers.contains_key(header::AUTHORIZATION) {
            return true;
        }
        if let Some(site) = headers.get(SEC_FETCH_SITE) {
            return matches!(site.as_bytes(), b"same-origin" | b"none");
        }
        headers.get(header::ORIGIN).is_some_and(|origin| self.is_own_origin(origin.as_bytes(), headers))
    }

    /// Says whether the origin is another page whose scripts may call presets.
    pub fn is_foreign_friend(&self, origin: &[u8]) -> bool {
        self.foreign_origins.iter().any(|friend| friend.as_bytes() == origin)
    }

    fn is_own_origin(&self, origin: &[u8], headers: &HeaderMap) -> bool {
        if self.own_origin.as_ref().is_some_and(|own| own.as_bytes() == origin) {
            return true;
        }
        // The host has been found to be ours before this is asked.
        let Ok(origin) = std::str::from_utf8(origin) else { return false };
        let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| {
            let default = if scheme == "http" { ":80" } else { ":443" };
            host.strip_suffix(default).unwrap_or(host).eq_ignore_ascii_case(authority)
        })
    }
}

fn authority(url: &Url) -> Vec<String> {
    let Some(host) = url.host_str() else { return Vec::new() };
    match url.port() {
        Some(port) => vec![format!("{host}:{port}")],
        // Clients may or may not write the scheme's own port.
        None => {
            let port = url.port_or_known_default().unwrap_or(443);
            vec![host.to_owned(), format!("{host}:{port}")]
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_rebound_name_is_not_ours_and_neither_are_two_names() {
        let names = names(&[("DOORWARD_PUBLIC_URL", "https://door.example.org")]);

        for ours in
            ["door.example.org", "Door.Example.org:443", "localhost:9000", "[::1]:8080", "127.0.0.1:8080"]
        {
            assert!(names.is_ours(&Uri::from_static("/"), &headers(&[("host", ours)])), "{ours}");
        }
        for strange in ["evil.example", "door.example.org:80", "localhost.evil.example", "x@localhost", ""] {
            assert!(!names.is_ours(&Uri::from_static("/"), &headers(&[("host", strange)])), "{strange}");
        }
        let two = headers(&[("host", "localhost"), ("host", "localhost")]);
        assert!(!names.is_ours(&Uri::from_static("/"), &two));
        assert!(
            !names.is_ours(&Uri::from_static("http://evil.example/"), &headers(&[("host", "localhost")]))
        );
        assert!(!names.is_ours(&Uri::from_static("/"), &headers(&[])));
    }

    #[test]
    fn a_change_comes_from_a_page_of_ours_or_carries_a_key() {
        let names = names(&[]);
        let post = |pairs| names.is_same_site(&Method::POST, &headers(pairs));

        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("host", "localhost:8080"), ("origin", "http://localhost:8080")]));
        assert!(post(&[("authorization", "Bearer dw_x")]));
        assert!(!post(&[("sec-fetch-site", "same-site")]));
        assert!(!post(&[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8080")]));
        assert!(!post(&[("host", "localhost:8080"), ("origin", "http://localhost:8081")]));
        assert!(!post(&[("host", "localhost:8080"), ("origin", "null")]));
        assert!(!post(&[]));
        assert!(names.is_same_site(&Method::GET, &headers(&[])));
    }

    #[test]
    fn only_named_pages_are_friends() {
        let names = names(&[("DOORWARD_ALLOWED_ORIGINS", "https://inspector.example.org")]);

        assert!(names.is_foreign_friend(b"https://inspector.example.org"));
        assert!(!names.is_foreign_friend(b"https://inspector.example.org.evil.example"));
    }

    fn names(variables: &[(&str, &str)]) -> Names {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Names::new(&Settings::load(None, variables).unwrap().settings)
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }
}
