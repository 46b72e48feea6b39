//! What MCP clients send to a preset: every method of every revision, and what belongs to a session.

use axum::body::Body;
use doorward::mcp::{Era, Method, Revision};
use http::{Request, header};
use serde_json::{Value, json};

use super::scratch::{Person, request};

/// The header that names a legacy session.
pub(super) const SESSION: &str = "mcp-session-id";

/// One message to a preset.
pub(super) struct Message {
    /// What it is called in the report.
    pub(super) name: String,
    verb: http::Method,
    revision: Revision,
    body: Option<Value>,
}

/// Returns one message of each method in both eras, and the two requests of a session that are no messages.
pub(super) fn all() -> Vec<Message> {
    let mut all = Vec::new();
    for revision in [Revision::LATEST, Revision::LATEST_LEGACY] {
        let known = Method::ALL.iter().filter(|method| method.is_known_to(revision));
        all.extend(known.map(|method| Message::of(*method, revision)));
    }
    for verb in [http::Method::GET, http::Method::DELETE] {
        let revision = Revision::LATEST_LEGACY;
        all.push(Message { name: format!("MCP {} {verb}", revision.as_str()), verb, revision, body: None });
    }
    all
}

/// Returns what opens a legacy session.
pub(super) fn initialize() -> Message {
    Message::of(Method::Initialize, Revision::LATEST_LEGACY)
}

impl Message {
    fn of(method: Method, revision: Revision) -> Self {
        let name = format!("MCP {} {}", revision.as_str(), method.as_str());
        Self { name, verb: http::Method::POST, revision, body: Some(body(method, revision)) }
    }

    /// Says whether it is sent within a session.
    pub(super) fn wants_session(&self) -> bool {
        !self.is_modern() && self.text("/method") != Some(Method::Initialize.as_str())
    }

    fn is_modern(&self) -> bool {
        self.revision.era() == Era::Modern
    }

    /// Makes the request of this message to a preset's address, in a legacy session if there is one.
    pub(super) fn request(
        &self,
        person: Option<&Person>,
        path: &str,
        session: Option<&str>,
    ) -> http::Result<Request<Body>> {
        let mut request = request(self.verb.clone(), path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", self.revision.as_str());
        if let Some(person) = person {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", person.key));
        }
        if self.is_modern() {
            if let Some(method) = self.text("/method") {
                request = request.header("mcp-method", method);
            }
            if let Some(name) = self
                .text("/params/name")
                .or_else(|| self.text("/params/uri"))
                .or_else(|| self.text("/params/taskId"))
            {
                request = request.header("mcp-name", name);
            }
        } else if let Some(session) = session {
            request = request.header(SESSION, session);
        }
        request.body(self.body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string())))
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.body.as_ref()?.pointer(pointer)?.as_str()
    }
}

/// Returns a message that a preset with one tool understands.
fn body(method: Method, revision: Revision) -> Value {
    let mut params = match method {
        Method::Initialize => json!({"protocolVersion": revision.as_str(), "capabilities": {},
            "clientInfo": {"name": "proof", "version": "1"}}),
        Method::ToolsCall => json!({"name": "read", "arguments": {}}),
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            json!({"uri": "file:///a"})
        }
        Method::PromptsGet => json!({"name": "review"}),
        Method::Complete => {
            json!({"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "a", "value": ""}})
        }
        Method::SetLevel => json!({"level": "info"}),
        Method::Listen => json!({"notifications": {"toolsListChanged": true}}),
        Method::TasksGet | Method::TasksUpdate | Method::TasksCancel | Method::TasksResult => {
            json!({"taskId": "1"})
        }
        _ => json!({}),
    };
    if revision.era() == Era::Modern
        && let Some(params) = params.as_object_mut()
    {
        params.insert(
            "_meta".to_owned(),
            json!({"io.modelcontextprotocol/protocolVersion": revision.as_str(),
                "io.modelcontextprotocol/clientInfo": {"name": "proof", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {}}),
        );
    }
    json!({"jsonrpc": "2.0", "id": 1, "method": method.as_str(), "params": params})
}
