//! What is answered from memory: what the preset is, what there is to choose from, what a session
//! watches.

use http::StatusCode;

use crate::{
    mcp::{Message, Method, Params, Raw, ServerCard, codes},
    model::Era,
    presets::RouteTable,
    proxy::{
        Guest, ProxyAnswer, body,
        requests::{invalid, no_resource},
        session::Session,
    },
};

impl Guest<'_> {
    pub(super) fn result(&self, id: Raw<'_>, result: &[u8]) -> ProxyAnswer {
        body::message(self.accepts, crate::mcp::response(id, result))
    }

    /// Answers with one page of a list.
    pub(super) fn list(&self, message: &Message<'_>, id: Raw<'_>, method: Method, era: Era) -> ProxyAnswer {
        let Some(kind) = method.list_kind() else {
            return invalid(id, "the method lists nothing");
        };
        let cursor = message.params.as_ref().and_then(Params::cursor);
        let page = match cursor {
            None => self.table.page(kind, era, None),
            Some(cursor) => cursor.as_str().and_then(|cursor| self.table.page(kind, era, Some(&cursor))),
        };
        match page {
            Some(page) => self.result(id, &page.result),
            None => invalid(id, "the cursor is none of this list's"),
        }
    }

    /// Begins to tell a session of changes of a resource.
    pub(super) async fn subscribe(
        &self,
        session: &Session,
        message: &Message<'_>,
        id: Raw<'_>,
    ) -> ProxyAnswer {
        let Some(uri) = message.params.as_ref().and_then(Params::uri) else {
            return invalid(id, "`params.uri` is not the address of a resource");
        };
        if self.table.resource(&uri).is_none() {
            return no_resource(id, session.terms.revision, &uri);
        }
        if !session.watch(&uri) {
            let text = "this session watches too many resources; unsubscribe from one first";
            return body::protocol_error(StatusCode::OK, Some(id), codes::INVALID_REQUEST, text);
        }
        session.told().await;
        self.result(id, b"{}")
    }

    /// Ends that.
    pub(super) fn unsubscribe(&self, session: &Session, message: &Message<'_>, id: Raw<'_>) -> ProxyAnswer {
        let Some(uri) = message.params.as_ref().and_then(Params::uri) else {
            return invalid(id, "`params.uri` is not the address of a resource");
        };
        session.unwatch(&uri);
        self.result(id, b"{}")
    }
}

/// Returns what a preset says of itself.
pub(super) fn card(table: &RouteTable) -> ServerCard<'_> {
    ServerCard {
        title: &table.preset.title,
        instructions: &table.preset.description,
        version: env!("CARGO_PKG_VERSION"),
        capabilities: table.capabilities(),
    }
}
