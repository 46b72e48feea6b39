//! What the replicas stand on.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;

use super::{
    asking::asking_source,
    calls::{begin_at, in_session},
    watched::Watched,
};
use crate::{
    beside::{Beside, Redis},
    cluster::Cluster,
    ports::free_port,
    running::{Door, Place, Running, until},
    scripted::Scripted,
};

/// The vault's key, which all share.
const VAULT_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// How many calls the plan of bob has.
pub(crate) const CALLS_MAX: usize = 10;

/// Everything the replicas stand on, and nginx before them.
pub(crate) struct Scene {
    pub(crate) places: Vec<Place>,
    pub(crate) front: Door,
    pub(crate) source: Scripted,
    pub(crate) watched: Watched,
    pub(crate) cluster: Cluster,
    pub(crate) redis: Option<Redis>,
    _nginx: Beside,
}

impl Scene {
    pub(crate) async fn start() -> Option<Self> {
        let cluster = Cluster::start().await?;
        let source = Scripted::start().await;
        let asks = asking_source().await;
        let watched = Watched::start().await;
        let redis = Redis::start().await;
        let (front, ports) = (free_port(), [free_port(), free_port(), free_port()]);
        let place = |port: u16| {
            Place::new()
                .with("DOORWARD_DATABASE_URL", &cluster.url("doorward_app", "doorward"))
                .with("DOORWARD_DATABASE_OWNER_URL", &cluster.url("doorward_owner", "doorward"))
                .with("DOORWARD_VAULT_KEY", VAULT_KEY)
                .with("DOORWARD_REDIS_URL", &redis.url())
                .with("DOORWARD_RATE_LIMIT_PERSON", "1000000/minute")
                .with("DOORWARD_LISTEN", &format!("127.0.0.1:{port}"))
        };
        let places: Vec<Place> = ports.into_iter().map(place).collect();
        let document = format!(
            "  - {{handle: bob, email: bob@example.org, password_file: password, plan: few}}
plans: [{{name: few, calls_per_month: {CALLS_MAX}}}]
sources:
  - {{owner: ada, name: scripted, kind: mcp_http, url: '{url}'}}
  - {{owner: ada, name: asks, kind: mcp_http, url: '{asks}'}}
  - {{owner: ada, name: watched, kind: mcp_http, url: '{watches}'}}
presets:
  - {{owner: ada, slug: tools, visibility: public, tools: [{{source: scripted, allow: all}}]}}
  - {{owner: ada, slug: asks, tools: [{{source: asks, allow: all}}]}}
  - {{owner: ada, slug: watched, tools: [{{source: watched, allow: all, resources: all}}]}}
keys:
  - {{owner: ada, name: ada, secret_file: ada.key}}
  - {{owner: bob, name: bob, secret_file: bob.key}}
",
            url = source.url(),
            watches = watched.url,
        );
        places[0].prepare(&document).await;
        let nginx = Beside::start(front, |folder| nginx(folder, front, ports)).await;
        let front = Door::at(&format!("127.0.0.1:{front}"));
        Some(Self { places, front, source, watched, cluster, redis: Some(redis), _nginx: nginx })
    }

    pub(crate) fn key(&self, file: &str) -> String {
        self.places[0].key(file)
    }

    pub(crate) async fn serve_all(&self) -> Vec<Running<'_>> {
        join_all(self.places.iter().map(Place::serve)).await
    }

    /// Waits until every one hands on what is another's.
    pub(crate) async fn all_know_each_other<'a, 'p: 'a>(
        &self,
        running: impl IntoIterator<Item = &'a Running<'p>>,
    ) {
        let running: Vec<_> = running.into_iter().collect();
        let ada = self.key("ada.key");
        for replica in &running {
            let session = begin_at(replica, &ada).await;
            for other in &running {
                until("they know each other", async || {
                    let call = in_session(&session, &ada, "echo", &json!({}));
                    other.send(call.request()).await.status == StatusCode::OK
                })
                .await;
            }
        }
        let moved = "select count(*) from sessions_moved";
        assert_eq!(self.cluster.count(moved).await, 0, "what is handed on is not taken over");
    }

    /// Applies presets through the front.
    pub(crate) async fn apply(&self, presets: &str) {
        self.apply_at(&self.front, presets).await;
    }

    /// Applies presets through one of them.
    pub(crate) async fn apply_at(&self, door: &Door, presets: &str) {
        let place = &self.places[0];
        std::fs::write(place.path("more.yaml"), format!("version: 1\npresets:\n{presets}")).unwrap();
        let url = format!("http://{}", door.address());
        let (status, said) = place.run(&["apply", "more.yaml", "--url", &url, "--key-file", "ada.key"]).await;
        assert!(status.success(), "{said}");
    }
}

/// Starts nginx with the configuration that the project comes with, its names replaced by addresses.
fn nginx(folder: &Path, front: u16, ports: [u16; 3]) -> Command {
    let mut text = include_str!("../../../../deploy/nginx.conf").to_owned();
    for (number, port) in (1..).zip(ports) {
        let name = format!("doorward-{number}:8080");
        assert!(text.contains(&name), "{text}");
        text = text.replace(&name, &format!("127.0.0.1:{port}"));
    }
    let own = "http {\n access_log off; add_header x-upstream $upstream_addr always;\n client_body_temp_path body; proxy_temp_path \
               proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;";
    text = text.replace("listen 8080", &format!("listen 127.0.0.1:{front}")).replace("http {", own);
    if rustix::process::getuid().is_root() {
        text.insert_str(0, "user root;\n");
    }
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut nginx = Beside::command("nginx");
    nginx.args(["-e", "stderr", "-g", &format!("daemon off; pid {}/pid;", folder.display()), "-p"]);
    // What it says of a request that it lost is what a test that fails has to show.
    nginx.arg(folder).arg("-c").arg(file).stderr(Stdio::inherit());
    nginx
}
