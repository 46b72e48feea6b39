//! What lies in the memory of another process: sessions, and calls that wait for answers.
//!
//! The request goes to that process as it came and is answered by it, once. Of a process that is gone another one takes
//! its sessions over; calls that waited there are lost, and said to be.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Refusal, unavailable};
use crate::{
    mcp::Raw,
    model::ReplicaNumber,
    policy::CallPermit,
    proxy::{Proxy, ProxyAnswer, ProxyBody, ProxyRequest, body, session::Session, sessions::SessionId},
    replicas::{BackBody, CannotForward, Handed, HandedBack},
};

/// How much longer than a call may take its answer is waited for.
const LONGER: Duration = Duration::from_secs(10);

/// What stands in a path as it is (RFC 3986, 2.3).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Proxy {
    /// Answers a request for a session that this process does not have: goes on with it if its process is gone, and
    /// otherwise has that process answer, whose answer is the refusal to go on here.
    pub(super) async fn session_elsewhere(
        &self,
        request: &ProxyRequest<'_>,
        value: &HeaderValue,
        permit: &CallPermit,
        id: Option<Raw<'_>>,
    ) -> Result<Arc<Session>, Refusal> {
        let gone = || {
            let text = "there is no such session; `initialize` begins one";
            Box::new(body::error(StatusCode::NOT_FOUND, id, text))
        };
        let (caller, preset, now) = (permit.caller(), permit.preset(), self.0.clock.now());
        let (name, terms) = SessionId::open(value, &self.0.sealer, caller, preset, now).ok_or_else(gone)?;
        let replicas = &self.0.replicas;
        let began = name.replica();
        if began == replicas.own() {
            return Err(gone());
        }
        let mut may_try_again = true;
        loop {
            let holder = if replicas.is_there(began) {
                began
            } else {
                replicas.take_over(name.0).await.map_err(|error| {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "could not take a session over"
                    );
                    Box::new(unavailable(id))
                })?
            };
            if holder == replicas.own() {
                return Ok(self.0.sessions.go_on(name, caller, preset, terms, now));
            }
            if request.stays {
                return Err(gone());
            }
            match self.hand_on(request, holder, id).await {
                Some(answer) => return Err(Box::new(answer)),
                None if replicas.is_gone_soon(holder).await => {}
                // It was out of reach for a moment only.
                None if std::mem::take(&mut may_try_again) => {}
                None => {
                    tracing::warn!(
                        replica = holder.0,
                        "a replica gives signs of life, and cannot be reached"
                    );
                    return Err(Box::new(unavailable(id)));
                }
            }
        }
    }

    /// Has another process answer; `None` if it cannot be reached, and has heard nothing of the request.
    pub(super) async fn hand_on(
        &self,
        request: &ProxyRequest<'_>,
        to: ReplicaNumber,
        id: Option<Raw<'_>>,
    ) -> Option<ProxyAnswer> {
        let name = |text| utf8_percent_encode(text, NAME);
        let path = format!("/mcp/{}/{}", name(request.owner), name(request.slug));
        let handed = Handed {
            method: request.method,
            path: &path,
            headers: request.headers,
            body: &request.body,
            address: request.address,
        };
        let silent = || {
            let text =
                "the replica that had this call at hand went away, and nobody knows what became of the call";
            body::error(StatusCode::BAD_GATEWAY, id, text)
        };
        match self.0.replicas.forward(to, handed, self.call_timeout() + LONGER).await {
            Ok(HandedBack { status, headers, body }) => {
                let body = match body {
                    BackBody::Whole(whole) => ProxyBody::Full(whole.into()),
                    BackBody::Events(events) => ProxyBody::Stream(events),
                };
                Some(ProxyAnswer { status, headers, body })
            }
            Err(CannotForward::Away) => None,
            Err(CannotForward::Silent) => Some(silent()),
        }
    }
}
