//! What processes on one database know of each other; each test on PostgreSQL is several of them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use http::{HeaderMap, HeaderValue, Method, header};
use tokio_util::sync::CancellationToken;

use super::{words::Says, words::Word, *};
use crate::{
    model::UserId,
    store::testing::{TestStore, store_test},
};

const NOW: Ms = Ms(1_795_233_963_183);

fn one_on(test: &TestStore) -> Replicas {
    Replicas::new(ReplicaParts {
        store: test.store.clone(),
        changes: Changes::new(),
        clock: Clock::manual(NOW),
        keys: vec![Zeroizing::new([7; 32])],
    })
    .unwrap()
}

/// Joins two processes that know each other.
async fn two_on(test: &TestStore) -> [Replicas; 2] {
    let both = [one_on(test), one_on(test)];
    for replica in &both {
        replica.join("http://127.0.0.1:9").await.unwrap();
    }
    both[0].beat().await.unwrap();
    both
}

store_test!(a_process_on_a_file_owns_everything, |test| async move {
    let own = one_on(test);
    own.join("http://127.0.0.1:9").await.unwrap();
    if own.are_possible() {
        return;
    }
    let session = [9; 16];

    assert_eq!(own.take_over(session).await.unwrap(), own.own());
    assert!(own.take_turn("retention", BEAT).await.unwrap());
    assert!(own.others().is_empty());
});

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_no_sign_of_life_is_gone_and_nobody_ages_while_nobody_looks() {
    let Some(test) = TestStore::postgres().await else { return };
    let [first, second] = two_on(&test).await;
    let forgotten = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&forgotten);
    first.0.changes.listen(move |change| {
        counter.fetch_add(usize::from(*change == Change::Everything), Ordering::SeqCst);
    });

    for _ in 0..SILENT_MAX {
        assert!(first.is_there(second.own()));
        first.beat().await.unwrap();
    }
    assert!(!first.is_there(second.own()), "{:?}", first.others());
    assert_eq!(forgotten.load(Ordering::SeqCst), 1, "it may have changed what it could not tell");

    second.beat().await.unwrap();
    first.beat().await.unwrap();
    assert!(first.is_there(second.own()), "it is back");
    second.leave().await.unwrap();
    first.beat().await.unwrap();
    assert!(!first.is_there(second.own()));
    assert_eq!(forgotten.load(Ordering::SeqCst), 1, "it went with a word");
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_process_is_gone_has_one_new_place() {
    let Some(test) = TestStore::postgres().await else { return };
    let [first, second] = two_on(&test).await;
    let session = [9; 16];

    let both = tokio::join!(first.take_over(session), second.take_over(session));
    let (holder, same) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!(holder, same);
    assert!([first.own(), second.own()].contains(&holder));

    let (stays, goes) = if holder == first.own() { (&second, &first) } else { (&first, &second) };
    assert_eq!(stays.take_over(session).await.unwrap(), holder);
    goes.leave().await.unwrap();
    stays.beat().await.unwrap();
    assert_eq!(stays.take_over(session).await.unwrap(), stays.own());
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_for_all_is_done_by_one_until_it_stays_away() {
    let Some(test) = TestStore::postgres().await else { return };
    let [first, second] = two_on(&test).await;

    let turns = tokio::join!(first.take_turn("warnings", BEAT), second.take_turn("warnings", BEAT));
    let (one, other) = (turns.0.unwrap(), turns.1.unwrap());
    assert!(one != other, "exactly one has it");

    let (has, has_not) = if one { (&first, &second) } else { (&second, &first) };
    assert!(has.take_turn("warnings", BEAT).await.unwrap());
    assert!(has_not.take_turn("something else", BEAT).await.unwrap());
    has_not.0.clock.advance(BEAT);
    assert!(has_not.take_turn("warnings", BEAT).await.unwrap());
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_changes_the_other_hears() {
    let Some(test) = TestStore::postgres().await else { return };
    let [first, second] = two_on(&test).await;
    first.relay_changes();
    let mut news = second.0.changes.subscribe();
    let stop = CancellationToken::new();
    let speaking = tokio::spawn({
        let (first, stop) = (first.clone(), stop.clone());
        async move { first.speak(stop).await }
    });
    let hearing = tokio::spawn({
        let (second, stop) = (second.clone(), stop.clone());
        async move { second.hear(stop).await }
    });
    assert_eq!(news.recv().await, Ok(Change::Everything), "from now on it listens");

    let mut took = Vec::new();
    for _ in 0..200 {
        let (change, told) = (Change::User(UserId::new()), Instant::now());
        first.0.changes.announce(change.clone());
        assert_eq!(news.recv().await, Ok(change));
        took.push(told.elapsed());
    }

    // Measured, not promised: how long the others still act on what was.
    took.sort();
    println!("heard after {:?} in the middle, {:?} at most", took[took.len() / 2], took[took.len() - 1]);
    stop.cancel();
    speaking.await.unwrap();
    hearing.await.unwrap();
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_process_that_was_not_seen_yet_stays_there() {
    let Some(test) = TestStore::postgres().await else { return };
    let [first, second] = [one_on(&test), one_on(&test)];
    first.join("http://127.0.0.1:9").await.unwrap();
    second.join("http://127.0.0.1:9").await.unwrap();
    let mut session = [9; 16];
    session[..4].copy_from_slice(&second.own().to_bytes());

    assert!(!first.is_there(second.own()), "it has not looked since");
    assert_eq!(first.take_over(session).await.unwrap(), second.own());
    assert!(first.is_there(second.own()));
    assert!(!first.find(ReplicaNumber(7)).await.unwrap());
    test.remove().await;
}

store_test!(more_changes_than_can_wait_are_told_as_everything, |test| async move {
    let replica = one_on(test);
    if !replica.are_possible() {
        return;
    }
    let mut words = test.store.listen().await.unwrap().unwrap();
    replica.relay_changes();
    for _ in 0..=WORDS_MAX {
        replica.0.changes.announce(Change::User(UserId::new()));
    }
    let stop = CancellationToken::new();
    stop.cancel();

    replica.speak(stop).await;

    let crate::store::Heard::Word(word) = words.next().await.unwrap() else { panic!("a word") };
    let everything = Word { from: replica.own(), says: Says::Changed(Change::Everything) };
    assert_eq!(serde_json::from_str::<Word>(&word).unwrap(), everything);
});

store_test!(what_is_not_understood_is_taken_for_everything, |test| async move {
    let replica = one_on(test);
    let mut news = replica.0.changes.subscribe();

    replica.take_in(r#"{"from":1,"says":{"changed":{"of_tomorrow":"x"}}}"#);

    assert_eq!(news.recv().await, Ok(Change::Everything));
    let own = Word { from: replica.own(), says: Says::Changed(Change::Everything) };
    replica.take_in(&serde_json::to_string(&own).unwrap());
    assert!(news.try_recv().is_err(), "its own words it has heard already");
});

store_test!(what_is_vouched_for_is_believed_for_this_request_alone, |test| async move {
    let [from, to] = [one_on(test), one_on(test)];
    let address = "203.0.113.9".parse().unwrap();
    let (post, path) = (Method::POST, "/mcp/ada/tools");
    let mut headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"))]);
    let vouched = from.vouch(to.own(), address, &post, path, &headers);
    headers.insert(FORWARDED, vouched.clone());

    assert_eq!(to.vouched(&post, path, &headers), Some(address));
    assert_eq!(from.vouched(&post, path, &headers), None, "it is for another process");
    assert_eq!(to.vouched(&Method::DELETE, path, &headers), None);
    assert_eq!(to.vouched(&post, "/mcp/ada/other", &headers), None);
    let forged = vouched.to_str().unwrap().replace("203.0.113.9", "203.0.113.8");
    let other = HeaderMap::from_iter([
        (header::AUTHORIZATION, HeaderValue::from_static("Bearer y")),
        (FORWARDED, vouched),
    ]);
    assert_eq!(to.vouched(&post, path, &other), None, "it is for another credential");
    headers.insert(FORWARDED, HeaderValue::try_from(forged).unwrap());
    assert_eq!(to.vouched(&post, path, &headers), None);
    headers.remove(&FORWARDED);
    assert_eq!(to.vouched(&post, path, &headers), None);
});
