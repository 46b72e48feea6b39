//! How long a connection is waited for: for the next request long, for the rest of a head that has begun short.
//!
//! A balancer or a client keeps connections for its next requests. If we close one first, a request that is just being
//! sent on it is lost, and what it asks for may not be sent twice; so we are to be the more patient side. A head that
//! comes in drops deserves no such patience, and neither does a connection that has never sent one.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};

/// How long a connection may take for its first head, and for the rest of each.
const HEAD: Duration = Duration::from_secs(15);

/// Whether bytes have come since a head is waited for.
type Begun = Arc<AtomicBool>;

/// Makes the two sides of one connection's patience: its stream, and what its heads are timed with.
///
/// The timer knows that hyper begins a sleep when it begins to wait for a head, and asks it whenever there is no more to
/// read.
pub(super) fn patient<S>(stream: S) -> (Heard<S>, Heads) {
    let begun = Begun::default();
    (Heard { stream, begun: Arc::clone(&begun) }, Heads { begun, is_kept: AtomicBool::new(false) })
}

/// A stream that notes when it hears something.
pub(super) struct Heard<S> {
    stream: S,
    begun: Begun,
}

/// The timer of one connection's heads.
pub(super) struct Heads {
    begun: Begun,
    /// Whether a request has come before.
    is_kept: AtomicBool,
}

/// Waits for the head of a request.
struct Wait {
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// Absent = the end of the sleep is near enough already.
    begun: Option<Begun>,
}

impl Timer for Heads {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.wait(deadline))
    }
}

impl Heads {
    fn wait(&self, deadline: Instant) -> Wait {
        self.begun.store(false, Relaxed);
        let is_kept = self.is_kept.swap(true, Relaxed);
        let end = if is_kept { deadline } else { self.now() + HEAD };
        Wait {
            sleep: Box::pin(tokio::time::sleep_until(end.into())),
            begun: is_kept.then(|| Arc::clone(&self.begun)),
        }
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(begun) = self.begun.take_if(|begun| begun.load(Relaxed)) {
            drop(begun);
            let end = self.sleep.deadline().min(tokio::time::Instant::now() + HEAD);
            self.sleep.as_mut().reset(end);
        }
        self.sleep.as_mut().poll(context)
    }
}

impl Sleep for Wait {}

impl<S: Read + Unpin> Read for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.begun.store(true, Relaxed);
        }
        read
    }
}

impl<S: Write + Unpin> Write for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use http::Response;
    use http_body_util::Empty;
    use hyper::{body::Bytes, rt::ReadBuf, server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const KEPT: Duration = Duration::from_secs(620);

    fn pair() -> (Heard<TokioIo<DuplexStream>>, Heads, DuplexStream) {
        let (near, far) = duplex(4096);
        let (stream, heads) = patient(TokioIo::new(near));
        (stream, heads, far)
    }

    /// Begins to wait for a head, and polls what was begun once.
    async fn waited(heads: &Heads) -> Wait {
        let mut wait = heads.wait(heads.now() + KEPT);
        is_over(&mut wait).await;
        wait
    }

    async fn is_over(wait: &mut Wait) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *wait).poll(context).is_ready())).await
    }

    /// Returns whether it ends after so long from now; some of that may have gone.
    fn ends_after(wait: &Wait, time: Duration) -> bool {
        let left = wait.sleep.deadline() - tokio::time::Instant::now();
        left <= time && left > time - HEAD / 2
    }

    async fn hear(stream: &mut Heard<TokioIo<DuplexStream>>, far: &mut DuplexStream) {
        far.write_all(b"GET").await.unwrap();
        let mut room = [0; 8];
        let mut buffer = ReadBuf::new(&mut room);
        poll_fn(|context| Pin::new(&mut *stream).poll_read(context, buffer.unfilled())).await.unwrap();
        assert_eq!(buffer.filled(), b"GET");
    }

    #[tokio::test]
    async fn one_that_never_asked_is_not_waited_for_long() {
        let (mut stream, heads, mut far) = pair();
        let mut first = waited(&heads).await;
        assert!(ends_after(&first, HEAD));
        let end = first.sleep.deadline();

        hear(&mut stream, &mut far).await;
        assert!(!is_over(&mut first).await);

        assert_eq!(first.sleep.deadline(), end, "what comes in drops gains no time");
    }

    #[tokio::test]
    async fn one_that_asked_is_waited_for_until_the_next_head_begins() {
        let (mut stream, heads, mut far) = pair();
        waited(&heads).await;
        hear(&mut stream, &mut far).await;
        let mut second = waited(&heads).await;
        assert!(ends_after(&second, KEPT), "what came before says nothing of the next");

        hear(&mut stream, &mut far).await;
        assert!(!is_over(&mut second).await);

        assert!(ends_after(&second, HEAD));
        let end = second.sleep.deadline();
        hear(&mut stream, &mut far).await;
        assert!(!is_over(&mut second).await);
        assert_eq!(second.sleep.deadline(), end, "what comes in drops gains no time");
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_so_long() {
        let (stream, heads, mut far) = pair();
        let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())));
        let kept = Duration::from_millis(20);
        let connection =
            http1::Builder::new().timer(heads).header_read_timeout(kept).serve_connection(stream, service);
        tokio::spawn(connection);
        far.write_all(b"GET / HTTP/1.1\r\nhost: doorward\r\n\r\n").await.unwrap();
        let sent = Instant::now();
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();

        assert!(sent.elapsed() >= kept);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP").count(), 1, "nobody asked a second time");
    }
}
