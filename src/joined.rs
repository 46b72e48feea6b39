//! Connections on which small messages are written in one piece.
//!
//! The head and the body of a message lie apart in memory. To hand both to the system at once costs more than to copy them
//! together where they are small, as those of most calls are; large ones are written from where they lie.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};

/// How many bytes are copied together at most.
const SMALL: usize = 2048;

/// A connection that joins what is small.
#[derive(Debug)]
pub struct Joined<S>(S);

impl<S> Joined<S> {
    /// Wraps a connection.
    pub fn new(stream: S) -> Self {
        Self(stream)
    }
}

impl<S: Read + Unpin> Read for Joined<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Joined<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = [0; SMALL];
        let mut end = 0;
        for slice in slices {
            let Some(place) = room.get_mut(end..end + slice.len()) else {
                return Pin::new(&mut self.0).poll_write_vectored(context, slices);
            };
            place.copy_from_slice(slice);
            end += slice.len();
        }
        Pin::new(&mut self.0).poll_write(context, &room[..end])
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    async fn written(pieces: &[&[u8]], room: usize) -> Vec<u8> {
        let (near, mut far) = duplex(room);
        let mut joined = Joined::new(TokioIo::new(near));
        let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let count = poll_fn(|context| Pin::new(&mut joined).poll_write_vectored(context, &slices)).await;
        drop(joined);
        let mut there = Vec::new();
        far.read_to_end(&mut there).await.unwrap();
        assert_eq!(there.len(), count.unwrap());
        there
    }

    #[tokio::test]
    async fn what_is_small_and_what_is_large_comes_as_it_was() {
        let large = vec![7; SMALL];
        assert_eq!(written(&[b"head", b"", b"body"], 9000).await, b"headbody");
        assert_eq!(written(&[&large], 9000).await, large);
        assert_eq!(written(&[b"head", &large], 9000).await, [b"head", &large[..]].concat());
        assert_eq!(written(&[b"head", b"body"], 6).await, b"headbo", "as much as there is room for");
    }
}
