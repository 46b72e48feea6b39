//! One live link to one source.

use std::{fmt, path::PathBuf, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    Answer, Call, LinkStatus, Listing, ReplyBody, Target, UpstreamError, UpstreamLimits, http::HttpLink,
    stdio::StdioLink, wire,
};
use crate::{
    clock::Clock,
    egress::Egress,
    mcp::codes,
    model::{EraVerdict, Reach},
};

/// One live link to one source, shared by every call that goes there.
pub struct Link {
    transport: Transport,
    limits: Arc<UpstreamLimits>,
}

enum Transport {
    Http(Arc<HttpLink>),
    Stdio(Arc<StdioLink>),
}

/// One page of a source's tools.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

impl Link {
    pub(super) fn new(
        egress: &Egress,
        clock: &Clock,
        limits: &Arc<UpstreamLimits>,
        slots: &Arc<tokio::sync::Semaphore>,
        target: &Target,
    ) -> Self {
        let transport = match &target.reach {
            Reach::McpHttp { url } => Transport::Http(HttpLink::new(egress, clock, limits, url, target)),
            Reach::McpStdio { command, working_dir } => {
                let program = super::stdio::Command {
                    arguments: command.clone(),
                    working_dir: working_dir.clone(),
                    env: target.credential.env.clone(),
                };
                Transport::Stdio(StdioLink::new(clock, limits, slots, program, target))
            }
        };
        Self { transport, limits: Arc::clone(limits) }
    }

    /// Sends one call: one request to the source, except for the first contact, or when the source
    /// turns out not to know the session.
    pub async fn call(&self, call: Call) -> Result<Answer, UpstreamError> {
        match &self.transport {
            Transport::Http(link) => link.call(&call).await,
            Transport::Stdio(link) => link.call(&call).await,
        }
    }

    /// Lists every tool the source offers, page after page. A source without tools has none.
    pub async fn list_tools(&self) -> Result<Listing, UpstreamError> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..self.limits.list_pages_max {
            let reply = self.call(self.list_call(cursor.as_deref())).await?.finish().await?;
            let result = match &reply.body {
                ReplyBody::Result(result) => result,
                ReplyBody::Error(error) => match wire::error_words(error) {
                    (codes::METHOD_NOT_FOUND, _) if tools.is_empty() => {
                        return Ok(Listing { tools, revision: reply.revision });
                    }
                    (code, message) => {
                        return Err(broken(format!("it refused `tools/list` with {code}: {message}")));
                    }
                },
            };
            let page: Page = serde_json::from_slice(result)
                .map_err(|error| broken(format!("its answer to `tools/list` cannot be read: {error}")))?;
            tools.extend(page.tools);
            if tools.len() > self.limits.tools_max {
                return Err(broken(format!("it offers more than {} tools", self.limits.tools_max)));
            }
            match page.next_cursor {
                None => return Ok(Listing { tools, revision: reply.revision }),
                next if next == cursor => {
                    return Err(broken("its list of tools leads back to the same page".to_owned()));
                }
                next => cursor = next,
            }
        }
        Err(broken(format!("its list of tools has more than {} pages", self.limits.list_pages_max)))
    }

    fn list_call(&self, cursor: Option<&str>) -> Call {
        let params = cursor.map_or_else(
            || Bytes::from_static(b"{}"),
            |cursor| Bytes::from(serde_json::json!({ "cursor": cursor }).to_string()),
        );
        Call {
            method: "tools/list",
            params,
            name: None,
            param_headers: Vec::new(),
            progress: false,
            log_level: None,
            timeout: self.limits.list_timeout,
        }
    }

    /// Returns what is known of the source's era; `None` before the first contact.
    pub fn verdict(&self) -> Option<EraVerdict> {
        match &self.transport {
            Transport::Http(link) => link.verdict(),
            Transport::Stdio(link) => link.verdict(),
        }
    }

    /// Returns what the link is doing.
    pub fn status(&self) -> LinkStatus {
        match &self.transport {
            Transport::Http(link) => link.status(),
            Transport::Stdio(link) => link.status(),
        }
    }

    pub(super) fn end_if_idle(&self) {
        match &self.transport {
            Transport::Http(_) => {}
            Transport::Stdio(link) => link.end_if_idle(),
        }
    }

    /// Waits until no call is under way, as far as that matters for closing.
    pub(super) async fn drained(&self) {
        match &self.transport {
            // Calls over HTTP do not need the link that sent them.
            Transport::Http(_) => {}
            Transport::Stdio(link) => link.drained().await,
        }
    }

    /// Gives up the session, or ends the process and waits until it has ended.
    pub(super) async fn close(&self) {
        match &self.transport {
            Transport::Http(link) => link.close().await,
            Transport::Stdio(link) => link.close().await,
        }
    }

    /// Opens what the link needs.
    pub(super) async fn open(&self) -> Result<(), UpstreamError> {
        match &self.transport {
            Transport::Http(link) => link.open(Instant::now() + self.limits.handshake_timeout).await,
            Transport::Stdio(link) => link.open(Instant::now() + self.limits.start_timeout).await,
        }
    }

    /// Returns the program's file; `None` if the source is no process.
    pub(super) fn find_program(&self) -> Option<Result<PathBuf, UpstreamError>> {
        match &self.transport {
            Transport::Http(_) => None,
            Transport::Stdio(link) => Some(link.find_program()),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.transport {
            Transport::Http(_) => "Link(http)",
            Transport::Stdio(_) => "Link(stdio)",
        })
    }
}

fn broken(detail: String) -> UpstreamError {
    UpstreamError::Protocol { detail }
}
