//! Closes a listener so that no connection is lost that its caller believes to have.
//!
//! The system makes connections for a listener before the program takes them. Whoever closes it after taking the last one
//! loses those that were made in between, and with them requests that were sent and may not be sent again. So first the
//! system is told to make no more, then what was made is taken, and only then is the listener closed.

use std::{net::SocketAddr, time::Duration};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long connections that are being made have to be complete. Whoever begins one meanwhile hears nothing, tries again
/// a second later, and is refused then.
const LAST: Duration = Duration::from_millis(20);

/// Returns when the listener is to be closed: it was asked to stop, and all that were being made are there.
pub(super) async fn closed(listener: &TcpListener, stop: &CancellationToken) {
    stop.cancelled().await;
    shut_out(listener);
    tokio::time::sleep(LAST).await;
}

/// Lets no new connection be made; those that are being made are completed.
#[cfg(target_os = "linux")]
fn shut_out(listener: &TcpListener) {
    use socket2::{SockFilter, SockRef};

    /// Drops segments that begin a connection (RFC 9293, section 3.1: SYN is bit 1 of byte 13), in the words of classic
    /// BPF: load the byte; if the bit is set take nothing of the segment, else all.
    const NO_BEGINNING: [SockFilter; 4] = [
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x45, 0, 1, 0x02),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    // Without it a connection may be lost, rarely; that is no reason not to end.
    if let Err(error) = SockRef::from(listener).attach_filter(&NO_BEGINNING) {
        tracing::debug!("could not hold back new connections: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn shut_out(_: &TcpListener) {}

/// Closes a listener and returns the connections that the system had made for it.
pub(super) fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut rest = Vec::new();
    if let Ok(listener) = listener.into_std() {
        // It does not block, so that the first error is that there are no more.
        while let Ok((stream, peer)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            rest.extend(stream.map(|stream| (stream, peer)));
        }
    }
    rest
}
