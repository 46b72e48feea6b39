//! What a POST is: which era, which revision, and whether header and body say the same.
//!
//! The body decides, as in the official servers; headers are checked against it and never change
//! the verdict. Everybody in between reads headers, so a request whose two halves differ is
//! refused.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};

use crate::{
    mcp::{
        Message, Method, Raw, Revision,
        error::{ErrorObject, codes},
        headers, lists, write,
    },
    model::Era,
};

/// A message whose era is known.
#[derive(Clone, Debug)]
pub struct Inbound<'a> {
    /// The era.
    pub era: Era,
    /// The revision; `None` for legacy callers who do not name one, whose session knows it.
    pub revision: Option<Revision>,
    /// The message.
    pub message: Message<'a>,
}

/// A message that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status of the answer.
    pub status: StatusCode,
    /// The id of the message as JSON, if it could be read.
    pub id: Option<String>,
    /// The error.
    pub error: ErrorObject,
}

impl Rejection {
    fn new(id: Option<Raw<'_>>, code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            id: id.map(|id| id.get().to_owned()),
            error: ErrorObject::new(code, message),
        }
    }

    fn unsupported(id: Option<Raw<'_>>, requested: &str) -> Self {
        let mut rejection =
            Self::new(id, codes::UNSUPPORTED_VERSION, "this version of the protocol is not served");
        rejection.error.data = Some(format!(
            r#"{{"supported":{},"requested":{}}}"#,
            lists::supported_versions(),
            write::quoted(requested)
        ));
        rejection
    }

    /// Returns the body of the answer.
    pub fn render(&self) -> Bytes {
        self.error.render(self.id.as_deref().map(Raw::checked))
    }
}

/// Reads the body of a POST and tells its era.
pub fn classify<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Inbound<'a>, Rejection> {
    let message = Message::parse(body).map_err(|error| Rejection {
        status: StatusCode::BAD_REQUEST,
        id: readable_id(body),
        error: error.to_error(),
    })?;
    let id = message.id;
    let version = header(headers, &headers::PROTOCOL_VERSION, id)?;
    if message.is_answer() {
        return legacy(message, version.as_deref());
    }
    if message.params.is_some_and(|params| !params.raw.is_object()) {
        return Err(Rejection::new(id, codes::INVALID_PARAMS, "`params` is not an object"));
    }
    let claim = message.meta().and_then(|meta| meta.protocol_version);
    let is_initialize = message.method.as_deref() == Some("initialize");
    match claim {
        Some(claim) => {
            let Some(claim) = claim.as_str() else {
                return Err(Rejection::new(
                    id,
                    codes::INVALID_PARAMS,
                    "the protocol version is not a string",
                ));
            };
            if Revision::parse(&claim).is_some_and(|revision| revision.era() == Era::Legacy) {
                return legacy(message, version.as_deref());
            }
            modern(headers, message, version.as_deref(), &claim)
        }
        None if is_initialize => Ok(Inbound { era: Era::Legacy, revision: None, message }),
        None => match version.as_deref() {
            Some(version) if Revision::parse(version).is_some_and(|named| named.era() == Era::Modern) => {
                if message.is_request() {
                    return Err(Rejection::new(
                        id,
                        codes::INVALID_PARAMS,
                        "the header names a modern revision, but `_meta` does not",
                    ));
                }
                Ok(Inbound { era: Era::Modern, revision: Revision::parse(version), message })
            }
            version => legacy(message, version),
        },
    }
}

/// Returns the id of a body that is no message, so that its sender knows which one was refused; `None`
/// if there is not exactly one that could be an id.
fn readable_id(body: &[u8]) -> Option<String> {
    let body = Raw::parse_bytes(body).ok()?;
    let mut ids = body.members().filter(|member| member.is("id")).map(|member| member.value);
    let id = ids.next().filter(|id| id.is_string() || id.is_integer())?;
    ids.next().is_none().then(|| id.get().to_owned())
}

fn legacy<'a>(message: Message<'a>, version: Option<&str>) -> Result<Inbound<'a>, Rejection> {
    let revision = match version {
        None => None,
        Some(version) => {
            Some(Revision::parse(version).ok_or_else(|| Rejection::unsupported(message.id, version))?)
        }
    };
    let revision = revision.filter(|revision| revision.era() == Era::Legacy);
    Ok(Inbound { era: Era::Legacy, revision, message })
}

fn modern<'a>(
    headers: &HeaderMap,
    message: Message<'a>,
    version: Option<&str>,
    claim: &str,
) -> Result<Inbound<'a>, Rejection> {
    let id = message.id;
    agree(id, &headers::PROTOCOL_VERSION, version, Some(claim))?;
    let Some(revision) = Revision::parse(claim) else {
        return Err(Rejection::unsupported(id, claim));
    };
    let capabilities = message.meta().and_then(|meta| meta.client_capabilities);
    if message.is_request() && !capabilities.is_some_and(Raw::is_object) {
        return Err(Rejection::new(id, codes::INVALID_PARAMS, "`_meta` lacks the client's capabilities"));
    }
    let method = header(headers, &headers::METHOD, id)?;
    if message.is_request() || method.is_some() {
        agree(id, &headers::METHOD, method.as_deref(), message.method.as_deref())?;
    }
    let name = header(headers, &headers::NAME, id)?;
    if let Some(member) = message.method.as_deref().and_then(Method::parse).and_then(Method::name_member) {
        let expected = match &message.params {
            Some(params) if member == "name" => params.name,
            Some(params) => params.member(member),
            None => None,
        };
        let Some(expected) = expected.and_then(Raw::as_str) else {
            let text = format!("`params.{member}` is not a string");
            return Err(Rejection::new(id, codes::INVALID_PARAMS, text));
        };
        agree(id, &headers::NAME, name.as_deref(), Some(&expected))?;
    }
    Ok(Inbound { era: Era::Modern, revision: Some(revision), message })
}

fn agree(
    id: Option<Raw<'_>>,
    name: &HeaderName,
    header: Option<&str>,
    body: Option<&str>,
) -> Result<(), Rejection> {
    if header == body {
        return Ok(());
    }
    let text = match header {
        None => format!("the header `{name}` is missing"),
        Some(_) => format!("the header `{name}` does not match the body"),
    };
    Err(Rejection::new(id, codes::HEADER_MISMATCH, text))
}

fn header<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    id: Option<Raw<'_>>,
) -> Result<Option<Cow<'h, str>>, Rejection> {
    let refuse = |text: String| Rejection::new(id, codes::HEADER_MISMATCH, text);
    let value = headers::single(headers, name).map_err(|repeated| refuse(repeated.to_string()))?;
    let Some(value) = value else { return Ok(None) };
    match headers::decode_value(value) {
        Some(text) => Ok(Some(text)),
        None => Err(refuse(format!("the header `{name}` cannot be read"))),
    }
}
