//! A channel as a stream of bytes that can never stop its neighbours.
//!
//! The SSH library hands packets to a channel in the loop that serves the whole session, and waits there for room. So
//! every channel has a task that takes its packets at once and keeps a bounded number of them; a reader who takes
//! nothing for a while loses its stream.

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
    sync::{OwnedSemaphorePermit, mpsc, mpsc::error::SendTimeoutError},
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
    packets: mpsc::Receiver<Bytes>,
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
        traffic: &Arc<Traffic>,
        clock: &Clock,
    ) -> Self {
        let (read, write) = channel.split();
        let writer = Box::new(write.make_writer());
        let (sender, packets) = mpsc::channel(limits.read_ahead_packets.max(1));
        let broken = Arc::new(OnceLock::new());
        traffic.channels.fetch_add(1, Ordering::Relaxed);
        traffic.used.store(clock.now().0, Ordering::Relaxed);
        tokio::spawn(drain(read, write, sender, limits.stall_timeout, Arc::clone(&broken)));
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

/// Takes packets from the session until one side has had enough, and closes the channel.
async fn drain(
    mut read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    packets: mpsc::Sender<Bytes>,
    stall_timeout: Duration,
    broken: Arc<OnceLock<&'static str>>,
) {
    loop {
        let message = tokio::select! {
            () = packets.closed() => break,
            message = read.wait() => message,
        };
        match message {
            Some(ChannelMsg::Data { data }) => match packets.send_timeout(data, stall_timeout).await {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(_)) => {
                    let _ =
                        broken.set("it was read too slowly, and was ended for the sake of other requests");
                    break;
                }
                Err(SendTimeoutError::Closed(_)) => break,
            },
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
                    self.traffic.bytes_in.fetch_add(packet.len() as u64, Ordering::Relaxed);
                    self.rest = packet;
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
