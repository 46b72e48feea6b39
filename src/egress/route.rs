//! Other ways out than this machine's own network: who opens a connection, and what is then seen of it.

use std::{fmt, future::Future, net::IpAddr, pin::Pin, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{Egress, EgressError, connect::Place};

/// A way to places that this machine's network does not lead to, such as a tunnel.
///
/// It decides itself which places it leads to: what is resolved at its far end cannot be checked here.
pub trait Route: fmt::Debug + Send + Sync {
    /// Opens a connection to this host and port, in a time that the way bounds itself.
    fn open<'a>(&'a self, host: &'a str, port: u16) -> Opening<'a>;
}

/// A connection that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<RouteStream, EgressError>> + Send + 'a>>;

/// A connection opened by a [`Route`].
pub type RouteStream = Box<dyn ByteStream>;

/// Bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> ByteStream for T {}

/// A host with those of its addresses that policy allows.
#[derive(Clone, Debug)]
pub struct Found {
    place: Place,
    addresses: Vec<IpAddr>,
}

impl Found {
    /// Returns the addresses, at least one.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

impl Egress {
    /// Returns a door whose connections are opened by this route, with the limits, the TLS and the
    /// redirects of this one, and with connections of its own.
    pub fn through(&self, route: Arc<dyn Route>) -> Self {
        Self::over(self.connector.through(route))
    }

    /// Finds the addresses of a host that a bare connection may go to.
    pub async fn find(&self, host: &str, port: u16) -> Result<Found, EgressError> {
        let place = Place { host: host.to_owned(), port, secure: false };
        let addresses = self.connector.resolve(&place).await?;
        Ok(Found { place, addresses })
    }

    /// Makes a bare connection to the first of these addresses that answers, for protocols that are
    /// not HTTP.
    pub async fn dial(&self, found: &Found) -> Result<TcpStream, EgressError> {
        Ok(self.connector.reach(&found.place, &found.addresses).await?.0)
    }
}
