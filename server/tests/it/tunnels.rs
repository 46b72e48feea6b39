//! Tunnels as people see them.

use axum::body::Body;
use doorward::model::InstanceRole;
use http::{Method, header};
use serde_json::json;

use crate::world::{World, request};

#[tokio::test]
async fn a_source_behind_a_tunnel_names_it_with_a_link_and_another_names_none() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Admin).await;
    let hop = json!({"host": "bastion.example.org", "user": "ada"});
    let new = json!({"name": "bastion", "hops": [hop], "destinations": ["history.internal:18080"]});
    let made = world.api(&ada, Method::POST, "/api/v1/tunnels", Some(new)).await.json();
    let id = made["id"].as_str().unwrap();
    let page = async |name: &str, tunnel: Option<&str>| {
        let new = json!({"name": name, "kind": "spark_history", "url": "http://history.internal:18080/",
            "enabled": false, "tunnel": tunnel});
        let source = world.api(&ada, Method::POST, "/api/v1/datasources", Some(new)).await;
        let path = format!("/sources/{}", source.json()["source"]["id"].as_str().expect(&source.body));
        let asked = request(Method::GET, &path).header(header::COOKIE, &ada.cookie);
        world.send(asked.body(Body::empty()).unwrap()).await.body
    };

    let (behind, direct) = (page("behind", Some(id)).await, page("direct", None).await);

    let link = format!("href=\"/tunnels/{id}\"");
    assert!(behind.contains("Through the tunnel") && behind.contains(&link), "{behind}");
    assert!(!direct.contains("Through the tunnel") && !direct.contains(&link), "{direct}");
}
