//! Where a client wants to be sent back to. Pure.

use url::{Host, Url};

use crate::egress::names_this_machine;

/// The longest redirect address, in bytes.
const BYTES_MAX: usize = 2000;

/// Schemes that lead into the browser itself, into files, or to another protocol, and never to a
/// client.
const NEVER: &[&str] = &[
    "javascript",
    "data",
    "vbscript",
    "file",
    "filesystem",
    "blob",
    "about",
    "ftp",
    "ws",
    "wss",
    "mailto",
    "tel",
    "view-source",
    "chrome",
    "resource",
    "jar",
];

/// A redirect address that can be registered: https, http on the loopback interface (RFC 8252, 7.3),
/// or a scheme of an application's own (7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    /// Reads an address as a client wrote it; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > BYTES_MAX || !text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err("a redirect address is at most 2000 visible ASCII characters");
        }
        let url = Url::parse(text).map_err(|_| "a redirect address is an absolute URL")?;
        if url.fragment().is_some() {
            return Err("a redirect address has no fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a redirect address carries no user name");
        }
        match url.scheme() {
            "https" if has_plain_host(&url) => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(
                    "a redirect address with http:// is on this computer (127.0.0.1, [::1], localhost)",
                );
            }
            "https" => return Err("the host of a redirect address is letters, digits, dots and hyphens"),
            scheme if NEVER.contains(&scheme) => return Err("a redirect address does not have this scheme"),
            _ => {}
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// Returns it as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says whether this registered address is the one asked for: the same text, or on the loopback
    /// interface the same but for the port, which a program cannot know beforehand (RFC 8252, 7.3).
    pub fn allows(&self, asked: &Self) -> bool {
        self.text == asked.text
            || (is_loopback(&self.url)
                && is_loopback(&asked.url)
                && without_port(&self.url) == without_port(&asked.url))
    }

    /// Says whether the browser will only hand the answer to whoever owns a name on the web. Any
    /// program of a computer can be behind the others.
    pub fn is_claimed(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns whom the answer goes to, in words a person can judge.
    pub fn recipient(&self) -> String {
        match self.url.scheme() {
            "https" => self.url.host_str().unwrap_or_default().to_owned(),
            "http" => format!("a program on this computer ({})", self.url.host_str().unwrap_or_default()),
            scheme => format!("the application on this computer that opens {scheme}: links"),
        }
    }

    /// Returns the source of the content security policy that lets a form lead there.
    pub fn form_action(&self) -> String {
        match (self.url.scheme(), self.url.host()) {
            // The policy's grammar has no addresses in brackets.
            ("http", Some(Host::Ipv6(_))) => "http:".to_owned(),
            ("http" | "https", _) => self.url.origin().ascii_serialization(),
            (scheme, _) => format!("{scheme}:"),
        }
    }

    /// Returns the address with an answer to the client.
    pub(super) fn with(&self, answer: &[(&str, &str)]) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(answer);
        let separator = if self.url.query().is_some() { '&' } else { '?' };
        format!("{}{separator}{}", self.text, pairs.finish())
    }
}

/// A host that stands in a policy without being taken for more than a host.
fn has_plain_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        }
        Some(Host::Ipv4(_)) => true,
        Some(Host::Ipv6(_)) | None => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && names_this_machine(url)
}

fn without_port(url: &Url) -> Url {
    let mut url = url.clone();
    // Only fails for addresses without a host, which are not on the loopback interface.
    let _ = url.set_port(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_lead_to_a_client_are_registered() {
        for good in [
            "https://client.example/callback?x=1",
            "https://chatgpt.com/connector/oauth/AbC-123",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:33418",
            "http://[::1]:1/",
            "http://localhost:6274/oauth/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "com.example.app:/callback",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://client.example/callback",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "https://client.example/#x",
            "https://me:secret@client.example/",
            "https://client;sandbox.example/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "/callback",
            "https://client.example/\r\nx: y",
            "https://",
            "",
        ] {
            assert!(RedirectUri::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_registered_address_is_matched_exactly_but_for_a_port_on_this_computer() {
        let allows = |registered, asked| {
            RedirectUri::parse(registered).unwrap().allows(&RedirectUri::parse(asked).unwrap())
        };

        assert!(allows("https://c.example/cb", "https://c.example/cb"));
        assert!(allows("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb"));
        assert!(allows("http://localhost:1/cb", "http://localhost:2/cb"));
        for (registered, asked) in [
            ("https://c.example/cb", "https://c.example/cb/"),
            ("https://c.example/cb", "https://c.example/cb/../x"),
            ("https://c.example/cb", "https://c.example/cb?x=1"),
            ("https://c.example/cb", "https://c.example:8443/cb"),
            ("https://c.example/cb", "https://C.example/cb"),
            ("https://c.example/cb", "https://x.c.example/cb"),
            ("http://127.0.0.1/cb", "http://localhost/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
            ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
            ("cursor://a/cb", "cursor://b/cb"),
        ] {
            assert!(!allows(registered, asked), "{registered} {asked}");
        }
    }

    #[test]
    fn an_answer_is_added_to_what_is_there() {
        let with = |text| RedirectUri::parse(text).unwrap().with(&[("code", "a b"), ("iss", "https://d")]);

        assert_eq!(with("https://c.example/cb"), "https://c.example/cb?code=a+b&iss=https%3A%2F%2Fd");
        assert_eq!(with("https://c.example/cb?x=1"), "https://c.example/cb?x=1&code=a+b&iss=https%3A%2F%2Fd");
        assert_eq!(with("cursor://a/cb"), "cursor://a/cb?code=a+b&iss=https%3A%2F%2Fd");
    }
}
