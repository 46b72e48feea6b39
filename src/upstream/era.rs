//! Which half of the protocol's history a source speaks. Pure.
//!
//! The rule: anything that is not positive evidence of a modern server is legacy. What says nothing
//! about the era (a missing credential, a failing server, no connection) never becomes a verdict;
//! the transports sort that out before they ask here.

use std::sync::Arc;

use bytes::Bytes;

use super::{Offer, ReplyBody, UpstreamError, wire};
use crate::mcp::{Capabilities, Raw, Revision, error::codes};

/// Returns the parameters of `initialize` that declare what callers can be asked.
pub(super) fn initialize(capabilities: &Capabilities) -> String {
    format!(
        r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{{"name":"doorward","version":"{}"}}}}"#,
        Revision::LATEST_LEGACY.as_str(),
        capabilities.write(Revision::LATEST_LEGACY),
        env!("CARGO_PKG_VERSION"),
    )
}

/// What a source is, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Speech {
    /// The revision both sides speak.
    pub(super) revision: Revision,
    /// What the server calls itself, as `name version`.
    pub(super) server: String,
    /// What it offers.
    pub(super) offer: Arc<Offer>,
}

/// Reads the answer to `server/discover`; `None` = legacy.
pub(super) fn discovered(answer: &ReplyBody) -> Option<Speech> {
    match answer {
        ReplyBody::Result(result) => {
            let result = Raw::parse_bytes(result).ok()?;
            let versions = result.member("supportedVersions")?;
            let info = result
                .member("_meta")
                .and_then(|meta| meta.member("io.modelcontextprotocol/serverInfo"))
                .or_else(|| result.member("serverInfo"));
            lists_latest(versions).then(|| speech(info, answer))
        }
        ReplyBody::Error(error) => {
            // A server that refuses the version but names it as one it serves is a modern one.
            let error = Raw::parse_bytes(error).ok()?;
            let code: i64 = error.member("code")?.get().parse().ok()?;
            let versions = error.member("data")?.member("supported")?;
            (code == codes::UNSUPPORTED_VERSION && lists_latest(versions)).then(|| speech(None, answer))
        }
    }
}

fn lists_latest(versions: Raw<'_>) -> bool {
    versions.elements().any(|version| version.as_str().as_deref() == Some(Revision::LATEST.as_str()))
}

fn speech(info: Option<Raw<'_>>, answer: &ReplyBody) -> Speech {
    let offer = Arc::new(Offer::read(answer));
    Speech { revision: Revision::LATEST, server: server_name(info), offer }
}

fn server_name(info: Option<Raw<'_>>) -> String {
    let part = |name| info.and_then(|info| info.member(name)).and_then(Raw::as_str).unwrap_or_default();
    wire::clip(format!("{} {}", part("name"), part("version")).trim(), 120)
}

/// Reads the answer to `initialize`.
pub(super) fn initialized(answer: &ReplyBody) -> Result<Speech, UpstreamError> {
    let result = match answer {
        ReplyBody::Result(result) => result,
        ReplyBody::Error(error) => {
            let (code, message) = wire::error_words(error);
            return Err(UpstreamError::Protocol {
                detail: format!("it refused `initialize` with {code}: {message}"),
            });
        }
    };
    let broken = |detail: String| UpstreamError::Protocol { detail };
    let result = Raw::parse_bytes(result).map_err(|error| broken(error.to_string()))?;
    let Some(version) = result.member("protocolVersion").and_then(Raw::as_str) else {
        return Err(broken("its answer to `initialize` names no protocol version".to_owned()));
    };
    let Some(revision) = Revision::parse(&version).filter(|revision| *revision < Revision::LATEST) else {
        let version = wire::clip(&version, 40);
        return Err(broken(format!("it wants to speak revision `{version}`, which Doorward does not know")));
    };
    let offer = Arc::new(Offer::read(answer));
    Ok(Speech { revision, server: server_name(result.member("serverInfo")), offer })
}

/// Says whether an error answer to a modern request shows that the source is not modern after all.
pub(super) fn denies_modern(error: &Bytes) -> bool {
    let (code, message) = wire::error_words(error);
    match code {
        codes::UNSUPPORTED_VERSION => true,
        // What servers with sessions say to a request without one.
        -32000 | codes::INVALID_REQUEST => message.to_ascii_lowercase().contains("session"),
        _ => false,
    }
}

/// Says whether an error answer to a legacy request, of the status 400, means that the session is
/// unknown or that the source has become a modern one, so that nothing was done.
pub(super) fn denies_session(error: &Bytes) -> bool {
    let (code, message) = wire::error_words(error);
    let names = |word: &str| message.to_ascii_lowercase().contains(word);
    match code {
        codes::UNSUPPORTED_VERSION | codes::HEADER_MISMATCH => true,
        // What a modern server says to a request without the members it needs.
        codes::INVALID_PARAMS => names("_meta") || names("protocolversion"),
        codes::INVALID_REQUEST | -32019..=-32000 => names("session"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(text: &'static str) -> ReplyBody {
        ReplyBody::Result(Bytes::from_static(text.as_bytes()))
    }

    fn error(text: &'static str) -> ReplyBody {
        ReplyBody::Error(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn only_positive_evidence_makes_a_source_modern() {
        let modern = [
            result(r#"{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25"]}"#),
            error(r#"{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"x"}}"#),
        ];
        let legacy = [
            result("{}"),
            result(r#"{"supportedVersions":["2025-11-25"]}"#),
            result(r#"{"supportedVersions":"2026-07-28"}"#),
            error(r#"{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}"#),
            error(r#"{"code":-32601,"message":"Method not found"}"#),
            error(r#"{"code":-32602,"message":"Invalid request parameters"}"#),
            error(r#"{"code":-32020,"message":"header mismatch"}"#),
            error(r#"{"code":-32000,"message":"Mcp-Session-Id header is required"}"#),
            error(r#"{"code":-32600,"message":"x"}"#),
            error("7"),
        ];

        for answer in modern {
            assert!(discovered(&answer).is_some(), "{answer:?}");
        }
        for answer in legacy {
            assert_eq!(discovered(&answer), None, "{answer:?}");
        }
    }

    #[test]
    fn a_request_in_the_wrong_era_is_told_from_one_that_is_wrong() {
        let denied = |text: &'static str| denies_session(&Bytes::from_static(text.as_bytes()));

        assert!(denied(r#"{"code":-32600,"message":"Session not found"}"#));
        assert!(denied(r#"{"code":-32022,"message":"no"}"#));
        assert!(denied(r#"{"code":-32602,"message":"missing io.modelcontextprotocol/protocolVersion"}"#));
        assert!(!denied(r#"{"code":-32602,"message":"`n` is no number"}"#));
        assert!(!denied(r#"{"code":-32603,"message":"the session broke"}"#));
    }

    #[test]
    fn a_server_is_called_what_it_calls_itself() {
        let answer = result(
            r#"{"supportedVersions":["2026-07-28"],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"time","version":"1.2"}}}"#,
        );

        assert_eq!(discovered(&answer).unwrap().server, "time 1.2");
    }

    #[test]
    fn initialize_must_end_at_a_revision_that_has_it() {
        let ok = result(
            r#"{"protocolVersion":"2025-06-18","serverInfo":{"name":"everything"},"capabilities":{}}"#,
        );
        let speech = initialized(&ok).unwrap();
        assert_eq!((speech.revision, speech.server.as_str()), (Revision::V2025_06_18, "everything"));

        for answer in [
            result("{}"),
            result(r#"{"protocolVersion":"2026-07-28"}"#),
            result(r#"{"protocolVersion":"1999-01-01"}"#),
            error(r#"{"code":-32601,"message":"no"}"#),
        ] {
            assert!(matches!(initialized(&answer), Err(UpstreamError::Protocol { .. })), "{answer:?}");
        }
    }
}
