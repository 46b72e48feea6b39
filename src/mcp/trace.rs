//! The trace context in `_meta` (W3C Trace Context, SEP-414): Doorward is a span between its caller
//! and the source.

use std::fmt::Write;

/// The member of `_meta` that names trace and parent.
pub const TRACEPARENT: &str = "traceparent";

/// Whose trace a request belongs to, and which span it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span that sends the request.
    pub parent_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

impl Traceparent {
    /// Reads `version-trace-parent-flags`; `None` if it is malformed, which the recommendation wants
    /// ignored. Versions to come may have more parts.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version: [u8; 1] = bytes(parts.next()?)?;
        let trace_id = bytes(parts.next()?)?;
        let parent_id = bytes(parts.next()?)?;
        let [flags] = bytes(parts.next()?)?;
        let is_whole = version != [0xff] && (version != [0] || parts.next().is_none());
        let is_named = trace_id != [0; 16] && parent_id != [0; 8];
        (is_whole && is_named).then_some(Self { trace_id, parent_id, flags })
    }

    /// Returns the same trace with another parent: the span that passes the request on. An id of
    /// nothing but zeros names no span.
    #[must_use]
    pub fn child(self, span_id: [u8; 8]) -> Self {
        Self { parent_id: if span_id == [0; 8] { [0, 0, 0, 0, 0, 0, 0, 1] } else { span_id }, ..self }
    }
}

impl std::fmt::Display for Traceparent {
    /// Writes version 00, whatever version was read: its parts are all that is kept.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("00-")?;
        for byte in self.trace_id {
            write!(formatter, "{byte:02x}")?;
        }
        formatter.write_char('-')?;
        for byte in self.parent_id {
            write!(formatter, "{byte:02x}")?;
        }
        write!(formatter, "-{:02x}", self.flags)
    }
}

fn bytes<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; LENGTH];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_child_has_the_same_trace_and_another_parent() {
        let parent = Traceparent::parse(TEXT).expect("well-formed");

        let child = parent.child([1, 2, 3, 4, 5, 6, 7, 8]);

        assert_eq!(parent.to_string(), TEXT);
        assert_eq!(child.to_string(), "00-0af7651916cd43dd8448eb211c80319c-0102030405060708-01");
        assert_eq!(
            Traceparent::parse(&parent.child([0; 8]).to_string()).map(|child| child.trace_id),
            Some(parent.trace_id)
        );
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-01",
        ] {
            assert_eq!(Traceparent::parse(text), None, "{text}");
        }
        assert!(Traceparent::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x").is_some());
    }
}
