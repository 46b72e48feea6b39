//! Whether a caller may still do what it was let in for, asked again while something of it lives on:
//! a stream, a call that waits for answers.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    changes::Change,
    identity::KeyError,
    mcp::headers,
    model::{Principal, Via},
    policy::{self, CallPermit},
    presets::RouteTable,
    proxy::Proxy,
};

/// How often it is asked whether a key has expired meanwhile. What is revoked is heard of at once.
const LOOK_PAUSE: Duration = Duration::from_secs(60);

/// What a caller was let in with.
#[derive(Clone)]
pub(super) struct Leave {
    authorization: Option<HeaderValue>,
    pub(super) permit: CallPermit,
    pub(super) table: Arc<RouteTable>,
}

impl fmt::Debug for Leave {
    /// Leaves out what the caller showed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Leave").field("permit", &self.permit).finish_non_exhaustive()
    }
}

impl Leave {
    pub(super) fn new(headers: &HeaderMap, permit: &CallPermit, table: &Arc<RouteTable>) -> Self {
        let header = headers::single(headers, &header::AUTHORIZATION).ok().flatten();
        // A copy of its own: a clone would keep the whole buffer that the request was read into.
        let authorization = header.and_then(|header| HeaderValue::from_bytes(header.as_bytes()).ok());
        Self { authorization, permit: permit.clone(), table: Arc::clone(table) }
    }

    /// Says whether the caller would be let in at this moment. While that cannot be found out, it
    /// would.
    pub(super) async fn is_given(&self, proxy: &Proxy) -> bool {
        let caller = match (&self.authorization, self.permit.caller()) {
            // A person the console knows was let in without a header.
            (None, caller) => caller.clone(),
            (Some(header), caller) => match proxy.recognise(Some(header)).await {
                Ok(again) if is_same(&again, caller) => again,
                Ok(_) => return false,
                Err(KeyError::Store(_)) => return true,
                Err(
                    KeyError::Malformed
                    | KeyError::Unknown
                    | KeyError::Expired
                    | KeyError::Revoked
                    | KeyError::Disabled,
                ) => return false,
            },
        };
        let (owner, slug) = (self.table.owner.as_str(), self.table.preset.slug.as_str());
        match proxy.0.presets.route_table(owner, slug).await {
            Ok(Some(table)) => {
                table.preset.id == self.permit.preset()
                    && policy::may_call(&caller, &table.preset, &table.access, proxy.0.clock.now()).is_some()
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Waits until the caller would not be let in any more.
    pub(super) async fn withdrawn(&self, proxy: &Proxy) {
        let mut changes = proxy.0.changes.subscribe();
        while self.is_given(proxy).await {
            let heard = async {
                loop {
                    match changes.recv().await {
                        Ok(change) if !self.is_touched_by(&change) => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // Whichever it is, the next turn looks.
            let _ = tokio::time::timeout(LOOK_PAUSE, heard).await;
        }
    }

    fn is_touched_by(&self, change: &Change) -> bool {
        let member = self.permit.caller().member();
        match change {
            Change::Preset(_, preset) => *preset == self.permit.preset(),
            Change::User(user) => member.is_none_or(|member| member.user == *user),
            Change::Key(key) => member.is_some_and(|member| member.via.key() == Some(*key)),
            Change::Grant(grant) => {
                member.is_some_and(|member| matches!(&member.via, Via::Grant { id, .. } if id == grant))
            }
            Change::Everything => true,
            Change::Source(..) | Change::SourceHealth(..) | Change::Connection(_) | Change::Plan(_) => false,
        }
    }
}

fn is_same(one: &Principal, other: &Principal) -> bool {
    match (one, other) {
        (Principal::Anonymous, Principal::Anonymous) => true,
        (Principal::Member(one), Principal::Member(other)) => one.user == other.user,
        (Principal::Anonymous, Principal::Member(_)) | (Principal::Member(_), Principal::Anonymous) => false,
    }
}
