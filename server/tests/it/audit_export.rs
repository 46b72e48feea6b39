//! The audit log is exported by itself, to a folder and to a real S3-compatible server.

#![expect(
    clippy::disallowed_methods,
    reason = "the storage is a process, and has the environment it is given"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use doorward::{
    chain::Verifier,
    clock::{Clock, Ms},
    model::InstanceRole,
};
use http::StatusCode;
use serde_json::Value;

use crate::world::World;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn audit_export_folder_and_audit_export_every_say_where_files_go_and_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let clock = Clock::manual(Ms(1_795_233_963_183));
    let variables =
        [("DOORWARD_AUDIT_EXPORT_FOLDER", path.as_str()), ("DOORWARD_AUDIT_EXPORT_EVERY", "hour")];
    let world = World::at(clock.clone(), &variables).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    world.engine.audit.flush().await;
    clock.advance(DAY);

    assert_eq!(world.engine.exporter.export_due().await.unwrap(), 1);

    let made: Vec<_> = fs::read_dir(folder.path().join("ada")).unwrap().map(|file| file.unwrap()).collect();
    let name = made[0].file_name().into_string().unwrap();
    assert!(made.len() == 1 && name.starts_with("audit-2026-11-21T04-1-"), "{name}");
    let text = fs::read(made[0].path()).unwrap();
    let report = Verifier::new(world.engine.notary.keys().await.unwrap()).file(&name, &*text).unwrap();
    assert!(report.tally.events >= 3 && report.checkpoints == 1, "{report:?}");
    assert!(text.windows(3).any(|part| part == b"ada"), "{}", ada.member.handle);
    let ready = world.get("/ready").await;
    assert!(ready.body.contains(r#"{"name":"audit_export","ok":true}"#), "{}", ready.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_s3_name_the_storage_that_takes_files_signed_with_its_key() {
    let mut storage = Storage::start();
    let (access_key, secret_key) = (storage.known("access_key"), storage.known("secret_key"));
    let clock = Clock::manual(Clock::system().now());
    let address = storage.known("address");
    let at = |secret: &str| {
        [
            ("DOORWARD_AUDIT_EXPORT_S3_ENDPOINT", address.clone()),
            ("DOORWARD_AUDIT_EXPORT_S3_BUCKET", "logs".to_owned()),
            ("DOORWARD_AUDIT_EXPORT_S3_REGION", "eu-central-1".to_owned()),
            ("DOORWARD_AUDIT_EXPORT_S3_PREFIX", "door/audit".to_owned()),
            ("DOORWARD_AUDIT_EXPORT_S3_ACCESS_KEY", access_key.clone()),
            ("DOORWARD_AUDIT_EXPORT_S3_SECRET_KEY", secret.to_owned()),
        ]
    };
    let open = async |secret: &str| {
        let variables = at(secret);
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let world = World::at(clock.clone(), &variables).await;
        world.person("ada", InstanceRole::Member).await;
        world.engine.audit.flush().await;
        world
    };
    let (world, stranger) = (open(&secret_key).await, open("another-secret-4711").await);
    clock.advance(2 * DAY);

    assert_eq!(stranger.engine.exporter.export_due().await.unwrap(), 0);
    let told = stranger.engine.exporter.failures().await.unwrap().remove(0).failure;
    assert!(told.contains("403 (SignatureDoesNotMatch)") && !told.contains("4711"), "{told}");
    let ready = stranger.get("/ready").await;
    assert_eq!(ready.status, StatusCode::OK, "no other replica would do better");
    assert!(ready.body.contains(r#"{"name":"audit_export","ok":false}"#), "{}", ready.body);
    assert!(
        stranger.engine.gauges().iter().any(|gauge| {
            gauge.name == "audit_export_failing" && (gauge.value - 1.0).abs() < f64::EPSILON
        })
    );

    assert_eq!(world.engine.exporter.export_due().await.unwrap(), 1);
    let kept = storage.objects();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let (name, text) = &kept[0];
    assert!(name.starts_with("door/audit/ada/audit-20") && name.contains("-1-"), "{name}");
    let report = Verifier::new(world.engine.notary.keys().await.unwrap()).file(name, &**text).unwrap();
    assert!(report.tally.events >= 3 && report.checkpoints == 1, "{report:?}");
}

/// A running server that speaks S3 and checks signatures, with one bucket and one key.
struct Storage {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
    known: Value,
}

impl Storage {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut child = Command::new(root.join("peers/s3/bin/python"))
            .arg(root.join("end2end/programs/s3.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`cargo xtask test` installs the S3-compatible server");
        let (ask, told) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut storage = Self { child, ask, told: BufReader::new(told), known: Value::Null };
        storage.known = storage.line();
        storage
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn known(&self, name: &str) -> String {
        self.known[name].as_str().unwrap().to_owned()
    }

    /// Returns what the bucket holds, with its names.
    fn objects(&mut self) -> Vec<(String, Vec<u8>)> {
        self.ask.write_all(b"objects\n").unwrap();
        let held = self.line();
        let held = held.as_object().unwrap().iter();
        held.map(|(name, text)| (name.clone(), BASE64.decode(text.as_str().unwrap()).unwrap())).collect()
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
