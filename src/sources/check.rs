//! What may be typed about a source. Pure.
//!
//! Everything here comes from the owner. Nothing a source says of itself passes through this file.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use url::Url;

use crate::{
    model::{
        Auth, CaCertificates, CallRules, Credential, EraSetting, OauthClient, Reach, RulesError, TunnelId,
    },
    providers,
    secret::Secret,
    sources::{Result, SourceError},
};

const URL_MAX: usize = 2048;
const ARGUMENTS_MAX: usize = 64;
const ARGUMENT_BYTES_MAX: usize = 4096;
const VARIABLES_MAX: usize = 64;
const SECRET_BYTES_MAX: usize = 8 * 1024;

/// Checks what an owner says of a source's era.
pub(super) fn era(reach: &Reach, era: EraSetting) -> Result<()> {
    match (reach, era) {
        (Reach::McpStdio { .. }, EraSetting::Sse) => {
            Err(invalid("era", "`sse` is a way to speak over HTTP; a process has none of it"))
        }
        (Reach::SparkHistory { .. }, EraSetting::Legacy | EraSetting::Sse) => {
            Err(invalid("era", "a Spark History Server speaks no MCP; Doorward does in its place"))
        }
        _ => Ok(()),
    }
}

/// Checks how fast calls may come.
pub(super) fn rules(rules: &CallRules) -> Result<()> {
    if !rules.retries.is_empty() {
        return Err(invalid("rules", RulesError::NotOfSources.to_string()));
    }
    rules.check().map_err(|error| invalid("rules", error.to_string()))
}

/// Checks whether a source can be reached through a tunnel.
pub(super) fn way(tunnel: Option<TunnelId>, reach: &Reach, auth: &Auth) -> Result<()> {
    match (tunnel, reach, auth) {
        (Some(_), Reach::McpStdio { .. }, _) => {
            Err(invalid("tunnel", "a process is not reached over the network"))
        }
        (Some(_), _, Auth::Oauth(_)) => Err(invalid(
            "auth",
            "nobody can sign in to a source behind a tunnel; give it a token, a password or a header",
        )),
        _ => Ok(()),
    }
}

/// Checks whether whom an owner trusts has anything to do with a source.
pub(super) fn authorities(reach: &Reach, certificates: Option<&CaCertificates>) -> Result<()> {
    let is_secure = reach.url().is_some_and(|url| url.scheme() == "https");
    if certificates.is_some() && !is_secure {
        return Err(invalid(
            "ca_certificates",
            "only a source whose address begins with https:// has a certificate",
        ));
    }
    Ok(())
}

/// Checks where a source is and how Doorward shows itself to it.
pub(super) fn source(reach: &Reach, credential: &Credential) -> Result<()> {
    match reach {
        Reach::McpHttp { url } => {
            address(url)?;
            if !credential.env.is_empty() {
                return Err(invalid("env", "only a process has environment variables"));
            }
            if matches!(credential.auth, Auth::Jws(_)) {
                return Err(invalid("auth", "a signed token is for Spark History Servers"));
            }
            auth(&credential.auth)
        }
        Reach::SparkHistory { url } => {
            address(url)?;
            if url.query().is_some() {
                return Err(invalid("url", "the address of a Spark History Server has no part after ?"));
            }
            if !credential.env.is_empty() {
                return Err(invalid("env", "only a process has environment variables"));
            }
            if matches!(credential.auth, Auth::Oauth(_)) {
                return Err(invalid("auth", "nobody can sign in to a Spark History Server"));
            }
            auth(&credential.auth)
        }
        Reach::McpStdio { command, working_dir } => {
            if !matches!(credential.auth, Auth::None) {
                return Err(invalid("auth", "a process gets its credential by environment variables"));
            }
            arguments(command)?;
            if working_dir.as_ref().is_some_and(|dir| !dir.is_absolute()) {
                return Err(invalid("working_dir", "the working folder begins with /"));
            }
            variables(&credential.env)
        }
    }
}

/// Checks an address.
pub(super) fn address(url: &Url) -> Result<()> {
    let wrong = |reason: &str| Err(invalid("url", reason));
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("an address begins with http:// or https://");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong("the address names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("a credential does not belong into the address; choose it below");
    }
    if url.fragment().is_some() {
        return wrong("an address has no part after #");
    }
    if url.as_str().len() > URL_MAX {
        return Err(invalid("url", format!("an address has at most {URL_MAX} characters")));
    }
    Ok(())
}

/// Says whether two addresses lead to the same scheme, host and port.
pub(super) fn same_origin(one: &Reach, other: &Reach) -> bool {
    match (one.url(), other.url()) {
        (Some(here), Some(there)) => one.kind() == other.kind() && here.origin() == there.origin(),
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn auth(auth: &Auth) -> Result<()> {
    match auth {
        Auth::None => Ok(()),
        Auth::Bearer(token) => secret("token", token),
        Auth::Basic { user, password } => {
            if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
                return Err(invalid("user", "a user name is not empty and holds no colon (RFC 7617)"));
            }
            if password.expose().chars().any(char::is_control) || password.expose().len() > SECRET_BYTES_MAX {
                return Err(invalid("password", "a password holds no control characters, and at most 8 KiB"));
            }
            Ok(())
        }
        Auth::Header { name, value } => {
            header_name(name)?;
            secret("value", value)
        }
        Auth::Oauth(client) => oauth_client(client),
        Auth::Jws(key) => {
            secret("jws", key)?;
            providers::spark::check_key(key).map_err(|reason| invalid("jws", reason))
        }
    }
}

fn oauth_client(client: &OauthClient) -> Result<()> {
    let fits = |text: &str, spaces: bool| {
        !text.is_empty()
            && text.len() <= SECRET_BYTES_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic() || (spaces && byte == b' '))
    };
    if client.id.as_ref().is_some_and(|id| !fits(id, false)) {
        return Err(invalid("client_id", "a client's id holds visible ASCII characters only"));
    }
    if client.secret.is_some() && client.id.is_none() {
        return Err(invalid("client_id", "a client's secret needs its id beside it"));
    }
    if let Some(text) = &client.secret {
        secret("client_secret", text)?;
    }
    if client.scope.as_ref().is_some_and(|scope| !fits(scope, true)) {
        return Err(invalid(
            "scope",
            "scopes are words of visible ASCII characters, with spaces between them",
        ));
    }
    Ok(())
}

fn header_name(name: &str) -> Result<()> {
    // Headers that carry the protocol, or say where a request goes and how long it is.
    const OURS: &[&str] = &[
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(invalid("header", "a header's name holds letters, digits and -"));
    };
    if OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("mcp-") {
        return Err(invalid("header", format!("the header `{parsed}` is set by the protocol itself")));
    }
    Ok(())
}

fn secret(part: &'static str, text: &Secret) -> Result<()> {
    if text.is_empty() {
        return Err(invalid(part, "it is empty"));
    }
    let fits = text.expose().len() <= SECRET_BYTES_MAX
        && text.expose().trim() == text.expose()
        && text.expose().is_ascii()
        && HeaderValue::from_str(text.expose()).is_ok();
    if fits {
        return Ok(());
    }
    Err(invalid(part, "it does not fit into a header: visible ASCII, no space at the ends, at most 8 KiB"))
}

fn arguments(command: &[String]) -> Result<()> {
    let wrong = |reason: String| Err(invalid("command", reason));
    if command.first().is_none_or(|program| program.trim().is_empty()) {
        return wrong("a command names a program".to_owned());
    }
    if command.len() > ARGUMENTS_MAX {
        return wrong(format!("a command has at most {ARGUMENTS_MAX} arguments"));
    }
    if command.iter().any(|argument| argument.len() > ARGUMENT_BYTES_MAX || argument.contains('\0')) {
        return wrong(format!("an argument has at most {ARGUMENT_BYTES_MAX} bytes, none of them zero"));
    }
    Ok(())
}

fn variables(env: &BTreeMap<String, Secret>) -> Result<()> {
    if env.len() > VARIABLES_MAX {
        return Err(invalid("env", format!("a process has at most {VARIABLES_MAX} variables")));
    }
    for (name, value) in env {
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !named {
            let name = name.escape_debug();
            return Err(invalid("env", format!("`{name}` is no name of a variable: letters, digits and _")));
        }
        if value.expose().len() > SECRET_BYTES_MAX || value.expose().contains('\0') {
            return Err(invalid("env", format!("the value of {name} has more than 8 KiB, or a zero byte")));
        }
    }
    Ok(())
}

pub(super) fn invalid(part: &'static str, reason: impl Into<String>) -> SourceError {
    SourceError::Invalid { part, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_credential_and_no_other_scheme() {
        for wrong in ["file:///etc/passwd", "http://ada:pw@host/", "http://ada@host/", "http://host/#x"] {
            let reach = Reach::McpHttp { url: Url::parse(wrong).unwrap() };
            assert!(source(&reach, &Credential::default()).is_err(), "{wrong} was accepted");
        }
    }

    #[test]
    fn a_credential_fits_its_kind_of_source() {
        let http = Reach::McpHttp { url: Url::parse("https://host/mcp").unwrap() };
        let stdio = Reach::McpStdio { command: vec!["server".into()], working_dir: None };
        let bearer = Credential { auth: Auth::Bearer(Secret::new("t")), env: BTreeMap::new() };
        let env = |name: &str| Credential {
            auth: Auth::None,
            env: BTreeMap::from([(name.to_owned(), Secret::new("v"))]),
        };

        assert!(source(&http, &bearer).is_ok());
        assert!(source(&stdio, &bearer).is_err());
        assert!(source(&stdio, &env("TOKEN")).is_ok());
        assert!(source(&http, &env("TOKEN")).is_err());
        assert!(source(&stdio, &env("A=B")).is_err());
    }

    #[test]
    fn a_header_cannot_change_what_the_protocol_says() {
        let header = |name: &str, value: &str| Auth::Header { name: name.into(), value: Secret::new(value) };

        assert!(auth(&header("X-Api-Key", "v")).is_ok());
        for wrong in ["Host", "Mcp-Session-Id", "content-length", "a b", "", "x\r\ny"] {
            assert!(auth(&header(wrong, "v")).is_err(), "{wrong:?} was accepted");
        }
        for wrong in ["", "a\r\nHost: b", " v", "ä"] {
            assert!(auth(&header("X-Api-Key", wrong)).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_command_names_a_program() {
        assert!(arguments(&["npx".into(), "-y".into(), String::new()]).is_ok());
        for wrong in [vec![], vec![String::new()], vec!["a\0b".to_owned()], vec!["a".to_owned(); 65]] {
            assert!(arguments(&wrong).is_err(), "{wrong:?} was accepted");
        }
    }
}
