//! A message as the pieces it is made of: what is small was written together, large values are shared with the message
//! they came in and copied nowhere.

use std::{collections::VecDeque, mem};

use bytes::Bytes;

/// From how many bytes on a value is shared and not copied.
const SHARED_MIN: usize = 64 * 1024;

/// How much of a shared value's end is a piece of its own: the HTTP library writes out what it has once that is more than
/// it keeps, and the few bytes behind a large value would travel alone.
const END: usize = 16 * 1024;

/// The pieces of a message, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    first: Bytes,
    rest: VecDeque<Bytes>,
}

impl Pieces {
    /// Returns how many bytes all of them have.
    pub fn len(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// Says whether there is nothing left.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Takes the next piece.
    pub fn pop(&mut self) -> Option<Bytes> {
        let next = self.rest.pop_front().unwrap_or_default();
        Some(mem::replace(&mut self.first, next)).filter(|piece| !piece.is_empty())
    }

    /// Returns all of it in one piece, which is copied if there are several.
    pub fn whole(&self) -> Bytes {
        if self.rest.is_empty() {
            return self.first.clone();
        }
        let mut whole = Vec::with_capacity(self.len());
        whole.extend_from_slice(&self.first);
        self.rest.iter().for_each(|piece| whole.extend_from_slice(piece));
        whole.into()
    }
}

impl From<Bytes> for Pieces {
    fn from(whole: Bytes) -> Self {
        Self { first: whole, rest: VecDeque::new() }
    }
}

/// Where a message is written that holds parts of another one.
pub(super) trait Output {
    /// Appends bytes of our own.
    fn own(&mut self, bytes: &[u8]);

    /// Appends bytes of the other message.
    fn part(&mut self, bytes: &[u8]);
}

impl Output for Vec<u8> {
    fn own(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes a message in pieces.
pub(super) struct Writer<'a> {
    /// The message that parts are shared with.
    source: &'a Bytes,
    done: VecDeque<Bytes>,
    open: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Begins a message of at most so many bytes.
    pub(super) fn new(source: &'a Bytes, bytes_max: usize) -> Self {
        // What is shared needs no room.
        Self { source, done: VecDeque::new(), open: Vec::with_capacity(bytes_max.min(SHARED_MIN)) }
    }

    /// Ends the message.
    pub(super) fn end(mut self) -> Pieces {
        self.close();
        let first = self.done.pop_front().unwrap_or_default();
        Pieces { first, rest: self.done }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push_back(mem::take(&mut self.open).into());
        }
    }
}

impl Output for Writer<'_> {
    fn own(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        if bytes.len() < SHARED_MIN {
            return self.open.extend_from_slice(bytes);
        }
        self.close();
        let mut shared = self.source.slice_ref(bytes);
        let end = shared.split_off(shared.len() - END);
        self.done.extend([shared, end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(source: &Bytes, part: &[u8]) -> Pieces {
        let mut writer = Writer::new(source, part.len() + 9);
        writer.own(b"before");
        writer.part(part);
        writer.own(b"end");
        writer.end()
    }

    #[test]
    fn what_is_small_is_written_together() {
        let source = Bytes::from(vec![b'x'; SHARED_MIN]);
        let mut pieces = written(&source, &source[1..]);

        assert_eq!(pieces.len(), 9 + SHARED_MIN - 1);
        let only = pieces.pop().unwrap();
        assert!(only.starts_with(b"beforex") && only.ends_with(b"xend"));
        assert!(pieces.is_empty() && pieces.pop().is_none());
    }

    #[test]
    fn what_is_large_is_shared() {
        let source = Bytes::from((0..u8::MAX).cycle().take(3 * SHARED_MIN).collect::<Vec<_>>());
        let mut pieces = written(&source, &source[7..]);
        let whole = pieces.whole();

        assert_eq!(whole, [b"before", &source[7..], b"end"].concat());
        assert_eq!(pieces.len(), whole.len());
        let each: Vec<_> = std::iter::from_fn(|| pieces.pop()).collect();
        assert_eq!(each.concat(), whole);
        assert_eq!(each.iter().map(Bytes::len).collect::<Vec<_>>(), [6, source.len() - 7 - END, END, 3]);
        assert_eq!(each[1].as_ptr(), source[7..].as_ptr());
    }

    #[test]
    fn nothing_is_no_piece() {
        assert_eq!(Pieces::from(Bytes::new()).pop(), None);
        assert!(Pieces::default().is_empty());
    }
}
