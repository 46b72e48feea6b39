use futures::FutureExt as _;

use super::*;
use crate::{
    clock::Ms,
    store::testing::{TestStore, store_test},
    vault::KeySource,
};

const NOW: Ms = Ms(1_795_233_963_183);
const PATIENCE: Duration = Duration::from_secs(20);

store_test!(of_many_at_once_one_is_made_and_the_others_get_its_answer, |test| async move {
    let scene = Scene::on(test).await;
    let replicas = [scene.once.clone(), scene.replica(test).await];

    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (once, scene) = (replicas[n % 2].clone(), scene.clone());
            tokio::spawn(async move {
                match once.claim(&scene.key(Some("k"), "d"), PATIENCE).await.unwrap() {
                    Claimed::First(mut claim) => {
                        claim.sent();
                        tokio::task::yield_now().await;
                        claim.done(b"the answer".to_vec()).await;
                        true
                    }
                    Claimed::Replay(answer) => {
                        assert_eq!(answer.as_deref(), Some(&b"the answer"[..]));
                        false
                    }
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }

    assert_eq!(made, 1);
});

store_test!(what_may_have_been_made_is_lost_and_what_was_not_is_made_by_the_next, |test| async move {
    let scene = Scene::on(test).await;

    let Claimed::First(not_sent) = scene.claim(Some("a"), "d").await else { panic!("it is the first") };
    drop(not_sent);
    let again = scene.settled(Some("a"), "d").await;
    let Claimed::First(mut sent) = scene.claim(Some("b"), "d").await else { panic!("it is the first") };
    sent.sent();
    drop(sent);
    let lost = scene.settled(Some("b"), "d").await;

    assert!(matches!(again, Claimed::First(_)), "{again:?}");
    assert!(matches!(lost, Claimed::Lost), "{lost:?}");
});

store_test!(what_a_process_that_died_was_making_is_lost_and_never_made_twice, |test| async move {
    let scene = Scene::on(test).await;
    let Claimed::First(mut claim) = scene.claim(Some("k"), "d").await else { panic!("it is the first") };
    claim.sent();
    claim.beat.abort();
    // As with SIGKILL: nothing of it runs on.
    std::mem::forget(claim);

    let running = scene.once.claim(&scene.key(Some("k"), "d"), Duration::ZERO).await.unwrap();
    scene.clock.advance(ALIVE);
    let lost = scene.claim(Some("k"), "d").await;

    assert!(matches!(running, Claimed::Running), "{running:?}");
    assert!(matches!(lost, Claimed::Lost), "{lost:?}");
    assert!(matches!(scene.claim(Some("k"), "d").await, Claimed::Lost));
});

store_test!(a_key_belongs_to_its_person_preset_tool_and_arguments_and_ends, |test| async move {
    let scene = Scene::on(test).await;
    scene.make(Some("k"), "d").await;
    scene.make(None, "d").await;

    let other_arguments = scene.claim(Some("k"), "e").await;
    let other_person = Scene { user: UserId::new(), ..scene.clone() }.claim(Some("k"), "d").await;
    let other_preset = Scene { preset: PresetId::new(), ..scene.clone() }.claim(Some("k"), "d").await;
    let by_arguments = scene.claim(None, "d").await;
    let of_others = scene.claim(None, "e").await;
    scene.clock.advance(scene.once.0.kept);
    let after_its_end = scene.claim(Some("k"), "e").await;

    assert!(matches!(other_arguments, Claimed::OtherArguments), "{other_arguments:?}");
    for first in [other_person, other_preset, of_others, after_its_end] {
        assert!(matches!(first, Claimed::First(_)), "{first:?}");
    }
    assert!(matches!(by_arguments, Claimed::Replay(Some(_))), "{by_arguments:?}");
    assert!(scene.once.forget_ended().await.unwrap() >= 1);
});

store_test!(answers_are_sealed_and_those_too_large_are_not_kept, |test| async move {
    let scene = Scene::on(test).await;
    let Claimed::First(claim) = scene.claim(Some("k"), "d").await else { panic!("it is the first") };
    claim.done(b"a secret answer".to_vec()).await;
    let Claimed::First(claim) = scene.claim(Some("l"), "d").await else { panic!("it is the first") };
    claim.done(vec![b'x'; ANSWER_BYTES_MAX + 1]).await;

    let (id, digest) = (id(&scene.key(Some("k"), "d")), hash(&["d"]));
    let claim = OnceClaim { id: &id, claim: Uuid::new_v4(), digest: &digest, alive_until: NOW, ends_at: NOW };
    let mut tx = scene.store.tenant(scene.tenant).await.unwrap();
    let row = tx.claim_call(&claim, NOW).await.unwrap().unwrap();
    drop(tx);

    assert!(!row.answer.unwrap().contains("secret answer"));
    assert!(matches!(scene.claim(Some("l"), "d").await, Claimed::Replay(None)));
});

store_test!(the_oldest_make_room_and_an_organisation_sees_only_its_own, |test| async move {
    let scene = Scene::on(test).await;
    for key in ["a", "b", "c"] {
        scene.make(Some(key), "d").await;
        scene.clock.advance(Duration::from_secs(1));
    }
    let mut tx = scene.store.tenant(scene.tenant).await.unwrap();
    let full = OnceRoom { calls: 2, bytes: 1 << 20 };
    assert!(tx.make_room_for_calls(full).await.unwrap());
    assert_eq!(tx.count_calls_once().await.unwrap().0, 0);
    drop(tx);

    let stranger = test.add_user("eve").await;
    let mut tx = scene.store.tenant(stranger.tenant).await.unwrap();
    assert_eq!(tx.count_calls_once().await.unwrap(), (0, 0));
    let claim = Uuid::new_v4();
    assert!(!tx.finish_call(&id(&scene.key(Some("a"), "d")), claim, OnceState::Lost, None).await.unwrap());
});

#[derive(Clone)]
struct Scene {
    store: Store,
    clock: Clock,
    once: Once,
    tenant: TenantId,
    user: UserId,
    preset: PresetId,
    _folder: Arc<tempfile::TempDir>,
}

impl Scene {
    async fn on(test: &TestStore) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
        let user = test.add_user("ada").await;
        let source = KeySource::File(folder.path().join("vault.key"));
        let vault = Vault::open(test.store.clone(), source).await.unwrap();
        let once = Once::new(test.store.clone(), vault, clock.clone(), Duration::from_secs(3600));
        let (store, preset) = (test.store.clone(), PresetId::new());
        Self { store, clock, once, tenant: user.tenant, user: user.id, preset, _folder: Arc::new(folder) }
    }

    async fn replica(&self, test: &TestStore) -> Once {
        let Inner { vault, clock, kept, .. } = &*self.once.0;
        Once::new(test.reopen().await, vault.clone(), clock.clone(), *kept)
    }

    fn key<'a>(&self, key: Option<&'a str>, digest: &'a str) -> OnceKey<'a> {
        OnceKey { tenant: self.tenant, user: self.user, preset: self.preset, tool: "send", key, digest }
    }

    async fn claim(&self, key: Option<&str>, digest: &str) -> Claimed {
        self.once.claim(&self.key(key, digest), PATIENCE).await.unwrap()
    }

    /// Claims as soon as what was dropped is written.
    async fn settled(&self, key: Option<&str>, digest: &str) -> Claimed {
        self.claim(key, digest).boxed().await
    }

    async fn make(&self, key: Option<&str>, digest: &str) {
        match self.claim(key, digest).await {
            Claimed::First(claim) => claim.done(b"made".to_vec()).await,
            other => panic!("{other:?}"),
        }
    }
}
