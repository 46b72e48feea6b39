//! Server-sent events, as far as MCP uses them.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;
use thiserror::Error;

/// A comment, which keeps a silent stream from being taken for dead.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// The media type of a stream.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// An event grew beyond the decoder's bound.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an event is larger than {max} bytes")]
pub struct TooLarge {
    /// The bound.
    pub max: usize,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The event's type; `None` = `message`.
    pub event: Option<String>,
    /// The event's id.
    pub id: Option<String>,
    /// The data, its lines joined by line feeds.
    pub data: Bytes,
}

/// Takes bytes as they arrive and returns whole events.
#[derive(Debug)]
pub struct Decoder {
    max: usize,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    started: bool,
    /// The last byte taken was a carriage return, so a line feed to come belongs to it.
    after_cr: bool,
    event: Option<String>,
    id: Option<String>,
    data: Data,
    last_id: Option<String>,
    retry: Option<Duration>,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// The usual case: one line, not copied.
    One(Bytes),
    Many(BytesMut),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(line) => line.len(),
            Self::Many(lines) => lines.len(),
        }
    }

    fn push(&mut self, line: Bytes) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(line),
            Self::One(first) => {
                let mut lines = BytesMut::with_capacity(first.len() + 1 + line.len());
                lines.put_slice(&first);
                lines.put_u8(b'\n');
                lines.put_slice(&line);
                Self::Many(lines)
            }
            Self::Many(mut lines) => {
                lines.put_u8(b'\n');
                lines.put_slice(&line);
                Self::Many(lines)
            }
        };
    }
}

impl Decoder {
    /// Makes a decoder that refuses events of more than `max` bytes.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            buffer: BytesMut::new(),
            searched: 0,
            started: false,
            after_cr: false,
            event: None,
            id: None,
            data: Data::None,
            last_id: None,
            retry: None,
        }
    }

    /// Returns the id to go on after when the stream breaks off; `None` if the sender gives none.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Returns how long the sender wants to be left alone after the stream has ended.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Takes bytes as they arrived.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TooLarge> {
        // Half an event may wait here; what is complete is taken by `next`.
        if self.buffer.len() + self.data.len() > self.max {
            return Err(TooLarge { max: self.max });
        }
        self.buffer.extend_from_slice(chunk);
        Ok(())
    }

    /// Returns the next whole event; `Ok(None)` when more bytes are needed.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, TooLarge> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                if let Some(id) = &self.id {
                    self.last_id = Some(id.clone()).filter(|id| !id.is_empty());
                }
                let event = SseEvent {
                    event: self.event.take(),
                    id: self.id.take(),
                    data: match std::mem::take(&mut self.data) {
                        Data::None => continue,
                        Data::One(line) => line,
                        Data::Many(lines) => lines.freeze(),
                    },
                };
                return Ok(Some(event));
            }
            self.field(line);
            if self.data.len() > self.max {
                return Err(TooLarge { max: self.max });
            }
        }
        if self.buffer.len() + self.data.len() > self.max {
            return Err(TooLarge { max: self.max });
        }
        Ok(None)
    }

    fn line(&mut self) -> Option<Bytes> {
        if !self.started && !self.buffer.is_empty() {
            if self.buffer.len() < 3 && b"\xef\xbb\xbf".starts_with(&self.buffer) {
                return None;
            }
            self.started = true;
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                let _ = self.buffer.split_to(3);
            }
        }
        if self.after_cr && !self.buffer.is_empty() {
            self.after_cr = false;
            if self.buffer[0] == b'\n' {
                let _ = self.buffer.split_to(1);
            }
        }
        let Some(found) = memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + found;
        self.searched = 0;
        let mut line = self.buffer.split_to(end + 1);
        self.after_cr = line[end] == b'\r';
        line.truncate(end);
        Some(line.freeze())
    }

    fn field(&mut self, line: Bytes) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let mut value = line.slice((colon + 1).min(line.len())..);
        if value.first() == Some(&b' ') {
            value = value.slice(1..);
        }
        match &line[..colon] {
            b"data" => self.data.push(value),
            b"event" => self.event = Some(String::from_utf8_lossy(&value).into_owned()),
            // The standard leaves out ids that no header could carry back.
            b"id" if value.contains(&0) => {}
            b"id" => self.id = Some(String::from_utf8_lossy(&value).into_owned()),
            b"retry" => {
                let text =
                    std::str::from_utf8(&value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                if let Some(ms) = text.and_then(|text| text.parse().ok()) {
                    self.retry = Some(Duration::from_millis(ms));
                }
            }
            _ => {}
        }
    }
}

/// Returns one event that carries these bytes; a line break in them, as in JSON written for people,
/// becomes another line of data.
pub fn encode(data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 24);
    out.extend_from_slice(b"event: message\ndata: ");
    let mut rest = data;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\ndata: ");
        let is_pair = rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n');
        rest = &rest[at + 1 + usize::from(is_pair)..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\n\n");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = Decoder::new(1000);
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk).expect("small");
            while let Some(event) = decoder.next_event().expect("small") {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_come_out_whole_wherever_the_bytes_were_cut() {
        let text = b"\xef\xbb\xbf: hello\n\nevent: message\r\nid: 7\r\ndata: {\"a\":\r\ndata:1}\r\n\r\ndata: two\r\rdata\n\n";
        let whole = decode(&[text]);
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].data, "{\"a\":\n1}");
        assert_eq!(whole[0].id.as_deref(), Some("7"));
        assert_eq!(whole[1].data, "two");
        assert_eq!(whole[2].data, "");

        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(&bytes), whole);
        for cut in 1..text.len() {
            assert_eq!(decode(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn the_place_to_go_on_from_is_known_without_any_data() {
        let mut decoder = Decoder::new(1000);
        decoder.push(b"id: 7\nretry: 250\n\nid: 8\ndata: x\n").expect("small");

        assert_eq!(decoder.next_event(), Ok(None));
        assert_eq!((decoder.last_id(), decoder.retry()), (Some("7"), Some(Duration::from_millis(250))));

        decoder.push(b"\nretry: soon\ndata: y\n\n").expect("small");
        while decoder.next_event().expect("small").is_some() {}
        assert_eq!((decoder.last_id(), decoder.retry()), (Some("8"), Some(Duration::from_millis(250))));

        decoder.push(b"id\ndata: z\n\n").expect("small");
        while decoder.next_event().expect("small").is_some() {}
        assert_eq!(decoder.last_id(), None);
    }

    #[test]
    fn an_unfinished_event_is_dropped() {
        assert_eq!(decode(&[b"data: half\n"]), []);
    }

    #[test]
    fn an_event_has_a_bound_whether_its_line_ends_or_not() {
        let mut decoder = Decoder::new(10);
        decoder.push(&[b'x'; 20]).expect("the first push is measured by `next_event`");
        assert_eq!(decoder.next_event(), Err(TooLarge { max: 10 }));

        let mut decoder = Decoder::new(10);
        decoder.push(b"data: 12345\ndata: 6789012\n").expect("small");
        assert_eq!(decoder.next_event(), Err(TooLarge { max: 10 }));
    }

    #[test]
    fn what_is_encoded_reads_back() {
        for data in ["{\"a\":1}", "{\n  \"a\": 1,\r\n  \"b\": 2\r}"] {
            let events = decode(&[&encode(data.as_bytes())]);

            assert_eq!(events.len(), 1);
            let read = std::str::from_utf8(&events[0].data).expect("text");
            let value: serde_json::Value = serde_json::from_str(read).expect("JSON");
            assert_eq!(value, serde_json::from_str::<serde_json::Value>(data).expect("JSON"));
        }
    }
}
