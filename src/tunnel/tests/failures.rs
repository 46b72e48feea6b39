//! What goes wrong at real servers, and what is said of it.

use std::{sync::atomic::Ordering, time::Duration};

use rustix::process::Signal;

use super::*;

/// Bounds of a tunnel that finds out quickly.
fn quick() -> TunnelLimits {
    TunnelLimits {
        channel_timeout: Duration::from_secs(3),
        keepalive_interval: Duration::from_secs(1),
        keepalive_max: 1,
        ..TunnelLimits::default()
    }
}

#[tokio::test]
async fn a_killed_server_is_tried_again_after_a_while_and_the_tunnel_comes_back() {
    let sshd = Sshd::start("").await;
    let bench = Bench::over(vec![sshd.hop()]).await;
    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));

    sshd.is_down.store(true, Ordering::SeqCst);
    sshd.signal(Signal::KILL);
    while bench.tunnel.status(SourceId::new()).up_since.is_some() {
        tokio::task::yield_now().await;
    }
    let first = bench.text("/hello").await.unwrap_err().to_string();
    assert!(first.contains("closed the connection"), "{first}");
    let asked = sshd.accepted.load(Ordering::SeqCst);
    let second = bench.text("/hello").await.unwrap_err().to_string();
    assert!(second.contains("next try in"), "{second}");
    assert_eq!(sshd.accepted.load(Ordering::SeqCst), asked, "it was left alone");

    sshd.is_down.store(false, Ordering::SeqCst);
    bench.clock.advance(TunnelLimits::default().pause_max);
    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
    assert_eq!(bench.tunnel.status(SourceId::new()).last_error, None);
}

#[tokio::test]
async fn a_frozen_server_is_given_up_and_another_session_made() {
    let sshd = Sshd::start("").await;
    let bench = Bench::with(vec![sshd.hop()], quick()).await;
    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));

    sshd.signal(Signal::STOP);
    // The frozen processes hold the first session only; another connection gets another process.
    let channel = bench.tunnel.open_channel("127.0.0.1", bench.web).await;

    assert!(channel.is_ok(), "{:?}", channel.err());
    assert_eq!(bench.tunnel.status(SourceId::new()).reconnects, 1);
}

#[tokio::test]
async fn a_wrong_key_is_told_with_the_methods_that_are_offered() {
    let (sshd, other) = (Sshd::start("").await, Sshd::start("").await);
    let (hop, _) = sshd.hop();
    let bench = Bench::over(vec![(hop, other.hop().1)]).await;

    let error = bench.text("/hello").await.unwrap_err().to_string();

    assert!(error.contains("does not let") && error.contains("offers: publickey"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_forward_and_a_closed_target_are_told_apart() {
    let forbids = Sshd::start("AllowTcpForwarding no").await;
    let bench = Bench::over(vec![forbids.hop()]).await;
    let error = bench.text("/hello").await.unwrap_err().to_string();
    assert!(error.contains("AllowTcpForwarding"), "{error}");

    let forwards = Sshd::start("").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let bench = Bench::to(vec![forwards.hop()], TunnelLimits::default(), closed, &[closed]).await;
    let error = bench.text("/hello").await.unwrap_err().to_string();
    assert!(error.contains("nothing listens"), "{error}");
    assert!(bench.tunnel.status(SourceId::new()).up_since.is_some(), "the session is well");
}

#[tokio::test]
async fn a_port_that_never_speaks_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sshd = Sshd::start("").await;
    let (hop, secret) = sshd.hop();
    let hop = Hop { port: silent.local_addr().unwrap().port(), ..hop };
    let limits = TunnelLimits { handshake_timeout: Duration::from_millis(200), ..TunnelLimits::default() };
    let bench = Bench::with(vec![(hop, secret)], limits).await;

    let error = bench.text("/hello").await.unwrap_err().to_string();

    assert!(error.contains("did not finish the SSH handshake"), "{error}");
}

#[tokio::test]
async fn a_password_is_used_only_where_the_operator_allows_it() {
    let sshd = Sshd::start("").await;
    let (hop, _) = sshd.hop();
    let secret = HopSecret::Password(crate::secret::Secret::new("hunter2"));
    let refusing = Bench::over(vec![(hop.clone(), secret.clone())]).await;
    let allowing =
        Bench::with(vec![(hop, secret)], TunnelLimits { passwords: true, ..TunnelLimits::default() }).await;

    let refused = refusing.text("/hello").await.unwrap_err().to_string();
    assert!(refused.contains("DOORWARD_TUNNEL_PASSWORDS"), "{refused}");
    let tried = allowing.text("/hello").await.unwrap_err().to_string();
    assert!(tried.contains("with this password; it offers: publickey"), "{tried}");
    assert!(!refused.contains("hunter2") && !tried.contains("hunter2"));
}
