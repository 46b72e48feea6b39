//! Making one connection: resolve, check, connect, TLS.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    EgressError, EgressLimits, EgressPolicy, address,
    route::{ByteStream, Route, RouteStream},
    tls,
};
use crate::joined::Joined;

/// Makes checked connections for the pooled client; cheap to clone.
#[derive(Clone)]
pub(super) struct Connector(pub(super) Arc<ConnectorParts>);

/// What a connector needs.
#[derive(Clone)]
pub(super) struct ConnectorParts {
    pub(super) policy: EgressPolicy,
    pub(super) limits: EgressLimits,
    pub(super) tls: Arc<tls::Client>,
    /// Who opens connections; `None` = this machine's network.
    pub(super) route: Option<Arc<dyn Route>>,
}

/// Where a connection goes, as found in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
}

impl Place {
    /// Reads scheme, host and port.
    pub(super) fn of(uri: &Uri) -> Result<Self, EgressError> {
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let host = uri.host().ok_or_else(|| bad("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { host, port, secure })
    }
}

impl Connector {
    /// Makes one connection, each stage of which can refuse.
    pub(super) async fn connect(&self, place: &Place) -> Result<Link, EgressError> {
        if let Some(route) = &self.0.route {
            return self.connect_through(route.as_ref(), place).await;
        }
        let addresses = self.resolve(place).await?;
        let (stream, _) = self.reach(place, &addresses).await?;
        if !place.secure {
            return Ok(Link::Plain(Joined::new(TokioIo::new(stream))));
        }
        let stream = self.secure(place, stream).await?;
        Ok(Link::Tls(Box::new(TokioIo::new(stream))))
    }

    async fn connect_through(&self, route: &dyn Route, place: &Place) -> Result<Link, EgressError> {
        let stream = route.open(&place.host, place.port).await?;
        if !place.secure {
            return Ok(Link::Routed(TokioIo::new(stream)));
        }
        let stream = self.secure(place, stream).await?;
        Ok(Link::RoutedTls(Box::new(TokioIo::new(stream))))
    }

    /// Returns a connector whose connections are opened by this route.
    pub(super) fn through(&self, route: Arc<dyn Route>) -> Self {
        Self(Arc::new(ConnectorParts { route: Some(route), ..self.0.as_ref().clone() }))
    }

    /// Returns a connector that trusts these certificates beside those of the machine.
    pub(super) fn trusting(&self, given: Vec<CertificateDer<'static>>) -> Self {
        let tls = Arc::new(tls::Client::trusting(given));
        Self(Arc::new(ConnectorParts { tls, ..self.0.as_ref().clone() }))
    }

    /// Returns the addresses of the host that policy allows, at least one.
    pub(super) async fn resolve(&self, place: &Place) -> Result<Vec<IpAddr>, EgressError> {
        let found = match place.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.look_up(place).await?,
        };
        let allowed = |found: &&IpAddr| address::allowed(**found, &self.0.policy.allow);
        let usable: Vec<IpAddr> =
            found.iter().filter(allowed).take(self.0.limits.addresses_max).copied().collect();
        match (usable.is_empty(), found.first()) {
            (false, _) => Ok(usable),
            (true, Some(&first)) => Err(EgressError::Refused {
                host: place.host.clone(),
                address: first,
                class: address::classify(first),
            }),
            (true, None) => Err(EgressError::Resolve {
                host: place.host.clone(),
                detail: "the name exists, but leads nowhere".to_owned(),
            }),
        }
    }

    async fn look_up(&self, place: &Place) -> Result<Vec<IpAddr>, EgressError> {
        let limit = self.0.limits.resolve_timeout;
        let lookup = tokio::net::lookup_host((place.host.as_str(), place.port));
        match tokio::time::timeout(limit, lookup).await {
            Err(_) => Err(timed_out(place, "resolve", limit)),
            Ok(Err(error)) => {
                Err(EgressError::Resolve { host: place.host.clone(), detail: resolver_words(&error) })
            }
            Ok(Ok(found)) => {
                let mut addresses: Vec<IpAddr> = Vec::new();
                for address in found.map(|socket| socket.ip()) {
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
                Ok(addresses)
            }
        }
    }

    /// Connects to the first of these addresses that answers, and to no other.
    pub(super) async fn reach(
        &self,
        place: &Place,
        addresses: &[IpAddr],
    ) -> Result<(TcpStream, SocketAddr), EgressError> {
        let limit = self.0.limits.connect_timeout;
        let end = Instant::now() + limit;
        let mut last = timed_out(place, "connect", limit);
        for (position, &address) in addresses.iter().enumerate() {
            // What is left is shared by the addresses not tried, so that one that swallows
            // everything does not use it up.
            let left = end.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - position).unwrap_or(1).max(1);
            let socket = SocketAddr::new(address, place.port);
            last = match tokio::time::timeout(share, dial(socket)).await {
                Ok(Ok(stream)) => return Ok((stream, socket)),
                Ok(Err(error)) => EgressError::Connect {
                    host: format!("{}:{}", place.host, place.port),
                    detail: io_words(&error),
                },
                Err(_) => timed_out(place, "connect", share),
            };
        }
        Err(last)
    }

    /// Makes a connection secure.
    pub(super) async fn secure<S: ByteStream>(
        &self,
        place: &Place,
        stream: S,
    ) -> Result<TlsStream<S>, EgressError> {
        let name = ServerName::try_from(place.host.clone())
            .map_err(|_| bad("its host is no name that a certificate can carry"))?;
        let connector = TlsConnector::from(self.0.tls.config());
        let limit = self.0.limits.connect_timeout;
        match tokio::time::timeout(limit, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(EgressError::Tls { host: place.host.clone(), detail: tls::words(&error) }),
            Err(_) => Err(timed_out(place, "finish the TLS handshake", limit)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that connects")]
async fn dial(socket: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(socket).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) fn bad(reason: &str) -> EgressError {
    EgressError::BadUrl { reason: reason.to_owned() }
}

fn timed_out(place: &Place, step: &'static str, after: Duration) -> EgressError {
    EgressError::Timeout { host: place.host.clone(), step, after }
}

fn resolver_words(error: &io::Error) -> String {
    let text = error.to_string();
    if text.contains("not known") || text.contains("No address associated") {
        "no such name; check the spelling, and whether this machine's DNS knows it".to_owned()
    } else if text.contains("Temporary failure") {
        "this machine's DNS does not answer".to_owned()
    } else {
        text
    }
}

fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused; nothing listens on this port, or a firewall says no".to_owned()
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "no route; this machine's network does not lead there".to_owned()
        }
        io::ErrorKind::ConnectionReset => "the other side closed the connection at once".to_owned(),
        _ => error.to_string(),
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Link;
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, EgressError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&Place::of(&uri)?).await })
    }
}

/// One open connection.
pub(super) enum Link {
    Plain(Joined<TokioIo<TcpStream>>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
    Routed(TokioIo<RouteStream>),
    RoutedTls(Box<TokioIo<TlsStream<RouteStream>>>),
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(_) | Self::Routed(_) => Connected::new(),
            Self::Tls(stream) => connected(stream.inner()),
            Self::RoutedTls(stream) => connected(stream.inner()),
        }
    }
}

fn connected<S>(stream: &TlsStream<S>) -> Connected {
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Connected::new().negotiated_h2(),
        _ => Connected::new(),
    }
}

impl Read for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Self::Routed(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::RoutedTls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Write for Link {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            Self::Routed(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::RoutedTls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            Self::Routed(stream) => Pin::new(stream).poll_flush(context),
            Self::RoutedTls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Self::Routed(stream) => Pin::new(stream).poll_shutdown(context),
            Self::RoutedTls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Routed(stream) => stream.is_write_vectored(),
            Self::RoutedTls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, slices),
            Self::Routed(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::RoutedTls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, slices),
        }
    }
}
