use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::*;
use crate::{
    clock::Ms,
    model::{Email, Handle, InstanceRole, PlanName, Source, SourceId, User, UserId, samples},
    store::testing::{TestStore, store_test},
};

#[tokio::test]
async fn what_was_sealed_opens_at_its_place_and_nowhere_else() {
    let scene = Scene::new().await;
    let vault = scene.open().await.unwrap();
    let (tenant, row) = (TenantId::new(), Uuid::now_v7());
    let place = Place { tenant, table: "sources", row, column: "credential" };
    let sealed = vault.seal(&place, b"hunter2").unwrap();

    assert_eq!(vault.open_sealed(&place, &sealed).unwrap().as_slice(), b"hunter2");
    assert!(!sealed.contains("hunter2"));
    for moved in [
        Place { tenant: TenantId::new(), ..place },
        Place { table: "users", ..place },
        Place { row: Uuid::now_v7(), ..place },
        Place { column: "note", ..place },
    ] {
        assert!(
            matches!(vault.open_sealed(&moved, &sealed), Err(VaultError::NotAuthentic { .. })),
            "{moved:?}"
        );
    }
}

#[tokio::test]
async fn derived_keys_outlive_a_restart_and_a_rotation() {
    let scene = Scene::new().await;
    let before = scene.open().await.unwrap().derive("a");
    let vault = scene.open().await.unwrap();

    assert_eq!(vault.derive("a"), before);
    assert_ne!(vault.derive("b"), before);
    vault.rotate().await.unwrap();
    let after = vault.derive("a");
    assert_eq!((before.len(), after.len()), (1, 2));
    assert_ne!(after[0], before[0], "another key seals");
    assert_eq!(after[1], before[0], "what was sealed still opens");
}

#[tokio::test]
async fn the_same_text_is_never_sealed_to_the_same_bytes() {
    let scene = Scene::new().await;
    let vault = scene.open().await.unwrap();

    assert_ne!(vault.seal(&Place::CANARY, b"x").unwrap(), vault.seal(&Place::CANARY, b"x").unwrap());
}

#[tokio::test]
async fn a_single_altered_character_is_noticed() {
    let scene = Scene::new().await;
    let vault = scene.open().await.unwrap();
    let sealed = vault.seal(&Place::CANARY, b"hunter2").unwrap();

    for at in 0..sealed.len() {
        let mut altered = sealed.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let Ok(altered) = String::from_utf8(altered) else { continue };
        let opened = vault.open_sealed(&Place::CANARY, &altered);
        assert!(opened.is_err(), "a change at {at} went unnoticed");
    }
}

#[tokio::test]
async fn a_text_that_was_never_sealed_is_refused() {
    let scene = Scene::new().await;
    let vault = scene.open().await.unwrap();

    for text in ["", "{}", "hunter2", r#"{"v":2}"#] {
        assert!(matches!(vault.open_sealed(&Place::CANARY, text), Err(VaultError::NotSealed)));
    }
}

#[tokio::test]
async fn the_key_file_is_for_its_owner_only_and_lasts() {
    let scene = Scene::new().await;
    let first = scene.open().await.unwrap();
    let sealed = first.seal(&Place::CANARY, b"hunter2").unwrap();

    let second = scene.open().await.unwrap();

    let mode = fs::metadata(&scene.file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(second.open_sealed(&Place::CANARY, &sealed).unwrap().as_slice(), b"hunter2");
    assert_eq!(fs::read_dir(scene.folder()).unwrap().count(), 1, "something was left beside the key file");
}

#[tokio::test]
async fn a_key_file_others_can_read_is_refused() {
    let scene = Scene::new().await;
    scene.open().await.unwrap();
    for mode in [0o640, 0o604, 0o644, 0o660] {
        fs::set_permissions(&scene.file, fs::Permissions::from_mode(mode)).unwrap();

        let error = scene.open().await.err().unwrap();

        assert!(matches!(error, VaultError::KeyFileOpenToOthers { .. }));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_key_file_is_not_replaced_when_something_is_sealed() {
    let scene = Scene::new().await;
    let kid = scene.open().await.unwrap().active_key();
    fs::remove_file(&scene.file).unwrap();

    let error = scene.open().await.err().unwrap();

    assert!(matches!(&error, VaultError::KeyFileGone { kid: named, .. } if *named == kid));
    assert!(error.to_string().contains("backup"), "{error}");
    assert!(!scene.file.exists());
}

#[tokio::test]
async fn a_key_of_another_database_is_refused() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    scene.open().await.unwrap();
    other.open().await.unwrap();
    fs::copy(&other.file, &scene.file).unwrap();

    assert!(matches!(scene.open().await, Err(VaultError::WrongKey { .. })));
}

#[tokio::test]
async fn a_damaged_key_file_is_refused_without_showing_it() {
    let scene = Scene::new().await;
    scene.open().await.unwrap();
    let text = fs::read_to_string(&scene.file).unwrap();
    let id = text.split('"').nth(5).unwrap().to_owned();
    let key = text.split('"').find(|word| word.len() == 44).unwrap().to_owned();
    for damaged in [
        text[..text.len() / 2].to_owned(),
        String::new(),
        text.replace("\"version\": 1", "\"version\": 9"),
        text.replace(&id, "0000000000000000"),
        text.replace(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        text.replace(&key, "c2hvcnQ="),
        "{\"version\": 1, \"keys\": []}".to_owned(),
    ] {
        fs::write(&scene.file, damaged).unwrap();

        let error = scene.open().await.err().unwrap();

        assert!(matches!(error, VaultError::KeyFileDamaged { .. }), "{error}");
        assert!(!error.to_string().contains(&key[..20]), "{error}");
    }
}

#[tokio::test]
async fn a_key_can_come_from_the_settings() {
    let test = TestStore::sqlite().await;
    let (one, two) = ("0f".repeat(31) + "aa", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let open =
        async |text: &str| Vault::open(test.store.clone(), KeySource::Settings(Secret::new(text))).await;
    let sealed = open(&one).await.unwrap().seal(&Place::CANARY, b"hunter2").unwrap();

    assert!(matches!(open(two).await, Err(VaultError::WrongKey { .. })));
    let both = open(&format!("{two}, {one}")).await.unwrap();
    assert_eq!(both.open_sealed(&Place::CANARY, &sealed).unwrap().as_slice(), b"hunter2");
    both.rotate().await.unwrap();
    assert!(matches!(open(&one).await, Err(VaultError::WrongKey { .. })));
    assert!(open(two).await.is_ok());
}

#[tokio::test]
async fn a_weak_key_in_the_settings_is_refused() {
    let test = TestStore::sqlite().await;
    for weak in ["", " ,", "changeme", "correct horse battery staple", &"00".repeat(32), &"00".repeat(16)] {
        let opened = Vault::open(test.store.clone(), KeySource::Settings(Secret::new(weak))).await;

        assert!(matches!(opened, Err(VaultError::BadSetting { .. })), "{weak} was accepted");
    }
}

store_test!(a_rotation_is_noticed_by_a_process_that_serves, |test| async move {
    let scene = Scene::on(&test.store);
    let serving = scene.open().await.unwrap();
    let (place, source) = scene.add_source(&serving, b"hunter2").await;
    let before = serving.active_key();
    let rotating = scene.open().await.unwrap();

    let done = rotating.rotate().await.unwrap();

    assert_eq!(done, Rotation { active: rotating.active_key(), resealed: 1, older_keys: 1 });
    assert_ne!(done.active, before);
    let stored = scene.credential(place.tenant, source).await;
    assert!(stored.contains(&done.active) && !stored.contains(&before));
    assert_eq!(serving.open_sealed(&place, &stored).unwrap().as_slice(), b"hunter2");
    assert!(serving.seal(&place, b"new").unwrap().contains(&done.active));
    assert!(scene.open().await.is_ok());
});

#[tokio::test]
async fn what_was_sealed_before_two_rotations_still_opens() {
    let scene = Scene::new().await;
    let vault = scene.open().await.unwrap();
    let sealed = vault.seal(&Place::CANARY, b"hunter2").unwrap();

    vault.rotate().await.unwrap();
    vault.rotate().await.unwrap();

    assert_eq!(vault.open_sealed(&Place::CANARY, &sealed).unwrap().as_slice(), b"hunter2");
    assert_eq!(scene.open().await.unwrap().active_key(), vault.active_key());
}

store_test!(records_written_during_a_rotation_are_kept, |test| async move {
    let scene = Scene::on(&test.store);
    let serving = scene.open().await.unwrap();
    let mut places = Vec::new();
    for n in 0..250_u32 {
        places.push(scene.add_source(&serving, &n.to_be_bytes()).await);
    }
    let (place, source) = places[7];

    let rotating = scene.open().await.unwrap();
    let edit = async {
        for n in 0..20_u32 {
            let sealed = serving.seal(&place, format!("edit {n}").as_bytes()).unwrap();
            scene.set_credential(place.tenant, source, &sealed).await;
        }
    };
    let (done, ()) = tokio::join!(rotating.rotate(), edit);

    assert!(done.unwrap().resealed >= 249);
    let last = scene.credential(place.tenant, source).await;
    assert_eq!(serving.open_sealed(&place, &last).unwrap().as_slice(), b"edit 19");
    for (n, (place, source)) in places.iter().enumerate().filter(|(n, _)| *n != 7) {
        let stored = scene.credential(place.tenant, *source).await;
        let n = u32::try_from(n).unwrap();
        assert_eq!(serving.open_sealed(place, &stored).unwrap().as_slice(), n.to_be_bytes());
    }
});

#[tokio::test]
async fn two_rotations_do_not_run_at_once() {
    let scene = Scene::new().await;
    let vault = scene.open().await.unwrap();
    let held = keyring::lock(&scene.file).unwrap();

    let refused = vault.rotate().await;
    drop(held);

    assert!(matches!(refused, Err(VaultError::RotationRunning)));
    assert!(vault.rotate().await.is_ok());
}

#[tokio::test]
async fn two_first_starts_at_once_agree_on_one_key() {
    let scene = Scene::new().await;

    let (one, two) = tokio::join!(scene.open(), scene.open());

    let (one, two) = (one.unwrap(), two.unwrap());
    let sealed = one.seal(&Place::CANARY, b"hunter2").unwrap();
    assert_eq!(two.open_sealed(&Place::CANARY, &sealed).unwrap().as_slice(), b"hunter2");
}

struct Scene {
    /// Keeps the database until the test ends.
    _test: Option<TestStore>,
    store: Store,
    _folder: tempfile::TempDir,
    file: PathBuf,
}

impl Scene {
    async fn new() -> Self {
        let test = TestStore::sqlite().await;
        let scene = Self::on(&test.store);
        Self { _test: Some(test), ..scene }
    }

    fn on(store: &Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys").join("vault.key");
        Self { _test: None, store: store.clone(), _folder: folder, file }
    }

    async fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(self.store.clone(), KeySource::File(self.file.clone())).await
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap()
    }

    async fn add_source(&self, vault: &Vault, credential: &[u8]) -> (Place<'static>, SourceId) {
        let user = User {
            id: UserId::new(),
            tenant: TenantId::new(),
            handle: Handle::parse(&format!("u{}", &Uuid::now_v7().simple().to_string()[10..])).unwrap(),
            email: Email::parse(&format!("{}@example.org", Uuid::now_v7().simple())).unwrap(),
            role: InstanceRole::Member,
            plan: PlanName::parse("free").unwrap(),
            enabled: true,
            created_at: Ms(0),
        };
        let mut tx = self.store.system().await.unwrap();
        tx.add_user(&user, "hash").await.unwrap();
        tx.commit().await.unwrap();

        let id = SourceId::new();
        let place = Place { tenant: user.tenant, table: "sources", row: id.0, column: "credential" };
        let source = Source { id, auth_kind: "bearer".into(), ..samples::source(user.tenant, "echo") };
        let mut tx = self.store.tenant(user.tenant).await.unwrap();
        tx.add_source(&source, Some(&vault.seal(&place, credential).unwrap())).await.unwrap();
        tx.commit().await.unwrap();
        (place, id)
    }

    async fn set_credential(&self, tenant: TenantId, source: SourceId, sealed: &str) {
        let mut tx = self.store.tenant(tenant).await.unwrap();
        tx.set_source_credential(source, Some(sealed)).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn credential(&self, tenant: TenantId, source: SourceId) -> String {
        self.store.read(tenant).await.unwrap().source_credential(source).await.unwrap().unwrap()
    }
}
