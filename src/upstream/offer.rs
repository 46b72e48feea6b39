//! What a source offers: its lists, and what it says of itself.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{ReplyBody, UpstreamError, wire};
use crate::mcp::{ListKind, Raw, Revision, ServerCapabilities, source_page};

/// Everything of one kind that a source lists.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The things, each byte for byte as the source sent it.
    pub items: Vec<Box<RawValue>>,
    /// The revision the source speaks.
    pub revision: Revision,
}

/// One page of a list.
pub(super) struct Page {
    pub(super) items: Vec<Box<RawValue>>,
    pub(super) next: Option<String>,
}

/// Reads one page of a list.
pub(super) fn page(kind: ListKind, result: &[u8]) -> Result<Page, UpstreamError> {
    let broken = |how: &str| UpstreamError::Protocol {
        detail: format!("its answer to `{}` cannot be read: {how}", kind.method().as_str()),
    };
    let result = Raw::parse_bytes(result).map_err(|error| broken(&error.to_string()))?;
    let page =
        source_page(kind, result).ok_or_else(|| broken(&format!("there is no list `{}`", kind.member())))?;
    let next = page.next_cursor.and_then(Raw::as_str).map(|next| next.into_owned());
    Ok(Page { items: page.entries.into_iter().map(Raw::to_boxed).collect(), next })
}

/// What a source says of itself when it is first spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The `capabilities`, as sent; `{}` when it names none.
    pub capabilities: Bytes,
    /// Its instructions for models.
    pub instructions: Option<String>,
    /// The `serverInfo`, as sent.
    pub server_info: Option<Bytes>,
}

impl Offer {
    /// The longest instructions kept, in characters.
    pub const INSTRUCTIONS_MAX: usize = 16 * 1024;

    /// Reads the result of `server/discover` or `initialize`.
    pub(super) fn read(answer: &ReplyBody) -> Self {
        let ReplyBody::Result(bytes) = answer else {
            return Self { capabilities: Bytes::from_static(b"{}"), ..Self::default() };
        };
        let result = Raw::parse_bytes(bytes).ok();
        let member = |name| result.and_then(|result| result.member(name));
        // Kept for as long as the link: not as a part of all that came with it.
        let keep = |raw: Raw<'_>| Bytes::copy_from_slice(raw.as_bytes());
        let info = member("_meta")
            .and_then(|meta| meta.member("io.modelcontextprotocol/serverInfo"))
            .or_else(|| member("serverInfo"));
        Self {
            capabilities: member("capabilities")
                .filter(|capabilities| capabilities.is_object())
                .map_or(Bytes::from_static(b"{}"), keep),
            instructions: member("instructions")
                .and_then(Raw::as_str)
                .map(|text| wire::clip_lines(&text, Self::INSTRUCTIONS_MAX)),
            server_info: info.filter(|info| info.is_object()).map(keep),
        }
    }

    /// Returns what the source can do, read from its capabilities.
    pub fn abilities(&self) -> ServerCapabilities {
        Raw::parse_bytes(&self.capabilities).map(ServerCapabilities::read).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_read_from_either_handshake() {
        let legacy = ReplyBody::Result(Bytes::from_static(
            br#"{"capabilities":{"logging":{},"resources":{"subscribe":true,"listChanged":false}},"serverInfo":{"name":"a"},"instructions":"Be\nkind"}"#,
        ));
        let modern = ReplyBody::Result(Bytes::from_static(
            br#"{"capabilities":{"logging":{},"resources":{"subscribe":true,"listChanged":false}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"a"}},"instructions":"Be\nkind"}"#,
        ));

        let offer = Offer::read(&legacy);

        assert_eq!(offer, Offer::read(&modern));
        let abilities = offer.abilities();
        assert!(abilities.logging && abilities.resources && abilities.resources_subscribe);
        assert!(!abilities.resources_changed && !abilities.prompts);
        assert_eq!(offer.instructions.as_deref(), Some("Be\nkind"));
        assert_eq!(offer.server_info.as_deref(), Some(&br#"{"name":"a"}"#[..]));
    }

    #[test]
    fn what_names_nothing_offers_nothing() {
        for answer in [
            ReplyBody::Result(Bytes::from_static(br#"{"capabilities":[],"serverInfo":7,"instructions":{}}"#)),
            ReplyBody::Error(Bytes::from_static(b"{}")),
        ] {
            let offer = Offer::read(&answer);
            assert_eq!(
                (offer.capabilities.as_ref(), offer.instructions, offer.server_info),
                (&b"{}"[..], None, None)
            );
        }
    }

    #[test]
    fn a_page_is_read_without_a_tree() {
        let page =
            page(ListKind::Prompts, br#"{"prompts":[{"name":"a", "x":1.0},7],"nextCursor":""}"#).unwrap();

        let items: Vec<&str> = page.items.iter().map(|item| item.get()).collect();
        assert_eq!((items, page.next.as_deref()), (vec![r#"{"name":"a", "x":1.0}"#, "7"], Some("")));
        for broken in [r#"{"tools":[]}"#, r#"{"prompts":{}}"#, "[]"] {
            assert!(super::page(ListKind::Prompts, broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
