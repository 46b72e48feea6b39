//! Many requests, large answers, readers that stop, and new keys in the middle.

use futures::future::join_all;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn two_hundred_requests_at_once_make_one_session() {
    let sshd = Sshd::start("").await;
    let bench = Bench::over(vec![sshd.hop()]).await;

    let answers = join_all((0..200).map(|_| bench.text("/hello"))).await;

    for answer in answers {
        assert_eq!(answer.as_deref(), Ok("hello"));
    }
    assert_eq!(sshd.accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_large_answer_comes_whole_while_both_sides_change_keys() {
    let sshd = Sshd::start("RekeyLimit 4M").await;
    let limits = TunnelLimits { rekey_bytes: 3 * MIB, ..TunnelLimits::default() };
    let bench = Bench::with(vec![sshd.hop()], limits).await;

    let answer = bench.text("/large").await.unwrap();

    assert_eq!(answer.len(), 64 * MIB);
    assert!(answer.bytes().all(|byte| byte == b'x'));
    assert_eq!(bench.tunnel.status(SourceId::new()).reconnects, 0, "over the same session");
}

#[tokio::test]
async fn a_reader_that_stops_loses_its_stream_and_no_other_waits_for_it() {
    let sshd = Sshd::start("").await;
    let stall_timeout = Duration::from_millis(200);
    let limits = TunnelLimits { stall_timeout, ..TunnelLimits::default() };
    let bench = Bench::with(vec![sshd.hop()], limits).await;

    let begun = Instant::now();
    let stalled = bench.ask("/large").await.unwrap().response.into_body();
    // For longer than the reader is given.
    while begun.elapsed() < stall_timeout * 10 {
        for answer in join_all((0..8).map(|_| bench.text("/hello"))).await {
            assert_eq!(answer.as_deref(), Ok("hello"));
        }
    }

    let cut = read_body(stalled, 128 * MIB).await;
    assert!(matches!(cut, Err(EgressError::Broken { .. })), "{cut:?}");
}
