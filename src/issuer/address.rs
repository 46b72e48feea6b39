//! The addresses of issuer and presets as clients see them, and the challenge that names them. Pure.

use http::{HeaderMap, HeaderValue, header};
use url::{Url, form_urlencoded};

use crate::model::Scopes;

/// The path before a preset's address at which its metadata is (RFC 9728, 3.1).
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

/// Returns the address that issuer and presets have in the eyes of whoever sent this request, without
/// a slash at the end: the configured one, or the one they wrote if none is configured. The server has
/// found the name to be ours.
pub fn base_url(public_url: Option<&str>, headers: &HeaderMap) -> String {
    if let Some(url) = public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{}", host.to_ascii_lowercase())
}

/// What a client asks a token for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The preset of this owner and slug.
    Preset(String, String),
    /// The gateway as a whole, as clients say that look only at the metadata at its root.
    Gateway,
}

/// Reads a resource indicator (RFC 8707); `None` if it is nothing of ours.
pub(super) fn read_resource(base: &str, text: &str) -> Option<Target> {
    let (asked, own) = (Url::parse(text).ok()?, Url::parse(base).ok()?);
    let is_plain = asked.fragment().is_none()
        && asked.query().is_none()
        && asked.username().is_empty()
        && asked.password().is_none();
    if !is_plain || asked.origin() != own.origin() {
        return None;
    }
    let path = asked.path().strip_suffix('/').unwrap_or(asked.path());
    let path = path.strip_prefix(own.path().trim_end_matches('/'))?;
    if path.is_empty() {
        return Some(Target::Gateway);
    }
    let (owner, slug) = path.strip_prefix("/mcp/")?.split_once('/')?;
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '%']);
    (is_name(owner) && is_name(slug)).then(|| Target::Preset(owner.to_owned(), slug.to_owned()))
}

/// Returns the address of a preset.
pub(super) fn preset_url(base: &str, owner: &str, slug: &str) -> String {
    format!("{base}/mcp/{}/{}", safe(owner), safe(slug))
}

/// What a caller of a preset is asked for, as the header `WWW-Authenticate` says it (RFC 6750, RFC
/// 9728).
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// The address of this gateway, as the caller knows it.
    pub base: &'a str,
    /// The owner's part of the preset's address, as it came.
    pub owner: &'a str,
    /// The preset's part of the address, as it came.
    pub slug: &'a str,
    /// What is wrong with the credential sent; `None` if none was.
    pub error: Option<&'static str>,
    /// What to ask for.
    pub scopes: Scopes,
}

impl Challenge<'_> {
    /// Returns the header's value. It says the same whether there is such a preset or not.
    pub fn header(&self) -> HeaderValue {
        let Self { base, owner, slug, error, scopes } = self;
        let error = error.map(|error| format!(" error=\"{error}\",")).unwrap_or_default();
        let text = format!(
            "Bearer realm=\"doorward\",{error} resource_metadata=\"{base}{RESOURCE_METADATA}/mcp/{}/{}\", scope=\"{scopes}\"",
            safe(owner),
            safe(slug),
        );
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer realm=\"doorward\""))
    }
}

/// Owners and slugs have none of the letters that this changes; what guesses them may.
fn safe(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_a_preset_of_ours_however_it_is_spelt_and_nothing_else() {
        let read = |text| read_resource("https://door.example", text);
        let notes = Some(Target::Preset("ada".into(), "notes".into()));

        assert_eq!(read("https://door.example/mcp/ada/notes"), notes);
        assert_eq!(read("HTTPS://DOOR.example:443/mcp/ada/notes/"), notes);
        assert_eq!(read("https://door.example"), Some(Target::Gateway));
        assert_eq!(read("https://door.example/"), Some(Target::Gateway));
        for strange in [
            "https://door.example.evil/mcp/ada/notes",
            "http://door.example/mcp/ada/notes",
            "https://door.example/mcp/ada/notes#x",
            "https://door.example/mcp/ada/notes?x=1",
            "https://x@door.example/mcp/ada/notes",
            "https://door.example/mcp/ada",
            "https://door.example/mcp/ada/a/b",
            "https://door.example/mcp/ada/%2e%2e",
            "https://door.example/api/v1",
            "mcp/ada/notes",
            "",
        ] {
            assert_eq!(read(strange), None, "{strange}");
        }
        let below = |text| read_resource("https://door.example/doorward", text);
        assert_eq!(below("https://door.example/doorward/mcp/ada/notes"), notes);
        assert_eq!(below("https://door.example/doorward/"), Some(Target::Gateway));
        for strange in
            ["https://door.example/mcp/ada/notes", "https://door.example/", "https://door.example/doorwardx"]
        {
            assert_eq!(below(strange), None, "{strange}");
        }
    }

    #[test]
    fn the_configured_address_is_believed_and_the_callers_word_only_without_one() {
        let headers = [(header::HOST, HeaderValue::from_static("LOCALHOST:8080"))].into_iter().collect();

        assert_eq!(base_url(Some("https://door.example/"), &headers), "https://door.example");
        assert_eq!(base_url(None, &headers), "http://localhost:8080");
    }

    #[test]
    fn a_challenge_cannot_be_broken_by_what_stands_in_the_address() {
        let challenge =
            Challenge { base: "https://d", owner: "a\"\r\nx", slug: "ü", error: None, scopes: Scopes::ALL };

        let header = challenge.header();

        let text = header.to_str().unwrap();
        assert!(text.contains("/mcp/a%22%0D%0Ax/%C3%BC\""), "{text}");
    }
}
