//! Living below a path of a host that others share, as `https://example.org/doorward`.
//!
//! All else in the program knows itself at the root. Here a request loses the path, whether or not the reverse proxy
//! has taken it off, and an answer gets it: in `Location`, and in what pages link to, load and post to. Never looks
//! into anything but addresses. Cookies stay as they are, since their names are of this program's.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, Uri, header, uri::PathAndQuery};
use http_body_util::BodyExt as _;
use url::Url;

/// What stands before an address in a page of ours.
const LINKS: [&str; 4] = [" href=\"", " action=\"", " src=\"", " formaction=\""];
/// Where the islands are, whose addresses the page has written with the prefix already.
const ISLANDS: &str = "/pkg/";
/// Before what is found about a host, with the path behind it (RFC 8414, 3.1; RFC 9728, 3.1).
const WELL_KNOWN: &str = "/.well-known/";

/// The path below which the program lives, as `/doorward`; cheap to clone.
#[derive(Clone, Debug)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Returns the path of this address; `None` if the program has the host for itself.
    pub fn of(public_url: Option<&Url>) -> Option<Self> {
        let path = public_url?.path().trim_end_matches('/');
        (!path.is_empty()).then(|| Self(path.into()))
    }

    /// Returns the path as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns an address as the program knows it.
    pub fn inside(&self, uri: Uri) -> Uri {
        let Some(path) = self.inner_path(uri.path()) else { return uri };
        let text = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let Ok(path_and_query) = PathAndQuery::try_from(text) else { return uri };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        Uri::from_parts(parts).unwrap_or(uri)
    }

    /// Returns a path without the prefix; `None` if it has none.
    fn inner_path(&self, path: &str) -> Option<String> {
        if let Some(rest) = self.below(path) {
            return Some(if rest.is_empty() { "/".to_owned() } else { rest.to_owned() });
        }
        let (name, _) = path.strip_prefix(WELL_KNOWN)?.split_once('/')?;
        let rest = self.below(&path[WELL_KNOWN.len() + name.len()..])?;
        Some(format!("{WELL_KNOWN}{name}{rest}"))
    }

    /// Returns what of a path is below the prefix, with its slash.
    fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&*self.0).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns an answer as those outside know its addresses.
    pub async fn outside(&self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        if let Some(location) = parts.headers.get(header::LOCATION)
            && location.as_bytes().starts_with(b"/")
            && let Ok(outer) = HeaderValue::try_from([self.0.as_bytes(), location.as_bytes()].concat())
        {
            parts.headers.insert(header::LOCATION, outer);
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        if !kind.is_some_and(|kind| kind.starts_with(b"text/html")) {
            return Response::from_parts(parts, body);
        }
        let body = match body.collect().await {
            Ok(whole) => self.rewritten(whole.to_bytes()).into(),
            // Whatever broke off the page breaks it off for the browser too.
            Err(error) => Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(error) })),
        };
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, body)
    }

    /// Puts the prefix before what the page links to. In attributes of text that people wrote a quotation mark is
    /// never plain, so nothing there is taken for one.
    fn rewritten(&self, page: Bytes) -> Bytes {
        let Ok(text) = std::str::from_utf8(&page) else { return page };
        let mut out = String::with_capacity(text.len() + text.len() / 16);
        let mut rest = text;
        while let Some(quote) = rest.find("=\"/") {
            let root = quote + 2;
            let (before, after) = rest.split_at(root);
            out.push_str(before);
            let is_link = LINKS.iter().any(|link| before.ends_with(link));
            let is_elsewhere = after.starts_with("//");
            let is_written = self.below(after).is_some_and(|inner| inner.starts_with(ISLANDS));
            if is_link && !is_elsewhere && !is_written {
                out.push_str(&self.0);
            }
            rest = after;
        }
        out.push_str(rest);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix() -> Prefix {
        Prefix::of(Some(&"https://example.org/tools/doorward/".parse().unwrap())).unwrap()
    }

    #[test]
    fn a_request_loses_the_path_wherever_it_stands() {
        for (outer, inner) in [
            ("/tools/doorward", "/"),
            ("/tools/doorward/", "/"),
            ("/tools/doorward?x=/tools/doorward/", "/?x=/tools/doorward/"),
            ("/tools/doorward/mcp/ada/notes", "/mcp/ada/notes"),
            ("/tools/doorwards/x", "/tools/doorwards/x"),
            // A proxy has taken it off.
            ("/presets?show=shared", "/presets?show=shared"),
            (
                "/.well-known/oauth-authorization-server/tools/doorward",
                "/.well-known/oauth-authorization-server",
            ),
            (
                "/.well-known/oauth-protected-resource/tools/doorward/mcp/ada/notes",
                "/.well-known/oauth-protected-resource/mcp/ada/notes",
            ),
            ("/.well-known/tools/doorward", "/.well-known/tools/doorward"),
            ("https://example.org/tools/doorward/keys", "https://example.org/keys"),
        ] {
            assert_eq!(prefix().inside(outer.parse().unwrap()), inner.parse::<Uri>().unwrap(), "{outer}");
        }
        assert!(Prefix::of(Some(&"https://example.org".parse().unwrap())).is_none());
        assert!(Prefix::of(None).is_none());
    }

    #[test]
    fn a_page_leads_below_the_path_and_its_texts_stay() {
        let page = concat!(
            r#"<a href="/presets">/presets</a><form action="/do/x"><a href="//evil"></a>"#,
            r#"<link href="/tools/doorward/pkg/a.js"><a href="https://x/">"/"</a>"#,
            r#"<input value="/presets"><p>a href=&quot;/x&quot;</p><img src="/favicon.svg">"#
        );
        let expected = concat!(
            r#"<a href="/tools/doorward/presets">/presets</a><form action="/tools/doorward/do/x"><a href="//evil"></a>"#,
            r#"<link href="/tools/doorward/pkg/a.js"><a href="https://x/">"/"</a>"#,
            r#"<input value="/presets"><p>a href=&quot;/x&quot;</p><img src="/tools/doorward/favicon.svg">"#
        );

        assert_eq!(prefix().rewritten(Bytes::from(page)), expected);
    }
}
