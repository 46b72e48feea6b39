//! Tunnels through the real OpenSSH server.

mod failures;
mod keys;
mod known;
mod load;
mod loss;
mod passwords;
pub(crate) mod sshd;

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use tokio::net::TcpListener;

use self::sshd::Sshd;
use super::{HopSecret, LiveTunnel, TunnelError, TunnelLimits, TunnelTarget, Tunnels};
use crate::{
    clock::{Clock, Ms},
    egress::{Answered, Egress, EgressError, EgressLimits, EgressPolicy, read_body},
    model::{Destination, Fingerprint, Hop, SourceId, TunnelId},
};

const NOW: Ms = Ms(1_795_233_963_183);
const MIB: usize = 1 << 20;

/// A tunnel over these hops, to a web server of a few lines.
struct Bench {
    clock: Clock,
    tunnel: Arc<LiveTunnel>,
    egress: Egress,
    web: u16,
}

impl Bench {
    async fn over(hops: Vec<(Hop, HopSecret)>) -> Self {
        Self::with(hops, TunnelLimits::default()).await
    }

    async fn with(hops: Vec<(Hop, HopSecret)>, limits: TunnelLimits) -> Self {
        let web = web().await;
        Self::to(hops, limits, web, &[web]).await
    }

    async fn to(hops: Vec<(Hop, HopSecret)>, limits: TunnelLimits, web: u16, listed: &[u16]) -> Self {
        let clock = Clock::manual(NOW);
        let tunnels = Tunnels::new(door(), clock.clone(), limits);
        let place = |port: &u16| Destination::parse(&format!("127.0.0.1:{port}")).unwrap();
        let destinations = listed.iter().map(place).collect();
        let target = TunnelTarget { id: TunnelId::new(), version: 1, hops, destinations };
        let tunnel = tunnels.for_source(SourceId::new(), &Arc::new(target));
        // The bastion is reached by policy; what is behind it would not be.
        let egress = Egress::new(EgressPolicy::default(), EgressLimits::default());
        let egress = egress.through(Arc::clone(&tunnel) as _);
        Self { clock, tunnel, egress, web }
    }

    async fn ask(&self, path: &str) -> Result<Answered, EgressError> {
        let uri = format!("http://127.0.0.1:{}{path}", self.web).parse().unwrap();
        let make = |uri: &Uri| Request::get(uri).body(Full::<Bytes>::default()).unwrap();
        self.egress.request(&uri, make, Duration::from_secs(60)).await
    }

    async fn text(&self, path: &str) -> Result<String, EgressError> {
        let body = read_body(self.ask(path).await?.response.into_body(), 128 * MIB).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

fn door() -> Egress {
    Egress::new(EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()] }, EgressLimits::default())
}

/// Starts a web server and returns its port.
async fn web() -> u16 {
    let large = |size: usize| move || async move { Body::from(vec![b'x'; size]) };
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/moved", get(|| async { axum::response::Redirect::temporary("http://127.0.0.1:1/") }))
        .route("/answer", get(large(12 * MIB)))
        .route("/large", get(large(64 * MIB)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

#[tokio::test]
async fn a_request_goes_through_and_the_session_is_used_again() {
    let sshd = Sshd::start("").await;
    let bench = Bench::over(vec![sshd.hop()]).await;

    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));

    assert_eq!(sshd.accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
    let status = bench.tunnel.status(SourceId::new());
    assert_eq!((status.up_since, status.reconnects, status.last_error), (Some(NOW), 0, None));
    assert!(status.bytes_in > 100 && status.bytes_out > 50 && status.round_trip.is_some());
}

#[tokio::test]
async fn a_jump_host_stands_before_the_bastion_each_with_its_own_key() {
    let (jump, bastion) = (Sshd::start("").await, Sshd::start("").await);
    let bench = Bench::over(vec![jump.hop(), bastion.hop()]).await;

    let trace = bench.tunnel.trace().await;

    assert!(trace.error().is_none(), "{:?}", trace.error());
    let names: Vec<&str> = trace.steps.iter().map(|step| step.name.as_str()).collect();
    let (one, two) = (format!("127.0.0.1:{}", jump.port), format!("127.0.0.1:{}", bastion.port));
    let expected = [
        "Resolve 127.0.0.1".to_owned(),
        format!("Connect to {one}"),
        format!("Host key of {one}"),
        format!("Sign in at {one}"),
        format!("Channel to {two}"),
        format!("Host key of {two}"),
        format!("Sign in at {two}"),
    ];
    assert_eq!(names, expected);
    assert!(trace.steps[3].outcome.as_ref().unwrap().contains("offers: publickey"), "{:?}", trace.steps[3]);
    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn a_tunnel_leads_only_to_the_places_that_are_listed() {
    let sshd = Sshd::start("").await;
    let (web, other) = (web().await, web().await);
    let bench = Bench::to(vec![sshd.hop()], TunnelLimits::default(), web, &[other]).await;

    let error = bench.text("/hello").await.unwrap_err();

    assert!(matches!(&error, EgressError::NotListed { .. }), "{error:?}");
    assert_eq!(sshd.accepted.load(std::sync::atomic::Ordering::SeqCst), 0, "nobody was asked");
}

#[tokio::test]
async fn a_redirect_to_a_place_that_is_not_listed_is_not_followed() {
    let sshd = Sshd::start("").await;
    let bench = Bench::over(vec![sshd.hop()]).await;

    assert!(matches!(bench.text("/moved").await, Err(EgressError::Redirect { .. })));
}

#[tokio::test]
async fn the_bastions_own_address_is_checked_like_any_other() {
    let sshd = Sshd::start("").await;
    let tunnels = Tunnels::new(
        Egress::new(EgressPolicy::default(), EgressLimits::default()),
        Clock::manual(NOW),
        TunnelLimits::default(),
    );
    let destinations = vec![Destination::parse("127.0.0.1:1").unwrap()];
    let target = TunnelTarget { id: TunnelId::new(), version: 1, hops: vec![sshd.hop()], destinations };

    let error = tunnels.fresh(&Arc::new(target)).open_channel("127.0.0.1", 1).await.err();

    assert!(matches!(&error, Some(TunnelError::Way(EgressError::Refused { .. }))), "{error:?}");
}

#[tokio::test]
async fn a_host_key_is_shown_until_it_is_confirmed_and_a_changed_one_stops_the_tunnel() {
    let sshd = Sshd::start("").await;
    let (hop, secret) = sshd.hop();
    let unknown = Bench::over(vec![(Hop { host_key: None, ..hop.clone() }, secret.clone())]).await;
    let other = Fingerprint::parse("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU").unwrap();
    let changed = Bench::over(vec![(Hop { host_key: Some(other.clone()), ..hop }, secret)]).await;

    let trace = unknown.tunnel.trace().await;
    assert_eq!(trace.host_key(), Some((0, &sshd.host_key(), None)));
    assert_eq!(trace.steps.len(), 3, "nobody signs in there: {trace:?}");

    let error = changed.text("/hello").await.unwrap_err().to_string();
    assert!(error.contains(other.as_str()) && error.contains(sshd.host_key().as_str()), "{error}");
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_comes_back_with_the_next_request() {
    let sshd = Sshd::start("").await;
    let bench = Bench::over(vec![sshd.hop()]).await;
    drop(bench.tunnel.open_channel("127.0.0.1", bench.web).await.unwrap());

    bench.tunnel.end_if_idle();
    assert!(bench.tunnel.status(SourceId::new()).up_since.is_some(), "it was just used");
    bench.clock.advance(TunnelLimits::default().idle);
    bench.tunnel.end_if_idle();
    assert!(bench.tunnel.status(SourceId::new()).up_since.is_none());

    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
    assert_eq!(bench.tunnel.status(SourceId::new()).reconnects, 1);
}
