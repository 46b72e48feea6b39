//! The envelope: one JSON-RPC message, read in one pass, its payloads left as bytes.

use std::borrow::Cow;

use thiserror::Error;

use crate::mcp::{
    Capabilities, LogLevel, Raw,
    error::{ErrorObject, codes},
    scan::{ScanError, Scanner},
    trace::Traceparent,
};

/// The prefix of the protocol's own members of `_meta`.
pub const META_PREFIX: &str = "io.modelcontextprotocol/";

/// Says why bytes are no message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    /// No JSON, or JSON beyond the bounds.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// An array: the batches of revision 2025-03-26, which would pass by every check of single
    /// calls.
    #[error("batches are not accepted")]
    Batch,
    /// JSON, but no JSON-RPC 2.0 message.
    #[error("not a JSON-RPC 2.0 message: {0}")]
    NotMessage(&'static str),
}

impl ParseError {
    /// Returns the error as the other side is told of it.
    pub fn to_error(self) -> ErrorObject {
        let code = match self {
            Self::Scan(ScanError::NotUtf8 | ScanError::Syntax { .. }) => codes::PARSE,
            Self::Scan(ScanError::TooDeep | ScanError::Duplicate | ScanError::TooManyMembers)
            | Self::Batch
            | Self::NotMessage(_) => codes::INVALID_REQUEST,
        };
        ErrorObject::new(code, self.to_string())
    }
}

/// One message, borrowed from the bytes it came in.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    /// The id: a string or an integer. `None` for notifications, and for errors about a message
    /// whose id could not be read.
    pub id: Option<Raw<'a>>,
    /// The method; `None` for answers.
    pub method: Option<Cow<'a, str>>,
    /// The parameters.
    pub params: Option<Params<'a>>,
    /// The result of an answer.
    pub result: Option<Raw<'a>>,
    /// The error of an answer.
    pub error: Option<Raw<'a>>,
}

/// The parameters of a message; the members on the path of a call are picked out, all others are
/// reached through `raw`.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    /// All of it.
    pub raw: Raw<'a>,
    /// The member `name`.
    pub name: Option<Raw<'a>>,
    /// The member `arguments`.
    pub arguments: Option<Raw<'a>>,
    /// The member `_meta`.
    pub meta: Option<Meta<'a>>,
    /// The member `task` of revision 2025-11-25.
    pub task: Option<Raw<'a>>,
    /// What the caller answers to questions of the round before.
    pub input_responses: Option<Raw<'a>>,
    /// What the round before wanted handed back: a JSON string, as written.
    pub request_state: Option<Raw<'a>>,
}

impl<'a> Params<'a> {
    /// Returns the text, byte for byte.
    pub fn get(&self) -> &'a str {
        self.raw.get()
    }

    /// Returns any member.
    pub fn member(&self, name: &str) -> Option<Raw<'a>> {
        self.raw.member(name)
    }

    /// Returns the resource meant.
    pub fn uri(&self) -> Option<Cow<'a, str>> {
        self.member("uri")?.as_str()
    }

    /// Returns the place in a list, a string if the caller keeps to the protocol. The empty string is
    /// a cursor, too.
    pub fn cursor(&self) -> Option<Raw<'a>> {
        self.member("cursor")
    }

    /// Returns the task meant.
    pub fn task_id(&self) -> Option<Cow<'a, str>> {
        self.member("taskId")?.as_str()
    }

    /// Returns what a listen stream shall tell.
    pub fn notifications(&self) -> Option<Raw<'a>> {
        self.member("notifications")
    }

    /// Returns the prompt or resource template whose argument is completed.
    pub fn reference(&self) -> Option<Reference<'a>> {
        Reference::read(self.member("ref")?)
    }

    /// Returns the level of `logging/setLevel`.
    pub fn level(&self) -> Option<LogLevel> {
        LogLevel::parse(&self.member("level")?.as_str()?)
    }

    /// Returns what the caller of `initialize` can be asked.
    pub fn capabilities(&self) -> Option<Raw<'a>> {
        self.member("capabilities")
    }

    /// Returns the request that a cancellation gives up, with the type of its id.
    pub fn request_id(&self) -> Option<Raw<'a>> {
        self.member("requestId").filter(|id| id.is_string() || id.is_integer())
    }

    /// Returns the token that progress is reported under, with its type.
    pub fn progress_token(&self) -> Option<Raw<'a>> {
        self.member("progressToken").filter(|token| token.is_string() || token.is_integer())
    }
}

/// What `completion/complete` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// The prompt of this name.
    Prompt(Cow<'a, str>),
    /// The resource template of this pattern.
    Template(Cow<'a, str>),
}

impl<'a> Reference<'a> {
    /// Reads the member `ref`; `None` if it is neither.
    pub fn read(reference: Raw<'a>) -> Option<Self> {
        let text = |name| reference.member(name)?.as_str();
        match &*text("type")? {
            "ref/prompt" => text("name").map(Self::Prompt),
            "ref/resource" => text("uri").map(Self::Template),
            _ => None,
        }
    }
}

/// What a request says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    /// All of it.
    pub raw: Raw<'a>,
    /// The revision claimed.
    pub protocol_version: Option<Raw<'a>>,
    /// What the caller can do.
    pub client_capabilities: Option<Raw<'a>>,
    /// What the caller calls itself.
    pub client_info: Option<Raw<'a>>,
    /// The least level of log messages wanted.
    pub log_level: Option<Raw<'a>>,
    /// The token that progress is reported under.
    pub progress_token: Option<Raw<'a>>,
    /// The trace it belongs to, as W3C Trace Context writes it (SEP-414).
    pub traceparent: Option<Raw<'a>>,
}

impl Meta<'_> {
    /// Returns what the caller of this request can be asked.
    pub fn capabilities(&self) -> Capabilities {
        self.client_capabilities.map(Capabilities::read).unwrap_or_default()
    }

    /// Returns the trace the request belongs to, which Doorward continues; `None` if it names none that
    /// is well-formed.
    pub fn trace(&self) -> Option<Traceparent> {
        Traceparent::parse(&self.traceparent?.as_str()?)
    }

    /// Returns the least level of log messages wanted for this request.
    pub fn level(&self) -> Option<LogLevel> {
        LogLevel::parse(&self.log_level?.as_str()?)
    }
}

impl<'a> Message<'a> {
    /// Reads one message, checking all of it: grammar, depth, members that appear twice in the
    /// envelope, in `params` and in `_meta`, and the kind of the id.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(body).map_err(|_| ScanError::NotUtf8)?;
        let mut scanner = Scanner::new(text);
        match scanner.peek() {
            Some(b'[') => return Err(batch_or_worse(text)),
            Some(b'{') => {}
            _ => {
                scanner.value()?;
                scanner.end()?;
                return Err(ParseError::NotMessage("not an object"));
            }
        }
        let mut message = Self::default();
        let mut version = None;
        let mut method = None;
        scanner.object(&mut |scanner, name| {
            match name {
                "jsonrpc" => version = Some(scanner.value()?),
                "id" => message.id = Some(scanner.value()?),
                "method" => method = Some(scanner.value()?),
                "params" => message.params = Some(params(scanner)?),
                "result" => message.result = Some(scanner.value()?),
                "error" => message.error = Some(scanner.value()?),
                _ => drop(scanner.value()?),
            }
            Ok(())
        })?;
        scanner.end()?;
        if version.is_none_or(|version| version.get() != "\"2.0\"") {
            return Err(ParseError::NotMessage("`jsonrpc` is not \"2.0\""));
        }
        if let Some(method) = method {
            message.method = Some(method.as_str().ok_or(ParseError::NotMessage("`method` is no string"))?);
        }
        message.check()
    }

    fn check(mut self) -> Result<Self, ParseError> {
        let is_answer = self.result.is_some() || self.error.is_some();
        match (&self.method, is_answer) {
            (None, false) => return Err(ParseError::NotMessage("neither a method nor an answer")),
            (Some(_), true) => return Err(ParseError::NotMessage("both a method and an answer")),
            _ => {}
        }
        if self.result.is_some() && self.error.is_some() {
            return Err(ParseError::NotMessage("both a result and an error"));
        }
        match self.id {
            Some(id) if id.is_string() || id.is_integer() => {}
            // Servers answer what they could not read with a null id.
            Some(id) if id.is_null() && self.error.is_some() => self.id = None,
            Some(_) => return Err(ParseError::NotMessage("`id` is neither a string nor an integer")),
            None if self.result.is_some() => return Err(ParseError::NotMessage("an answer without `id`")),
            None => {}
        }
        Ok(self)
    }

    /// Says whether an answer is expected.
    pub fn is_request(&self) -> bool {
        self.method.is_some() && self.id.is_some()
    }

    /// Says whether it answers a request.
    pub fn is_answer(&self) -> bool {
        self.method.is_none()
    }

    /// Returns what the message says of itself.
    pub fn meta(&self) -> Option<&Meta<'a>> {
        self.params.as_ref()?.meta.as_ref()
    }
}

fn params<'a>(scanner: &mut Scanner<'a>) -> Result<Params<'a>, ScanError> {
    let mut params = Params {
        raw: Raw::NULL,
        name: None,
        arguments: None,
        meta: None,
        task: None,
        input_responses: None,
        request_state: None,
    };
    if scanner.peek() != Some(b'{') {
        params.raw = scanner.value()?;
        return Ok(params);
    }
    params.raw = scanner.object(&mut |scanner, name| {
        match name {
            "name" => params.name = Some(scanner.value()?),
            "arguments" => params.arguments = Some(scanner.value()?),
            "_meta" => params.meta = Some(meta(scanner)?),
            "task" => params.task = Some(scanner.value()?),
            "inputResponses" => params.input_responses = Some(scanner.value()?),
            "requestState" => params.request_state = Some(scanner.value()?),
            _ => drop(scanner.value()?),
        }
        Ok(())
    })?;
    Ok(params)
}

fn meta<'a>(scanner: &mut Scanner<'a>) -> Result<Meta<'a>, ScanError> {
    let mut meta = Meta {
        raw: Raw::NULL,
        protocol_version: None,
        client_capabilities: None,
        client_info: None,
        log_level: None,
        progress_token: None,
        traceparent: None,
    };
    if scanner.peek() != Some(b'{') {
        meta.raw = scanner.value()?;
        return Ok(meta);
    }
    meta.raw = scanner.object(&mut |scanner, name| {
        let value = scanner.value()?;
        match name {
            "progressToken" => meta.progress_token = Some(value),
            "traceparent" => meta.traceparent = Some(value),
            _ => match name.strip_prefix(META_PREFIX) {
                Some("protocolVersion") => meta.protocol_version = Some(value),
                Some("clientCapabilities") => meta.client_capabilities = Some(value),
                Some("clientInfo") => meta.client_info = Some(value),
                Some("logLevel") => meta.log_level = Some(value),
                _ => {}
            },
        }
        Ok(())
    })?;
    Ok(meta)
}

/// A batch is refused as a batch only if it is JSON at all.
fn batch_or_worse(text: &str) -> ParseError {
    match Raw::parse(text) {
        Ok(_) => ParseError::Batch,
        Err(error) => error.into(),
    }
}
