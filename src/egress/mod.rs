//! The only outbound network door.
//!
//! Every connection Doorward makes is made here: the host is resolved, every address it leads to is
//! checked against policy, and the connection goes to the very address that was checked. Never
//! knows what travels over a connection, and never follows a redirect to another origin.
//!
//! A new class of forbidden address is a row in `address.rs` and a row in its table test.

mod address;
mod connect;
mod error;
mod pool;
mod route;
#[cfg(test)]
mod tests;
mod tls;
mod trace;

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioTimer},
};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use url::{Host, Url};

use connect::{Connector, ConnectorParts, bad};
use pool::Pool;

pub use address::{AddressClass, allowed, classify, names_this_machine};
pub use error::EgressError;
pub use pool::AnswerBody;
pub use route::{ByteStream, Found, Opening, Route, RouteStream};
pub use trace::{Trace, TraceStep};

/// Which addresses may be connected to beyond those of the public internet.
#[derive(Clone, Debug, Default)]
pub struct EgressPolicy {
    /// Ranges that are allowed although they are not public. A cloud's metadata service is allowed
    /// only by a range of at most 256 addresses around it.
    pub allow: Vec<IpNet>,
}

/// The bounds of outbound requests.
#[derive(Clone, Debug)]
pub struct EgressLimits {
    /// How long finding the host's addresses may take.
    pub resolve_timeout: Duration,
    /// How long connecting may take, and again how long the TLS handshake may take.
    pub connect_timeout: Duration,
    /// How many addresses of one host are tried.
    pub addresses_max: usize,
    /// How many redirects are followed.
    pub redirects_max: usize,
    /// How long an unused connection is kept. Common servers close theirs after five seconds, and a
    /// request that meets the close on its way is lost: this must be shorter.
    pub idle_timeout: Duration,
    /// How many unused connections are kept for one host.
    pub idle_per_host_max: usize,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            resolve_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            addresses_max: 4,
            redirects_max: 3,
            idle_timeout: Duration::from_secs(4),
            idle_per_host_max: 256,
        }
    }
}

/// How often a connection that many requests share is asked whether it is alive.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// The outbound door; cheap to clone. Clones share their connections.
#[derive(Clone)]
pub struct Egress {
    connector: Connector,
    /// Without TLS.
    plain: Pool,
    /// With TLS.
    client: Client<Connector, Full<Bytes>>,
}

/// An answer's head and the address that gave it.
#[derive(Debug)]
pub struct Answered {
    /// The head; the body follows as it arrives.
    pub response: Response<AnswerBody>,
    /// The address that answered, when a redirect led to another one than was asked.
    pub moved_to: Option<Uri>,
}

impl Egress {
    /// Makes a door with this policy.
    pub fn new(policy: EgressPolicy, limits: EgressLimits) -> Self {
        let parts = ConnectorParts { policy, limits, tls: Arc::default(), route: None };
        Self::over(Connector(Arc::new(parts)))
    }

    /// Returns a door with the same policy and connections of its own, which close with it.
    pub fn with_own_pool(&self) -> Self {
        Self::over(self.connector.clone())
    }

    /// Returns a door that trusts whoever these certificates are of, or have signed, beside those whom this
    /// machine trusts, with connections of its own; this one if nobody is given.
    pub fn trusting(&self, certificates: Vec<CertificateDer<'static>>) -> Self {
        if certificates.is_empty() {
            return self.clone();
        }
        Self::over(self.connector.trusting(certificates))
    }

    fn over(connector: Connector) -> Self {
        let limits = &connector.0.limits;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits.idle_timeout)
            .pool_max_idle_per_host(limits.idle_per_host_max)
            // Finds out that a shared connection leads nowhere any more.
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(HTTP2_PING)
            .build(connector.clone());
        Self { plain: Pool::new(connector.clone()), connector, client }
    }

    /// Checks what can be known of an address without resolving it: scheme, user information, and a
    /// host that is itself an address. A form can be refused with this before anything is saved;
    /// the address is checked again whenever it is connected to.
    pub fn check_url(&self, url: &Url) -> Result<(), EgressError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it must not carry a user name or a password; give them as the credential"));
        }
        if url.fragment().is_some() {
            return Err(bad("it must not carry a fragment (`#…`)"));
        }
        let address = match url.host() {
            None => return Err(bad("it names no host")),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
        };
        // Beyond another way out the address means another machine.
        if self.connector.0.route.is_some() || allowed(address, &self.connector.0.policy.allow) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        Err(EgressError::Refused { host, address, class: classify(address) })
    }

    /// Sends one request and returns the answer's head.
    ///
    /// `make` builds the request for an address; it is called again when the host redirects (307 or
    /// 308) within its own origin. Any other redirect is an error, so that a credential never
    /// travels to another origin. Connecting and waiting for the head together take at most
    /// `timeout`.
    pub async fn request(
        &self,
        uri: &Uri,
        make: impl Fn(&Uri) -> Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<Answered, EgressError> {
        match tokio::time::timeout(timeout, self.follow(uri, make)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let host = uri.host().unwrap_or_default().to_owned();
                Err(EgressError::Timeout { host, step: EgressError::ANSWER, after: timeout })
            }
        }
    }

    async fn follow(
        &self,
        uri: &Uri,
        make: impl Fn(&Uri) -> Request<Full<Bytes>>,
    ) -> Result<Answered, EgressError> {
        let mut moved_to: Option<Uri> = None;
        for _ in 0..=self.connector.0.limits.redirects_max {
            let here = moved_to.as_ref().unwrap_or(uri);
            let response = if here.scheme() == Some(&Scheme::HTTP) {
                self.plain.request(make(here)).await?
            } else {
                self.client.request(make(here)).await.map_err(from_client)?.map(AnswerBody::driven_elsewhere)
            };
            if !is_redirect(response.status()) {
                return Ok(Answered { response, moved_to });
            }
            moved_to = Some(redirect_target(here, &response)?);
        }
        let host = uri.host().unwrap_or_default().to_owned();
        Err(EgressError::Redirect {
            target: host.clone(),
            host,
            reason: "it redirects again and again; use the address it ends at",
        })
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Egress").field("policy", &self.connector.0.policy).finish_non_exhaustive()
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Returns where a redirect leads, if it is one that is followed.
fn redirect_target<B>(here: &Uri, response: &Response<B>) -> Result<Uri, EgressError> {
    let host = here.host().unwrap_or_default().to_owned();
    let refuse = |target: String, reason| EgressError::Redirect { host: host.clone(), target, reason };
    let base = Url::parse(&here.to_string()).map_err(|_| bad("it cannot be read as a URL"))?;
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(target) = location.and_then(|location| base.join(location).ok()) else {
        return Err(refuse("nowhere".to_owned(), "the redirect names no address"));
    };
    let origin = target.origin().ascii_serialization();
    if target.origin() != base.origin() {
        return Err(refuse(
            origin,
            "another origin; a credential must not travel there, so use that address itself",
        ));
    }
    if !matches!(response.status().as_u16(), 307 | 308) {
        return Err(refuse(origin, "with a status that changes the request; only 307 and 308 are followed"));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(refuse(origin, "the redirect carries a user name or a password"));
    }
    target.as_str().parse().map_err(|_| refuse(origin, "the redirect's address cannot be read"))
}

/// Finds our own error in the client's chain, or says what the connection said.
fn from_client(error: ClientError) -> EgressError {
    let mut cause = error.source();
    let mut words = error.to_string();
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<EgressError>() {
            return own.clone();
        }
        words = inner.to_string();
        cause = inner.source();
    }
    EgressError::Broken { detail: words }
}

/// Reads a body of at most this many bytes. One that arrives in one piece is not copied.
pub async fn read_body(mut body: AnswerBody, limit_bytes: usize) -> Result<Bytes, EgressError> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > limit_bytes {
        return Err(EgressError::TooLarge { limit_bytes });
    }
    let Some(first) = next_data(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit_bytes {
        return Err(EgressError::TooLarge { limit_bytes });
    }
    let Some(second) = next_data(&mut body).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(expected.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(data) = piece {
        if whole.len() + data.len() > limit_bytes {
            return Err(EgressError::TooLarge { limit_bytes });
        }
        whole.extend_from_slice(&data);
        piece = next_data(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// Returns the next piece of a body, `None` at its end.
pub async fn next_data(body: &mut AnswerBody) -> Result<Option<Bytes>, EgressError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => return Err(EgressError::Broken { detail: error.to_string() }),
        }
    }
}
