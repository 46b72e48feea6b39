//! Addresses inside our network, in every spelling: nobody is shown a way in.

use doorward::model::InstanceRole;
use http::{Method, StatusCode};
use serde_json::json;

use crate::{scripted::Scripted, world::World};

/// Addresses by which a stranger would look around inside our network.
const INSIDE: [&str; 33] = [
    "http://127.0.0.1:PORT/mcp",
    "http://127.1:PORT/mcp",
    "http://2130706433:PORT/mcp",
    "http://0x7f000001:PORT/mcp",
    "http://0177.0.0.1:PORT/mcp",
    "http://0:PORT/mcp",
    "http://0.0.0.0:PORT/mcp",
    "http://localhost:PORT/mcp",
    "http://LOCALHOST.:PORT/mcp",
    "http://[::1]:PORT/mcp",
    "http://[::]:PORT/mcp",
    "http://[::ffff:127.0.0.1]:PORT/mcp",
    "http://[::ffff:7f00:1]:PORT/mcp",
    "http://[::127.0.0.1]:PORT/mcp",
    "http://[64:ff9b::7f00:1]:PORT/mcp",
    "http://[2002:7f00:1::]:PORT/mcp",
    "http://[fe80::1]:PORT/mcp",
    "http://[fec0::1]:PORT/mcp",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254.:80/latest/meta-data/",
    "http://0xa9fea9fe/latest/meta-data/",
    "http://168.63.129.16/",
    "http://100.100.100.200/",
    "http://10.0.0.1:22/",
    "http://172.16.0.1:6379/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://①②⑦.⓪.⓪.①:PORT/mcp",
    "http://127。0。0。1:PORT/mcp",
    "http://%31%32%37.0.0.1:PORT/mcp",
];

#[tokio::test]
async fn no_address_inside_is_asked_for_a_stranger() {
    let world = World::with(&[("DOORWARD_PUBLIC_URL", "https://door.example.org")]).await;
    // Administrators have a plan with as many sources as they like, and no other address book.
    let ada = world.person("ada", InstanceRole::Admin).await;
    let source = Scripted::start().await;
    let port = source.address.port().to_string();

    for (n, address) in INSIDE.iter().enumerate() {
        let url = address.replace("PORT", &port);
        let new = json!({"name": format!("s{n}"), "kind": "mcp_http", "url": url});
        let made = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await;
        if made.status != StatusCode::CREATED {
            assert!(made.status.is_client_error(), "{url}: {}", made.body);
            continue;
        }
        let id = made.json()["source"]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/datasources/{id}/test");
        let tested = world.api(&ada, Method::POST, &path, None).await;
        assert_eq!(made.json()["report"]["passed"], false, "{url}: {}", made.body);
        assert_eq!(tested.json()["passed"], false, "{url}: {}", tested.body);
        let why = made.json()["source"]["health"]["detail"].as_str().unwrap().to_owned();
        assert!(why.contains("not allowed") || why.contains("has no address"), "{url}: {why}");
        let detected = world.engine.sources.detect(&ada.member, &url.parse().unwrap(), None, None).await;
        assert!(!format!("{detected:?}").contains("passed: true"), "{url}: {detected:?}");
    }
    for address in [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "ftp://127.0.0.1/",
        "http://ada:pw@127.0.0.1/",
        "//127.0.0.1/",
        "javascript:1",
        "",
    ] {
        let new = json!({"name": "other", "kind": "mcp_http", "url": address});
        let made = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await;
        assert!(made.status.is_client_error(), "{address}: {} {}", made.status, made.body);
    }
    assert!(source.heads().is_empty(), "somebody came through");
}

#[tokio::test]
async fn every_closed_port_inside_looks_like_every_open_one() {
    let world = World::with(&[("DOORWARD_PUBLIC_URL", "https://door.example.org")]).await;
    let ada = world.person("ada", InstanceRole::Admin).await;
    let source = Scripted::start().await;
    let report = async |name: &str, port: u16| {
        let new = json!({"name": name, "kind": "mcp_http", "url": format!("http://127.0.0.1:{port}/mcp")});
        let made = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await.json();
        let steps = made["report"]["steps"].as_array().unwrap().clone();
        steps
            .iter()
            .map(|step| (step["name"].clone(), step["outcome"].clone(), step["detail"].clone()))
            .collect::<Vec<_>>()
    };

    let open = report("open", source.address.port()).await;
    let closed = report("closed", 9).await;

    assert_eq!(open, closed);
}
