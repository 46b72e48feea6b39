//! What the playground posts.

use doorward::{
    mcp::Method as McpMethod,
    model::EventId,
    policy::{self, TryPermit},
    presets::RouteTable,
    proxy::{ProxyBody, ProxyRequest},
};
use http::{HeaderMap, HeaderValue, Method, header};
use leptos::{prelude::*, server_fn::ServerFn};
use serde_json::{Map, Value, json};

use super::{
    fields::{ArgumentField, arguments, prompt_inputs},
    runs::{self, RESULT_BYTES_MAX, Run},
    template,
    what::{Subject, What},
};
use crate::{
    context::{caller_address, console},
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

/// Where a request is posted to.
pub(crate) const CALL: &str = <AskInPlayground as ServerFn>::PATH;

/// The name of the form.
pub(crate) const FORM: &str = "playground";

/// The name of an argument's field in the form.
pub(super) fn argument(name: &str) -> String {
    format!("argument.{name}")
}

/// The revision the playground speaks.
const REVISION: &str = "2026-07-28";

/// Asks a preset for what it publishes, as the person who is signed in: calls a tool, gets a prompt, reads
/// a resource.
#[server(prefix = "/do", endpoint = "playground-call")]
pub async fn ask_in_playground(
    id: String,
    what: What,
    name: String,
    #[server(default)] fields: Vec<ArgumentField>,
    #[server(default)] json: String,
) -> Result<(), ServerFnError> {
    let subject = Subject { what, name };
    let back = subject.path(&id);
    let mut form = Form::new(FORM).keep("json", &json);
    for field in &fields {
        form = form.keep(&argument(&field.name), &field.value);
    }
    form.answer(&back, ask(&id, subject, &fields, &json, &back).await)
}

async fn ask(
    id: &str,
    subject: Subject,
    fields: &[ArgumentField],
    json: &str,
    back: &str,
) -> Result<Onward, Mistake> {
    let member = session::member().await?;
    let console = console();
    let id = id.parse().map_err(|_| Trouble::NotFound)?;
    let open = console.presets.find(&member, id).await?.ok_or(Trouble::NotFound)?;
    let permit = policy::may_try(&member, &open.permit)?;
    let (owner, slug) = (open.owner.as_str(), open.preset.slug.as_str());
    let table = console.presets.route_table(owner, slug).await?.ok_or(Trouble::NotFound)?;
    let filled = if json.trim().is_empty() {
        arguments(fields).map_err(|wrong| Mistake::field(argument(&wrong.name), wrong.text))?
    } else {
        serde_json::from_str(json)
            .map_err(|error| Mistake::field("json", format!("the arguments are a JSON object: {error}")))?
    };
    let request = Request::of(&subject, &filled, &table)?;
    let run = send(&permit, owner, slug, subject, filled, request).await;
    let onward = Onward::to(format!("{back}&run={}", run.id));
    runs::keep(run);
    Ok(onward)
}

/// What is sent to the preset.
struct Request {
    method: McpMethod,
    /// What is asked for, for the header that tells it.
    name: String,
    params: Value,
}

impl Request {
    /// Puts it together, or says what is missing from the form.
    fn of(subject: &Subject, filled: &Map<String, Value>, table: &RouteTable) -> Result<Self, Mistake> {
        let missing = |name: &str, text: &str| Err(Mistake::field(argument(name), text.to_owned()));
        let name = subject.name.clone();
        let read =
            |uri: String| Self { method: McpMethod::ResourcesRead, params: json!({ "uri": uri }), name: uri };
        Ok(match subject.what {
            What::Tool => Self {
                method: McpMethod::ToolsCall,
                params: json!({ "name": name, "arguments": filled }),
                name,
            },
            What::Prompt => {
                let definition = table.prompt(&name).map(|prompt| prompt.definition.as_ref());
                let definition: Value =
                    serde_json::from_slice(definition.unwrap_or(b"{}")).unwrap_or_default();
                for input in prompt_inputs(&definition) {
                    if input.required && !filled.contains_key(&input.name) {
                        return missing(&input.name, "the prompt cannot be made without this");
                    }
                }
                Self {
                    method: McpMethod::PromptsGet,
                    params: json!({ "name": name, "arguments": filled }),
                    name,
                }
            }
            What::Resource => read(name),
            What::Template => {
                for variable in template::variables(&name) {
                    if !variable.optional && !filled.contains_key(&variable.name) {
                        return missing(&variable.name, "the address is not whole without this");
                    }
                }
                let value = |name: &str| filled.get(name)?.as_str().map(str::to_owned);
                read(template::expand(&name, value))
            }
        })
    }
}

/// Sends the request down the same path as any agent's.
async fn send(
    permit: &TryPermit,
    owner: &str,
    slug: &str,
    subject: Subject,
    filled: Map<String, Value>,
    request: Request,
) -> Run {
    let console = console();
    let id = EventId::new();
    let Request { method, name, mut params } = request;
    let sent = json!({ "method": method.as_str(), "params": &params });
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "Doorward playground", "version": env!("CARGO_PKG_VERSION") },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method.as_str(), "params": params });
    let begun = console.now();
    let request = ProxyRequest {
        owner,
        slug,
        method: &Method::POST,
        headers: &headers(method.as_str(), &name),
        body: body.to_string().into(),
        address: caller_address(),
        request_id: &id.to_string(),
        stays: true,
    };
    let answer = console.proxy.answer_for(permit, request).await;
    let mut text = match answer.body {
        ProxyBody::Full(pieces) => String::from_utf8_lossy(&pieces.whole()).into_owned(),
        // Streams are for callers that accept them, and this one asked for one object.
        ProxyBody::Stream(_) => String::new(),
    };
    if text.len() > RESULT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(RESULT_BYTES_MAX));
    }
    let at = console.now();
    Run {
        id,
        user: permit.member().user,
        at,
        subject,
        filled,
        sent: serde_json::to_string_pretty(&sent).unwrap_or_default(),
        duration_us: i64::try_from(at.since(begun).as_micros()).unwrap_or(i64::MAX),
        status: answer.status.as_u16(),
        answer: text,
    }
}

fn headers(method: &'static str, name: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert("mcp-protocol-version", HeaderValue::from_static(REVISION));
    headers.insert("mcp-method", HeaderValue::from_static(method));
    headers.insert("mcp-name", doorward::mcp::headers::encode_value(name));
    headers
}
