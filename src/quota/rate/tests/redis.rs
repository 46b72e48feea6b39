//! Shared buckets, in a real Redis.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    time::Instant,
};

use tempfile::TempDir;

use super::*;
use crate::secret::Secret;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_together_let_through_no_more_than_the_limit() {
    let server = Server::start().await;
    let scene = Arc::new(Scene::new(rules("100/day", &[("send", "30/day")])));
    let gateways = [Arc::new(server.rates(WhenAway::Closed)), Arc::new(server.rates(WhenAway::Closed))];

    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let (scene, rates) = (Arc::clone(&scene), Arc::clone(&gateways[n % 2]));
            tokio::spawn(async move {
                let mut admitted = [0, 0];
                for turn in 0..20 {
                    let tool = ["send", "read"][turn % 2];
                    admitted[turn % 2] +=
                        usize::from(rates.take(&scene.asked(Some(tool)), None, NOW).await.is_ok());
                }
                admitted
            })
        })
        .collect();
    let mut admitted = [0, 0];
    for task in tasks {
        let of_task = task.await.unwrap();
        admitted = [admitted[0] + of_task[0], admitted[1] + of_task[1]];
    }

    assert_eq!(admitted[0] + admitted[1], 100, "{admitted:?}");
    assert!(admitted[0] <= 30, "{admitted:?}");
    let standing = gateways[0].standing(&scene.asked(Some("read")), None, NOW).await;
    assert_eq!(standing[0].free, 0, "{standing:?}");
}

#[tokio::test]
async fn whoever_is_refused_by_one_bucket_has_used_nothing_of_the_others() {
    let server = Server::start().await;
    let scene = Scene::new(rules("100/day", &[("send", "1/hour")]));
    let rates = server.rates(WhenAway::Closed);
    let send = scene.asked(Some("send"));
    assert!(rates.take(&send, None, NOW).await.is_ok());

    for _ in 0..5 {
        let refused = refused(rates.take(&send, None, NOW).await);
        assert_eq!((refused.limited, refused.set_by), (Limited::Tool, SetBy::Owner));
        assert!((3590..=3600).contains(&refused.retry_after_secs()), "{refused:?}");
    }

    let free: Vec<_> =
        rates.standing(&send, None, NOW).await.iter().map(|one| (one.limited, one.free)).collect();
    assert_eq!(free, [(Limited::Tool, 0), (Limited::Preset, 99)]);
}

#[tokio::test]
async fn while_redis_is_away_calls_are_limited_by_each_process_or_refused_and_both_end_with_it() {
    for when_away in [WhenAway::Open, WhenAway::Closed] {
        let mut server = Server::start().await;
        let scene = Scene::new(rules("3/hour", &[]));
        let rates = server.rates(when_away);
        assert!(rates.take(&scene.asked(None), None, NOW).await.is_ok());

        server.kill();
        let mut now = NOW;
        let (mut admitted, mut longest) = (0, Duration::ZERO);
        for _ in 0..50 {
            let begun = Instant::now();
            now = now.plus(Duration::from_millis(200));
            let taken = rates.take(&scene.asked(None), None, now).await;
            longest = longest.max(begun.elapsed());
            match (when_away, taken) {
                (_, Ok(())) => admitted += 1,
                (WhenAway::Open, Err(Refusal::TooFast(_))) | (WhenAway::Closed, Err(Refusal::Away)) => {}
                (_, Err(refusal)) => panic!("{when_away:?}: {refusal:?}"),
            }
        }
        let state = rates.redis().await.unwrap();

        let of_this_process = if when_away == WhenAway::Open { 3 } else { 0 };
        assert_eq!(admitted, of_this_process, "{when_away:?}");
        assert!(longest < shared::WAIT * 4, "{longest:?}");
        assert!(!state.answers && rates.redis_is_away());

        server.restart().await;
        let asked = scene.asked(None);
        loop {
            now = now.plus(Duration::from_secs(1));
            // A Redis that was killed remembers nothing.
            if rates.take(&asked, None, now).await.is_ok() && !rates.redis_is_away() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let standing = rates.standing(&asked, None, now).await;
        assert_eq!(standing[0].free, 2, "{standing:?}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated() {
    let of = |url: &str| RedisSettings { url: Secret::new(url), when_away: WhenAway::Open }.check();

    assert!(of("redis://:hunter2@127.0.0.1:6379/0").is_ok() && of("rediss://redis.example.org").is_ok());
    let wrong = of("http://:hunter2@127.0.0.1").unwrap_err();
    assert!(!wrong.contains("hunter2"));
}

/// A Redis of its own, killed when dropped.
struct Server {
    folder: TempDir,
    port: u16,
    running: Child,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let running = run(&folder, port);
        let server = Self { folder, port, running };
        server.answers().await;
        server
    }

    fn kill(&mut self) {
        self.running.kill().unwrap();
        self.running.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.running = run(&self.folder, self.port);
        self.answers().await;
    }

    fn rates(&self, when_away: WhenAway) -> Rates {
        Rates::shared(RateSettings::default(), &self.settings(when_away)).unwrap()
    }

    fn settings(&self, when_away: WhenAway) -> RedisSettings {
        RedisSettings { url: Secret::new(format!("redis://127.0.0.1:{}", self.port)), when_away }
    }

    async fn answers(&self) {
        let rates = self.rates(WhenAway::Open);
        while !rates.redis().await.unwrap().answers {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test needs a real Redis")]
fn run(folder: &TempDir, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed: see `cargo xtask machine`")
}
