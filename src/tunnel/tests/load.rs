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

/// Asks for answers one after the other, and reads nothing of each while other requests are answered for longer than a
/// reader is given. Returns how each was read in the end.
async fn read_late(limits: TunnelLimits, count: usize) -> Vec<Result<usize, EgressError>> {
    let sshd = Sshd::start("").await;
    let stall_timeout = Duration::from_millis(200);
    let bench = Bench::with(vec![sshd.hop()], TunnelLimits { stall_timeout, ..limits }).await;
    let mut stalled = Vec::new();
    for _ in 0..count {
        stalled.push(bench.ask("/answer").await.unwrap().response.into_body());
        let begun = Instant::now();
        while begun.elapsed() < stall_timeout * 10 {
            for answer in join_all((0..8).map(|_| bench.text("/hello"))).await {
                assert_eq!(answer.as_deref(), Ok("hello"));
            }
        }
    }
    let mut read = Vec::new();
    for body in stalled {
        read.push(read_body(body, 16 * MIB).await.map(|body| body.len()));
    }
    read
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_of_an_answer_within_the_bound() {
    let ahead = read_late(TunnelLimits::default(), 1).await;
    let not_ahead = read_late(TunnelLimits { read_ahead_bytes: 0, ..TunnelLimits::default() }, 1).await;

    assert_eq!(ahead, [Ok(12 * MIB)]);
    assert!(matches!(not_ahead[0], Err(EgressError::Broken { .. })), "{not_ahead:?}");
}

#[tokio::test]
async fn slow_readers_together_have_a_bound_beyond_which_they_lose_their_streams() {
    let limits = TunnelLimits { read_ahead_bytes_total: 16 * MIB, ..TunnelLimits::default() };

    let read = read_late(limits, 2).await;

    assert!(matches!(read[..], [Ok(_), Err(EgressError::Broken { .. })]), "{read:?}");
}
