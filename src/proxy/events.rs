//! What a legacy session's streams have sent, kept for callers who come back for it.
//!
//! Every stream has a number within its session, every event a number within its stream, and an id
//! made of both, as in `3-17`. Stream 0 is the one a caller opens by GET; the others answer POSTs.
//! What is kept is bounded by count and bytes per session and by bytes for the whole process; the
//! oldest goes first. Pure but for the channel to whoever listens.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::clock::Ms;

/// How many events one session keeps.
pub const EVENTS_MAX: usize = 256;
/// How many bytes of events one session keeps.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// How many bytes of events all sessions keep together.
pub const ALL_EVENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the events of a stream that has ended are kept.
pub const KEPT_MAX: Duration = Duration::from_secs(5 * 60);
/// How many pieces of a stream wait for a slow caller.
pub(super) const PIECES_MAX: usize = 16;
/// How long a caller waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 1000;

/// The stream that a caller opens by GET.
pub(super) const STANDALONE: u32 = 0;

/// How many bytes of events there are in all sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let fits = |taken: usize| Some(taken + bytes).filter(|sum| *sum <= ALL_EVENT_BYTES_MAX);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The events of one session.
#[derive(Debug)]
pub(super) struct EventStore {
    budget: Budget,
    streams: Vec<Stream>,
    streams_begun: u32,
    /// Oldest first, of all streams.
    kept: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Stream {
    number: u32,
    events_sent: u32,
    /// The first event that a caller can still be given, all later ones included.
    kept_from: u32,
    ended_at: Option<Ms>,
    listener: Option<mpsc::Sender<Bytes>>,
}

#[derive(Debug)]
struct Kept {
    stream: u32,
    number: u32,
    piece: Bytes,
}

/// A stream taken up again.
#[derive(Debug)]
pub(super) struct Resumed {
    /// What was missed.
    pub(super) missed: Vec<Bytes>,
    /// What is to come; `None` if the stream has ended.
    pub(super) coming: Option<mpsc::Receiver<Bytes>>,
    /// Which stream it is.
    pub(super) stream: u32,
}

impl EventStore {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, streams: Vec::new(), streams_begun: 0, kept: VecDeque::new(), bytes: 0 }
    }

    /// Begins a stream that answers a POST.
    pub(super) fn begin(&mut self) -> (u32, mpsc::Receiver<Bytes>) {
        self.streams_begun += 1;
        let number = self.streams_begun;
        (number, self.listen(number))
    }

    /// Begins or takes over the stream of this number: whoever listened before hears no more.
    pub(super) fn listen(&mut self, number: u32) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let stream = self.stream(number);
        stream.listener = Some(sender);
        stream.ended_at = None;
        receiver
    }

    fn stream(&mut self, number: u32) -> &mut Stream {
        let at = self.streams.iter().position(|stream| stream.number == number).unwrap_or_else(|| {
            self.streams.push(Stream {
                number,
                events_sent: 0,
                kept_from: 1,
                ended_at: None,
                listener: None,
            });
            self.streams.len() - 1
        });
        &mut self.streams[at]
    }

    /// Sends whoever listens the event that opens a stream: an id to come back with, and nothing
    /// else.
    pub(super) fn prime(&mut self, number: u32) {
        let stream = self.stream(number);
        let event = format!("id: {number}-{}\nretry: {RETRY_MS}\ndata:\n\n", stream.events_sent);
        if let Some(listener) = &stream.listener {
            // A stream that has just been opened has room.
            let _ = listener.try_send(event.into());
        }
    }

    /// Returns who listens to a stream.
    pub(super) fn listener(&self, number: u32) -> Option<mpsc::Sender<Bytes>> {
        self.streams.iter().find(|stream| stream.number == number)?.listener.clone()
    }

    /// Keeps an event, and returns it with whoever listens to the stream.
    pub(super) fn push(&mut self, number: u32, event: &[u8]) -> (Bytes, Option<mpsc::Sender<Bytes>>) {
        let stream = self.stream(number);
        stream.events_sent += 1;
        let (sent, listener) = (stream.events_sent, stream.listener.clone());
        let mut piece = format!("id: {number}-{sent}\n").into_bytes();
        piece.extend_from_slice(event);
        let piece = Bytes::from(piece);
        self.keep(Kept { stream: number, number: sent, piece: piece.clone() });
        (piece, listener)
    }

    fn keep(&mut self, kept: Kept) {
        let bytes = kept.piece.len();
        while self.kept.len() >= EVENTS_MAX || (self.bytes + bytes > EVENT_BYTES_MAX && !self.kept.is_empty())
        {
            self.drop_oldest();
        }
        if self.bytes + bytes > EVENT_BYTES_MAX || !self.budget.take(bytes) {
            // Nothing before a gap may be given as if there were none.
            self.stream(kept.stream).kept_from = kept.number + 1;
            return;
        }
        self.bytes += bytes;
        self.kept.push_back(kept);
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.kept.pop_front() else { return };
        self.forget(oldest.piece.len());
        let stream = self.stream(oldest.stream);
        stream.kept_from = stream.kept_from.max(oldest.number + 1);
    }

    fn forget(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.budget.give_back(bytes);
    }

    /// Stops listening to a stream, unless somebody else has taken it over.
    pub(super) fn leave(&mut self, number: u32, left: &mpsc::Sender<Bytes>) {
        let stream = self.stream(number);
        stream.listener.take_if(|listener| listener.same_channel(left));
    }

    /// Ends a stream. What it sent is kept for a while.
    pub(super) fn end(&mut self, number: u32, now: Ms) {
        let stream = self.stream(number);
        stream.listener = None;
        stream.ended_at = Some(now);
    }

    /// Takes a stream up after the event of this id; `None` if the id is none of this session's, or
    /// what followed it is not kept any more.
    pub(super) fn resume(&mut self, id: &str) -> Option<Resumed> {
        let (stream, event) = id.split_once('-')?;
        let (number, event): (u32, u32) = (stream.parse().ok()?, event.parse().ok()?);
        let stream = self.streams.iter().find(|stream| stream.number == number)?;
        if event > stream.events_sent || event + 1 < stream.kept_from {
            return None;
        }
        let has_ended = stream.ended_at.is_some() && number != STANDALONE;
        let missed = self.kept.iter().filter(|kept| kept.stream == number && kept.number > event);
        let missed = missed.map(|kept| kept.piece.clone()).collect();
        let coming = (!has_ended).then(|| self.listen(number));
        Some(Resumed { missed, coming, stream: number })
    }

    /// Forgets streams that ended a while ago. Those that live keep what they have.
    pub(super) fn forget_ended(&mut self, now: Ms) {
        let is_over = |stream: &Stream| stream.ended_at.is_some_and(|ended| now.since(ended) > KEPT_MAX);
        let over: Vec<u32> =
            self.streams.iter().filter(|stream| is_over(stream)).map(|stream| stream.number).collect();
        if over.is_empty() {
            return;
        }
        self.streams.retain(|stream| !over.contains(&stream.number));
        let mut freed = 0;
        self.kept.retain(|kept| {
            let stays = !over.contains(&kept.stream);
            freed += if stays { 0 } else { kept.piece.len() };
            stays
        });
        self.forget(freed);
    }

    /// Says whether a stream is being listened to.
    pub(super) fn is_listened_to(&self) -> bool {
        self.streams
            .iter()
            .any(|stream| stream.listener.as_ref().is_some_and(|listener| !listener.is_closed()))
    }
}

impl Drop for EventStore {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: &[Bytes]) -> Vec<&str> {
        pieces.iter().map(|piece| std::str::from_utf8(piece).expect("text")).collect()
    }

    #[test]
    fn a_stream_is_taken_up_after_the_last_event_seen() {
        let mut store = EventStore::new(Budget::default());
        let (first, _caller) = store.begin();
        let (second, mut listener) = store.begin();
        store.prime(second);
        assert_eq!(listener.try_recv().as_deref(), Ok(&b"id: 2-0\nretry: 1000\ndata:\n\n"[..]));
        store.push(second, b"data: a\n\n");
        store.push(first, b"data: other\n\n");
        store.push(second, b"data: b\n\n");

        let resumed = store.resume("2-1").expect("it is kept");

        assert_eq!(texts(&resumed.missed), ["id: 2-2\ndata: b\n\n"]);
        assert!(listener.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
        let (piece, caller) = store.push(second, b"data: c\n\n");
        caller.expect("the one who came back").try_send(piece).expect("room");
        assert_eq!(
            resumed.coming.expect("it goes on").try_recv().as_deref(),
            Ok(&b"id: 2-3\ndata: c\n\n"[..])
        );

        store.end(second, Ms(0));
        let ended = store.resume("2-0").expect("it is kept");
        assert_eq!(ended.missed.len(), 3);
        assert!(ended.coming.is_none());
        for wrong in ["", "2", "2-4", "3-0", "2-x", "-1-0", "9999999999-1"] {
            assert!(store.resume(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_a_gap_is_never_hidden() {
        let budget = Budget::default();
        let mut store = EventStore::new(budget.clone());
        let (stream, _caller) = store.begin();
        for _ in 0..=EVENTS_MAX {
            store.push(stream, b"data: a\n\n");
        }
        assert_eq!(store.kept.len(), EVENTS_MAX);
        assert!(store.resume("1-0").is_none(), "the first one is gone");
        assert_eq!(store.resume("1-1").map(|resumed| resumed.missed.len()), Some(EVENTS_MAX));

        store.push(stream, &vec![b'x'; EVENT_BYTES_MAX]);
        assert!(store.kept.is_empty() && store.bytes == 0);
        assert!(store.resume("1-200").is_none());
        store.push(stream, b"data: b\n\n");
        assert!(store.resume("1-257").is_none(), "the large one was never kept");
        assert_eq!(store.resume("1-258").map(|resumed| resumed.missed.len()), Some(1));
        drop(store);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_sessions_together_have_a_bound() {
        let budget = Budget::default();
        assert!(budget.take(ALL_EVENT_BYTES_MAX));
        let mut store = EventStore::new(budget.clone());
        let (stream, _caller) = store.begin();

        store.push(stream, b"data: a\n\n");

        assert!(store.resume("1-0").is_none());
        budget.give_back(ALL_EVENT_BYTES_MAX);
    }

    #[test]
    fn ended_streams_are_forgotten_after_a_while() {
        let mut store = EventStore::new(Budget::default());
        let (stream, _caller) = store.begin();
        store.push(stream, b"data: a\n\n");
        store.end(stream, Ms(0));

        store.forget_ended(Ms(0).plus(KEPT_MAX));
        assert!(store.resume("1-0").is_some());
        store.forget_ended(Ms(1).plus(KEPT_MAX));

        assert!(store.resume("1-0").is_none());
        assert_eq!(store.bytes, 0);
    }
}
