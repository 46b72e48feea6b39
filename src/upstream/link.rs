//! One live link to one source.

use std::{fmt, path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Answer, Call, LinkStatus, Listing, Offer, ReplyBody, Target, Tokens, UpstreamError, UpstreamLimits,
    Watch, WatchFilter,
    http::HttpLink,
    inside::{InsideLink, Insides},
    offer,
    stdio::StdioSource,
    wire,
};
use crate::{
    clock::Clock,
    egress::Egress,
    mcp::{Capabilities, ListKind, codes},
    model::{EraVerdict, Reach},
};

/// One live link to one source, shared by every call that goes there.
pub struct Link {
    transport: Transport,
    limits: Arc<UpstreamLimits>,
}

enum Transport {
    Http(Arc<HttpLink>),
    Stdio(StdioSource),
    Inside(Box<InsideLink>),
}

impl Link {
    pub(super) fn new(
        egress: &Egress,
        clock: &Clock,
        limits: &Arc<UpstreamLimits>,
        slots: &Arc<tokio::sync::Semaphore>,
        insides: Option<&dyn Insides>,
        target: &Target,
        tokens: Option<Arc<dyn Tokens>>,
    ) -> Self {
        let transport = match &target.reach {
            Reach::McpHttp { url } => {
                Transport::Http(HttpLink::new(egress, clock, limits, url, target, tokens))
            }
            Reach::McpStdio { command, working_dir } => {
                let program = super::stdio::Command {
                    arguments: command.clone(),
                    working_dir: working_dir.clone(),
                    env: target.credential.env.clone(),
                };
                Transport::Stdio(StdioSource::new(clock, limits, slots, program, target))
            }
            Reach::SparkHistory { .. } => {
                Transport::Inside(Box::new(InsideLink::new(egress, clock, limits, insides, target)))
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
            Transport::Inside(link) => link.call(&call).await,
        }
    }

    /// Lists everything of one kind that the source offers, page after page. A source that does not
    /// know the method has none.
    pub async fn list(&self, kind: ListKind) -> Result<Listing, UpstreamError> {
        let method = kind.method().as_str();
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..self.limits.list_pages_max {
            let reply = self.call(self.list_call(kind, cursor.as_deref())).await?.finish().await?;
            let result = match &reply.body {
                ReplyBody::Result(result) => result,
                ReplyBody::Error(error) => match wire::error_words(error) {
                    (codes::METHOD_NOT_FOUND, _) if items.is_empty() => {
                        return Ok(Listing { items, revision: reply.revision });
                    }
                    (code, message) => {
                        return Err(broken(format!("it refused `{method}` with {code}: {message}")));
                    }
                },
            };
            let page = offer::page(kind, result)?;
            items.extend(page.items);
            if items.len() > self.limits.list_items_max {
                let max = self.limits.list_items_max;
                return Err(broken(format!("its list of {} has more than {max} entries", kind.member())));
            }
            match page.next {
                None => return Ok(Listing { items, revision: reply.revision }),
                next if next == cursor => {
                    return Err(broken(format!("its list of {} leads back to the same page", kind.member())));
                }
                next => cursor = next,
            }
        }
        let max = self.limits.list_pages_max;
        Err(broken(format!("its list of {} has more than {max} pages", kind.member())))
    }

    /// Returns what the source says of itself, asked for where that has not been done yet.
    pub async fn offer(&self) -> Result<Arc<Offer>, UpstreamError> {
        match &self.transport {
            Transport::Http(link) => link.offer(Instant::now() + self.limits.handshake_timeout).await,
            Transport::Stdio(link) => link.offer(Instant::now() + self.limits.start_timeout).await,
            Transport::Inside(link) => link.offer(self.limits.handshake_timeout).await,
        }
    }

    /// Tells of changes at the source until the returned part is dropped. All who watch share one
    /// stream there, which is opened for the first and comes back by itself when it is lost.
    pub fn watch(&self, filter: WatchFilter) -> Watch {
        match &self.transport {
            Transport::Http(link) => link.watch(filter),
            Transport::Stdio(link) => link.watch(filter),
            Transport::Inside(link) => link.watch(filter),
        }
    }

    fn list_call(&self, kind: ListKind, cursor: Option<&str>) -> Call {
        let params = cursor.map_or_else(
            || Bytes::from_static(b"{}"),
            |cursor| Bytes::from(serde_json::json!({ "cursor": cursor }).to_string()),
        );
        Call {
            method: kind.method().as_str(),
            params,
            name: None,
            param_headers: Vec::new(),
            progress: false,
            log_level: None,
            timeout: self.limits.list_timeout,
            capabilities: Capabilities::default(),
            partition: None,
        }
    }

    /// Returns what is known of the source's era; `None` before the first contact.
    pub fn verdict(&self) -> Option<EraVerdict> {
        match &self.transport {
            Transport::Http(link) => link.verdict(),
            Transport::Stdio(link) => link.verdict(),
            Transport::Inside(link) => link.verdict(),
        }
    }

    /// Returns what the link is doing.
    pub fn status(&self) -> LinkStatus {
        match &self.transport {
            Transport::Http(link) => link.status(),
            Transport::Stdio(link) => link.status(),
            Transport::Inside(link) => link.status(),
        }
    }

    pub(super) fn end_if_idle(&self) {
        match &self.transport {
            Transport::Http(link) => link.end_if_idle(),
            Transport::Stdio(link) => link.end_if_idle(),
            // It keeps nothing open but connections, which end by themselves.
            Transport::Inside(_) => {}
        }
    }

    /// Lets everybody who watches know that there is another link.
    pub(super) fn end_watches(&self) {
        match &self.transport {
            Transport::Http(link) => link.end_watches(),
            Transport::Stdio(link) => link.end_watches(),
            Transport::Inside(link) => link.end_watches(),
        }
    }

    /// Waits until no call is under way, as far as that matters for closing.
    pub(super) async fn drained(&self) {
        match &self.transport {
            // Calls over HTTP do not need the link that sent them, nor do those that are answered inside.
            Transport::Http(_) | Transport::Inside(_) => {}
            Transport::Stdio(link) => link.drained().await,
        }
    }

    /// Gives up the session, or ends the process and waits until it has ended.
    pub(super) async fn close(&self) {
        match &self.transport {
            Transport::Http(link) => link.close().await,
            Transport::Stdio(link) => link.close().await,
            Transport::Inside(link) => link.end_watches(),
        }
    }

    /// Opens what the link needs.
    pub(super) async fn open(&self) -> Result<(), UpstreamError> {
        match &self.transport {
            Transport::Http(link) => link.open(Instant::now() + self.limits.handshake_timeout).await,
            Transport::Stdio(link) => link.open(Instant::now() + self.limits.start_timeout).await,
            Transport::Inside(link) => link.open(self.limits.handshake_timeout).await,
        }
    }

    /// Returns the parts of a test that only this source has.
    pub(super) fn own_checks(&self) -> &'static [&'static str] {
        match &self.transport {
            Transport::Http(_) | Transport::Stdio(_) => &[],
            Transport::Inside(link) => link.further_checks(),
        }
    }

    /// Does one part of a test that only this source has.
    pub(super) async fn own_check(&self, name: &str) -> Result<String, UpstreamError> {
        match &self.transport {
            Transport::Http(_) | Transport::Stdio(_) => Ok(String::new()),
            Transport::Inside(link) => link.check(name, self.limits.list_timeout).await,
        }
    }

    /// Returns the program's file; `None` if the source is no process.
    pub(super) fn find_program(&self) -> Option<Result<PathBuf, UpstreamError>> {
        match &self.transport {
            Transport::Http(_) | Transport::Inside(_) => None,
            Transport::Stdio(link) => Some(link.find_program()),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.transport {
            Transport::Http(_) => "Link(http)",
            Transport::Stdio(_) => "Link(stdio)",
            Transport::Inside(_) => "Link(inside)",
        })
    }
}

fn broken(detail: String) -> UpstreamError {
    UpstreamError::Protocol { detail }
}
