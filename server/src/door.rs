//! Everything the program answers, behind one door: presets by the short way, all else by the routes.
//!
//! Calls to presets are many, and a router with its layers and boxes costs more than the rest of what the server does
//! for them. So their address is recognised here, and nothing is put around their bodies. Never looks into a request
//! beyond its path.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use doorward::proxy::ProxyBody;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tower::ServiceExt as _;

use crate::{layers::Peer, prefix::Prefix, routes::mcp, state::AppState};

/// What a listener hands its requests to.
pub trait Answers: Clone + Send + 'static {
    /// Answers a request from this address.
    fn answer<B>(
        &self,
        peer: SocketAddr,
        request: Request<B>,
    ) -> impl Future<Output = Response<Reply>> + Send
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>;
}

/// The main listener's door; cheap to clone.
#[derive(Clone)]
pub struct Door {
    state: AppState,
    routes: Router,
    prefix: Option<Prefix>,
}

impl Door {
    /// Makes the door of everything.
    pub fn new(state: AppState) -> Self {
        let routes = crate::routes::router(state.clone());
        let prefix = Prefix::of(state.settings().public_url.as_ref());
        Self { state, routes, prefix }
    }
}

impl Answers for Door {
    async fn answer<B>(&self, peer: SocketAddr, request: Request<B>) -> Response<Reply>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let Some(prefix) = &self.prefix else { return self.answer_inside(peer, request).await };
        let (mut parts, body) = request.into_parts();
        parts.uri = prefix.inside(parts.uri);
        let answered = self.answer_inside(peer, Request::from_parts(parts, body)).await;
        let (parts, reply) = answered.into_parts();
        match reply {
            // Boxed, since most programs have their host for themselves.
            Reply::Page(page) => {
                Box::pin(prefix.outside(Response::from_parts(parts, page))).await.map(Reply::Page)
            }
            preset @ Reply::Preset(_) => Response::from_parts(parts, preset),
        }
    }
}

impl Door {
    /// Answers a request whose address is as the program knows it.
    async fn answer_inside<B>(&self, peer: SocketAddr, request: Request<B>) -> Response<Reply>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if mcp::Address::of(request.uri().path()).is_some() {
            return mcp::answer(&self.state, Peer(peer), request).await;
        }
        self.routes.answer(peer, request).await
    }
}

impl Answers for Router {
    async fn answer<B>(&self, peer: SocketAddr, mut request: Request<B>) -> Response<Reply>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        request.extensions_mut().insert(Peer(peer));
        // Boxed, since it is large and the short way would carry its room along.
        let answered = Box::pin(self.clone().oneshot(request.map(Body::new))).await;
        answered.unwrap_or_else(|never: Infallible| match never {}).map(Reply::Page)
    }
}

/// The body of an answer.
pub enum Reply {
    /// Of a preset.
    Preset(ProxyBody),
    /// Of a route.
    Page(Body),
}

impl Reply {
    /// Returns a body that is all there.
    pub fn whole(bytes: Bytes) -> Self {
        Self::Preset(ProxyBody::Full(bytes.into()))
    }
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Preset(ProxyBody::Full(pieces)) => {
                Poll::Ready(pieces.pop().map(|piece| Ok(Frame::data(piece))))
            }
            Self::Preset(ProxyBody::Stream(pieces)) => {
                pieces.as_mut().poll_next(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Page(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Preset(ProxyBody::Full(pieces)) => pieces.is_empty(),
            Self::Preset(ProxyBody::Stream(_)) => false,
            Self::Page(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Preset(ProxyBody::Full(pieces)) => SizeHint::with_exact(pieces.len() as u64),
            Self::Preset(ProxyBody::Stream(_)) => SizeHint::default(),
            Self::Page(body) => body.size_hint(),
        }
    }
}
