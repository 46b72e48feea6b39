//! Connections that are used again, to sources without TLS.
//!
//! A general client runs every connection in a task of its own, and a call waits for that task twice: until the
//! request is written, and until the answer is read. Calls are most of what Doorward does, so here whoever asks
//! drives the connection: it is written to and read from in the caller's own task, and comes back to its place with
//! the end of the answer's body. Where TLS is spoken the general client is used: HTTP/2 may have been agreed on there,
//! and a connection that many share needs a task of its own.

use std::{
    collections::HashMap,
    error::Error as _,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri::Authority};
use http_body_util::Full;
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::{TrySendError, http1},
};
use tokio::{runtime::Handle, time::Instant};

use super::{
    EgressError,
    connect::{Connector, Link, Place, bad},
};

/// How long the end of an answer is waited for of which nobody wants more.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// In how many pieces it may come.
const FRAMES_UNREAD_MAX: u32 = 16;

/// The unused connections of every host; cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    connector: Connector,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// By host and port; those used last stand last.
    hosts: HashMap<Authority, Vec<Kept>>,
    /// Whether a task looks for connections that were unused too long.
    swept: bool,
}

struct Kept {
    connection: Box<Connection>,
    since: Instant,
}

/// A connection, which goes on only while somebody drives it.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<Link, Full<Bytes>>,
}

impl Connection {
    async fn open(connector: &Connector, uri: &Uri) -> Result<Box<Self>, EgressError> {
        let link = connector.connect(&Place::of(uri)?).await?;
        let (sender, driver) = http1::handshake(link).await.map_err(|error| broken(&error))?;
        Ok(Box::new(Self { sender, driver }))
    }

    /// Writes and reads as far as that goes now. Ready when the connection is over, which is told to whoever waits
    /// for its answer.
    fn drive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.driver).poll(context).map(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a connection to a source broke");
            }
        })
    }

    /// Sends a request and returns the head of its answer.
    async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut is_over = false;
        poll_fn(|context| {
            if !is_over {
                is_over = Pin::new(&mut self.driver).poll(context).is_ready();
            }
            answer.as_mut().poll(context)
        })
        .await
    }

    /// Says whether another request can be sent.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|context| Poll::Ready(self.drive(context).is_pending())).await && self.sender.is_ready()
    }
}

impl Pool {
    pub(super) fn new(connector: Connector) -> Self {
        Self(Arc::new(Inner { connector, idle: Mutex::default() }))
    }

    /// Sends a request whose address is a whole one, over a connection that is there or a new one.
    pub(super) async fn request(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, EgressError> {
        let uri = std::mem::take(request.uri_mut());
        let authority = uri.authority().cloned().ok_or_else(|| bad("it names no host"))?;
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, host_of(&authority)?);
        }
        *request.uri_mut() = uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);

        while let Some(mut connection) = self.0.take(&authority) {
            if !connection.is_ready().await {
                continue;
            }
            match connection.ask(request).await {
                Ok(response) => return Ok(self.with_home(response, authority, connection)),
                // The other side closed it meanwhile, and nothing was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(error.error())),
                },
            }
        }
        let mut connection = Connection::open(&self.0.connector, &uri).await?;
        let response = connection.ask(request).await.map_err(|error| broken(error.error()))?;
        Ok(self.with_home(response, authority, connection))
    }

    fn with_home(
        &self,
        response: Response<Incoming>,
        authority: Authority,
        connection: Box<Connection>,
    ) -> Response<AnswerBody> {
        let home = Home { pool: Arc::downgrade(&self.0), authority, connection };
        response.map(|body| AnswerBody::new(body, Some(home)))
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_timeout(&self) -> Duration {
        self.connector.0.limits.idle_timeout
    }

    /// Takes the connection that was used last.
    fn take(&self, authority: &Authority) -> Option<Box<Connection>> {
        let Kept { connection, since } = self.idle().hosts.get_mut(authority)?.pop()?;
        (since.elapsed() < self.idle_timeout()).then_some(connection)
    }

    /// Keeps a connection whose answer was read to its end.
    fn keep(self: &Arc<Self>, authority: Authority, connection: Box<Connection>) {
        let mut idle = self.idle();
        let kept = match idle.hosts.get_mut(&authority) {
            Some(kept) => kept,
            None => idle.hosts.entry(authority).or_default(),
        };
        if kept.len() < self.connector.0.limits.idle_per_host_max {
            kept.push(Kept { connection, since: Instant::now() });
        }
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.idle_timeout()));
        }
    }

    /// Closes what was unused too long. Returns whether anything is left to look after.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.hosts.retain(|_, kept| {
            kept.retain(|kept| now.duration_since(kept.since) < self.idle_timeout());
            !kept.is_empty()
        });
        idle.swept = !idle.hosts.is_empty();
        idle.swept
    }
}

/// Looks after unused connections until there is none, or the pool is gone.
async fn sweep(pool: Weak<Inner>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
            return;
        }
    }
}

fn host_of(authority: &Authority) -> Result<HeaderValue, EgressError> {
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let host = host.strip_suffix(":80").unwrap_or(host);
    HeaderValue::from_str(host).map_err(|_| bad("its host is no name"))
}

fn broken(error: &hyper::Error) -> EgressError {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    EgressError::Broken { detail: words }
}

/// The body of an answer. Read to its end, its connection can be used again; dropped before, the connection closes.
#[derive(Debug)]
pub struct AnswerBody(Option<Coming>);

/// What is still to come of an answer.
struct Coming {
    body: Incoming,
    /// `None` if its connection is driven elsewhere, or over.
    home: Option<Home>,
}

/// A connection, and where it goes back to.
struct Home {
    pool: Weak<Inner>,
    authority: Authority,
    connection: Box<Connection>,
}

impl AnswerBody {
    fn new(body: Incoming, home: Option<Home>) -> Self {
        Self(Some(Coming { body, home }))
    }

    /// A body whose connection is driven elsewhere.
    pub(super) fn driven_elsewhere(body: Incoming) -> Self {
        Self::new(body, None)
    }

    /// Says that whoever reads it has all they want, and expects its end at any moment: the connection can be used
    /// again, where dropping the body would close it.
    pub fn leave(&mut self) {
        if let Some(mut coming) = self.0.take()
            && coming.home.is_some()
            && coming.poll_end(&mut Context::from_waker(Waker::noop())).is_pending()
            && let Ok(runtime) = Handle::try_current()
        {
            let end = async move { poll_fn(|context| coming.poll_end(context)).await };
            runtime.spawn(tokio::time::timeout(END_TIMEOUT, end));
        }
    }
}

impl Coming {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending()
            && let Some(home) = &mut self.home
        {
            if home.connection.drive(context).is_ready() {
                self.home = None;
            }
            frame = Pin::new(&mut self.body).poll_frame(context);
        }
        match &frame {
            Poll::Ready(None) => self.go_home(),
            Poll::Ready(Some(Err(_))) => self.home = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    /// Passes over what nobody reads any more. Ready when there is an end, or too much.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..FRAMES_UNREAD_MAX {
            if !matches!(ready!(self.poll_frame(context)), Some(Ok(_))) {
                return Poll::Ready(());
            }
        }
        self.home = None;
        Poll::Ready(())
    }

    fn go_home(&mut self) {
        if let Some(Home { pool, authority, connection }) = self.home.take()
            && let Some(pool) = pool.upgrade()
        {
            pool.keep(authority, connection);
        }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.go_home();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(coming) => coming.poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|coming| coming.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(|coming| coming.body.size_hint()).unwrap_or_default()
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Coming").field("body", &self.body).finish_non_exhaustive()
    }
}
