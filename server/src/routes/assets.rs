//! Files that are the same for everybody: the style sheet, the islands, and what lies in `public/`.
//!
//! All are inside the program. Names that hold a hash are kept by browsers for good; the others are
//! asked for again by their entity tag.

use std::{borrow::Cow, sync::LazyLock};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use crate::respond::{Problem, ProblemKind};

/// The islands as `cargo xtask` built them: `pkg/<hash>/app.js` and its neighbours. Empty when they
/// were not built.
#[derive(RustEmbed)]
#[folder = "$CONSOLE_SITE"]
#[include = "pkg/*"]
struct Site;

#[derive(RustEmbed)]
#[folder = "../public"]
struct Public;

const SHEET: &str = include_str!(concat!(env!("OUT_DIR"), "/app.css"));

/// `pkg/<hash>` of the islands; empty when they were not built.
pub const ISLANDS: &str = env!("CONSOLE_PKG");

/// The address of the style sheet, which names its contents.
pub static SHEET_PATH: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(SHEET.as_bytes());
    format!("/assets/app.{}.css", hex::encode(&hash[..6]))
});

const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("public, no-cache");

/// The encodings that files are kept in beside the plain one, the better one first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Returns the routes of all files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new()
        .route(&SHEET_PATH, get(|headers: HeaderMap| async move { sheet(&headers, FOR_GOOD) }))
        .route("/app.css", get(|headers: HeaderMap| async move { sheet(&headers, ASK_AGAIN) }))
        .route("/pkg/{*path}", get(islands));
    for name in Public::iter() {
        let path = format!("/{name}");
        router = router.route(&path, get(|headers: HeaderMap| async move { public(&name, &headers) }));
    }
    router
}

fn sheet(headers: &HeaderMap, cache: HeaderValue) -> Response {
    let hash = Sha256::digest(SHEET.as_bytes()).into();
    answer(headers, "app.css", Cow::Borrowed(SHEET.as_bytes()), hash, None, cache)
}

async fn islands(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let path = format!("pkg/{path}");
    let cache = if path.starts_with(&format!("{ISLANDS}/")) { FOR_GOOD } else { ASK_AGAIN };
    let find = |suffix: &str| Site::get(&format!("{path}{suffix}"));
    embedded(&headers, &path, find, cache)
}

fn public(name: &str, headers: &HeaderMap) -> Response {
    embedded(headers, name, |suffix| Public::get(&format!("{name}{suffix}")), ASK_AGAIN)
}

fn embedded(
    headers: &HeaderMap,
    name: &str,
    find: impl Fn(&str) -> Option<EmbeddedFile>,
    cache: HeaderValue,
) -> Response {
    for (encoding, suffix) in ENCODINGS {
        if takes(headers, encoding)
            && let Some(file) = find(suffix)
        {
            return answer(headers, name, file.data, file.metadata.sha256_hash(), Some(encoding), cache);
        }
    }
    match find("") {
        Some(file) => answer(headers, name, file.data, file.metadata.sha256_hash(), None, cache),
        None => Problem::new(ProblemKind::NotFound, "there is no such file").to_response(),
    }
}

fn answer(
    headers: &HeaderMap,
    name: &str,
    body: Cow<'static, [u8]>,
    hash: [u8; 32],
    encoding: Option<&'static str>,
    cache: HeaderValue,
) -> Response {
    let tag = format!("\"{}\"", hex::encode(&hash[..12]));
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(name))], body).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, cache);
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|item| {
        let (name, quality) = item.split_once(";q=").unwrap_or((item, "1"));
        name.trim().eq_ignore_ascii_case(encoding)
            && quality.trim().parse().is_ok_and(|quality: f32| quality > 0.0)
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_is_answered_without_the_file() {
        let first = sheet(&HeaderMap::new(), FOR_GOOD);
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());

        let second = sheet(&headers, FOR_GOOD);

        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn an_encoding_is_used_only_if_the_browser_takes_it() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br;q=0"));

        assert!(takes(&headers, "gzip"));
        assert!(!takes(&headers, "br"));
        assert!(!takes(&HeaderMap::new(), "gzip"));
    }
}
