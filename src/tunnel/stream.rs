//! A channel as a stream of bytes that can never stop its neighbours.
//!
//! The SSH library hands packets to a channel in the loop that serves the whole session, and waits there for room. So
//! every channel has a task that takes its packets at once and keeps them for its reader: a few always, and beyond those
//! as many bytes as an answer may have, while all channels together keep no more than their bound. A reader who takes
//! nothing for a while when there is no room left loses its stream.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use crate::{clock::Clock, tunnel::TunnelLimits};

/// What went through the channels of a tunnel.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) channels: AtomicUsize,
    /// When a channel was last opened or closed.
    pub(super) used: AtomicI64,
}

/// One channel.
pub(super) struct ChannelStream {
    /// As many as there is room for.
    packets: mpsc::UnboundedReceiver<Packet>,
    /// What is left of a packet that was too large for its reader.
    rest: Bytes,
    writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    /// Why it ended, unless the other side ended it in order.
    broken: Arc<OnceLock<&'static str>>,
    traffic: Arc<Traffic>,
    clock: Clock,
    _permit: OwnedSemaphorePermit,
}

impl ChannelStream {
    pub(super) fn new(
        channel: Channel<Msg>,
        permit: OwnedSemaphorePermit,
        limits: &TunnelLimits,
        ahead: &Arc<Semaphore>,
        traffic: &Arc<Traffic>,
        clock: &Clock,
    ) -> Self {
        let (read, write) = channel.split();
        let writer = Box::new(write.make_writer());
        let (sender, packets) = mpsc::unbounded_channel();
        let room = Room::of(limits, ahead);
        let broken = Arc::new(OnceLock::new());
        traffic.channels.fetch_add(1, Ordering::Relaxed);
        traffic.used.store(clock.now().0, Ordering::Relaxed);
        tokio::spawn(drain(read, write, sender, room, Arc::clone(&broken)));
        Self {
            packets,
            rest: Bytes::new(),
            writer,
            broken,
            traffic: Arc::clone(traffic),
            clock: clock.clone(),
            _permit: permit,
        }
    }
}

/// A packet that nobody has read yet.
struct Packet {
    data: Bytes,
    _place: Place,
}

/// What a packet takes up until it is read: one of the few places that its channel always has, or its bytes of what the
/// channel and all channels together may read ahead.
struct Place(
    #[expect(dead_code, reason = "given back when it is dropped")] [Option<OwnedSemaphorePermit>; 2],
);

/// How much a channel keeps for its reader.
struct Room {
    packets: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    all: Arc<Semaphore>,
    stall_timeout: Duration,
}

impl Room {
    fn of(limits: &TunnelLimits, all: &Arc<Semaphore>) -> Self {
        Self {
            packets: Arc::new(Semaphore::new(limits.read_ahead_packets.max(1))),
            bytes: Arc::new(Semaphore::new(limits.read_ahead_bytes.min(Semaphore::MAX_PERMITS))),
            all: Arc::clone(all),
            stall_timeout: limits.stall_timeout,
        }
    }

    /// Returns a place for a packet; `None` if its reader has left none for too long.
    async fn place(&self, bytes: usize) -> Option<Place> {
        if let Ok(packet) = Arc::clone(&self.packets).try_acquire_owned() {
            return Some(Place([Some(packet), None]));
        }
        if let Some(ahead) = self.ahead(bytes) {
            return Some(ahead);
        }
        let waiting = Arc::clone(&self.packets).acquire_owned();
        let packet = tokio::time::timeout(self.stall_timeout, waiting).await.ok()?.ok()?;
        Some(Place([Some(packet), None]))
    }

    fn ahead(&self, bytes: usize) -> Option<Place> {
        let bytes = u32::try_from(bytes).ok()?;
        let own = Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(bytes).ok()?;
        Some(Place([Some(own), Some(all)]))
    }
}

/// Takes packets from the session until one side has had enough, and closes the channel.
async fn drain(
    mut read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    packets: mpsc::UnboundedSender<Packet>,
    room: Room,
    broken: Arc<OnceLock<&'static str>>,
) {
    loop {
        let message = tokio::select! {
            () = packets.closed() => break,
            message = read.wait() => message,
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                let place = tokio::select! {
                    biased;
                    place = room.place(data.len()) => place,
                    () = packets.closed() => break,
                };
                let Some(place) = place else {
                    let _ =
                        broken.set("it was read too slowly, and was ended for the sake of other requests");
                    break;
                };
                if packets.send(Packet { data, _place: place }).is_err() {
                    break;
                }
            }
            Some(ChannelMsg::Eof | ChannelMsg::Close) => break,
            Some(_) => {}
            None => {
                let _ = broken.set("the SSH session ended");
                break;
            }
        }
    }
    // What still comes has no reader, so the session passes over it.
    drop(read);
    let _ = write.close().await;
}

impl AsyncRead for ChannelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.packets.poll_recv(context)) {
                Some(packet) => {
                    self.traffic.bytes_in.fetch_add(packet.data.len() as u64, Ordering::Relaxed);
                    self.rest = packet.data;
                }
                None => {
                    return Poll::Ready(match self.broken.get() {
                        Some(reason) => Err(io::Error::new(io::ErrorKind::ConnectionReset, *reason)),
                        None => Ok(()),
                    });
                }
            }
        }
        let take = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..take]);
        self.rest.advance(take);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = ready!(Pin::new(&mut self.writer).poll_write(context, bytes))?;
        self.traffic.bytes_out.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}

impl Drop for ChannelStream {
    fn drop(&mut self) {
        self.traffic.channels.fetch_sub(1, Ordering::Relaxed);
        self.traffic.used.store(self.clock.now().0, Ordering::Relaxed);
    }
}
