//! What the server hands to every page and server function.

use std::{net::IpAddr, ops::Deref, sync::Arc};

use doorward::{clock::Ms, engine::Engine, model::Whence};
use http::request::Parts;
use leptos::prelude::*;

/// The settings the console needs to know.
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// The address people and agents use, without a slash at the end.
    pub base_url: String,
    /// The same, if somebody configured it.
    pub public_url: Option<String>,
    /// The path of the first one below its host, as `/doorward`; empty if the host is ours alone. Answers get it on
    /// their way out, so only what runs in the browser needs to know.
    pub base_path: String,
    /// Whether browsers reach us over TLS, so that cookies may be bound to it.
    pub https: bool,
    /// Whether people who are not signed in see the gallery, as far as it needs no key.
    pub public_gallery: bool,
    /// The path of the style sheet, as `/assets/console.5f2a.css`.
    pub stylesheet: String,
}

/// The shared parts as the console sees them; cheap to clone.
#[derive(Clone)]
pub struct Console {
    /// Every shared part of the program.
    pub engine: Engine,
    /// The settings.
    pub settings: Arc<ConsoleSettings>,
}

impl Deref for Console {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Console {
    /// Returns the time.
    pub fn now(&self) -> Ms {
        self.clock.now()
    }
}

/// Makes the console's parts known to the pages and server functions of one request.
pub fn provide(console: Console) {
    provide_context(console);
}

/// Returns the console's parts.
pub(crate) fn console() -> Console {
    expect_context::<Console>()
}

/// Returns a header of the request as text; `None` also if it is not text.
pub(crate) fn header(name: http::HeaderName) -> Option<String> {
    let parts = use_context::<Parts>()?;
    parts.headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Returns the value of a cookie of the request.
pub(crate) fn cookie(name: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    let pairs = parts.headers.get_all(http::header::COOKIE);
    pairs.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// Returns the path and query of the request.
pub(crate) fn path_and_query() -> String {
    use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(|path| path.as_str().to_owned()))
        .unwrap_or_else(|| "/".to_owned())
}

/// Returns where the request came from, as the server said in its extensions: only that knows the
/// proxies it may believe.
pub(crate) fn whence() -> Whence {
    use_context::<Parts>().and_then(|parts| parts.extensions.get::<Whence>().copied()).unwrap_or_default()
}

/// Returns the address the request came from; the unspecified one if the server did not say.
pub(crate) fn caller_address() -> IpAddr {
    whence().address.unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// Adds a header to the answer.
pub(crate) fn respond_with(name: http::HeaderName, value: &str) {
    if let (Some(response), Ok(value)) =
        (use_context::<leptos_axum::ResponseOptions>(), http::HeaderValue::from_str(value))
    {
        response.append_header(name, value);
    }
}

/// Sets a header of the answer, whatever was said before.
pub(crate) fn respond_instead(name: http::HeaderName, value: &str) {
    if let (Some(response), Ok(value)) =
        (use_context::<leptos_axum::ResponseOptions>(), http::HeaderValue::from_str(value))
    {
        response.insert_header(name, value);
    }
}

/// Sets the status of the answer.
pub(crate) fn respond_as(status: http::StatusCode) {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(status);
    }
}

/// Sends the browser to another path of the console by GET.
pub(crate) fn send_to(path: &str) {
    respond_as(http::StatusCode::SEE_OTHER);
    respond_with(http::header::LOCATION, &local_path(path));
}

/// Sends the browser to another site, which the engine has chosen and nobody else.
pub(crate) fn send_away(address: &url::Url) {
    respond_as(http::StatusCode::SEE_OTHER);
    respond_with(http::header::LOCATION, address.as_str());
}

/// Sends the browser to an MCP client by GET: Takes an address that the
/// issuer found to be the client's own.
pub(crate) fn send_to_client(address: &str) {
    respond_as(http::StatusCode::SEE_OTHER);
    respond_with(http::header::LOCATION, address);
}

/// Returns the address that the issuer has for whoever asks.
pub(crate) fn issuer_base() -> String {
    let headers = use_context::<Parts>().map(|parts| parts.headers).unwrap_or_default();
    doorward::issuer::base_url(console().settings.public_url.as_deref(), &headers)
}

/// Returns the path if it stays on this host, `/` otherwise, so that no link can lead a signed-in
/// person elsewhere.
pub(crate) fn local_path(path: &str) -> String {
    let stays = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['\\', '\r', '\n'])
        && path.is_ascii()
        && !path.chars().any(|c| c.is_control());
    if stays { path.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_host_are_gone_to() {
        assert_eq!(local_path("/sources?x=1"), "/sources?x=1");
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "", "sources", "/a\r\nb"]
        {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
