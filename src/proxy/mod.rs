//! The path of a call: from the caller's bytes to the source and back.
//!
//! Never opens a socket, never reads the database on a warm call, never decides who may do what.

use std::net::IpAddr;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode};

use crate::{
    audit::Audit, clock::Clock, identity::Identity, presets::Presets, quota::Quota, sources::Sources,
};

/// What the path of a call needs to know.
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    /// The address people and agents use, without a slash at the end.
    pub base_url: String,
    /// Origins of web pages whose scripts may call presets, beside our own.
    pub allowed_origins: Vec<String>,
    /// The largest body of a request, in bytes.
    pub request_bytes_max: usize,
    /// The longest wait for a source's answer, in milliseconds.
    pub call_timeout_ms: u64,
}

/// A request to a preset's address.
#[derive(Debug)]
pub struct ProxyRequest<'a> {
    /// The owner's part of the address, as it came.
    pub owner: &'a str,
    /// The preset's part of the address, as it came.
    pub slug: &'a str,
    /// The HTTP method.
    pub method: &'a Method,
    /// The HTTP headers.
    pub headers: &'a HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// Where the caller is.
    pub address: IpAddr,
    /// The request's id, as in the logs.
    pub request_id: &'a str,
}

/// What goes back.
pub struct ProxyAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The HTTP headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ProxyBody,
}

/// The body of an answer.
pub enum ProxyBody {
    /// All of it.
    Full(Bytes),
    /// A stream of server-sent events. Dropping it tells that the caller has gone.
    Stream(BoxStream<'static, Bytes>),
}

/// The path of a call; cheap to clone.
#[derive(Clone)]
pub struct Proxy;

impl Proxy {
    /// Begins without sessions.
    pub fn new(
        identity: Identity,
        presets: Presets,
        sources: Sources,
        quota: Quota,
        audit: Audit,
        clock: Clock,
        settings: ProxySettings,
    ) -> Self {
        let _ = (identity, presets, sources, quota, audit, clock, settings);
        Self
    }

    /// Answers one request.
    pub async fn answer(&self, request: ProxyRequest<'_>) -> ProxyAnswer {
        let _ = request;
        todo!()
    }

    /// Ends sessions that nobody uses.
    pub fn end_idle(&self) {
        todo!()
    }

    /// Returns how many sessions of legacy callers are open.
    pub fn sessions(&self) -> usize {
        todo!()
    }
}
