use futures::FutureExt;

use super::*;

fn filter(uris: &[&str]) -> WatchFilter {
    WatchFilter { uris: uris.iter().map(|uri| (*uri).to_owned()).collect(), ..WatchFilter::default() }
}

fn updated(uri: &str, params: &'static str) -> Notice {
    Notice::ResourceUpdated { uri: uri.to_owned(), params: Bytes::from_static(params.as_bytes()) }
}

#[tokio::test]
async fn each_watcher_hears_what_it_asked_for_and_the_same_thing_once() {
    let hub = Hub::new();
    let (mut tools, first) = hub.add(WatchFilter { tools: true, ..WatchFilter::default() });
    let (mut uris, second) = hub.add(filter(&["a:/x", "a:/folder/"]));
    assert!(first.is_some() && second.is_none(), "one listens for both");

    hub.publish_message("notifications/tools/list_changed", &Bytes::from_static(b"{}"));
    hub.publish(&Notice::ToolsChanged);
    hub.publish(&updated("a:/x", "1"));
    hub.publish(&updated("a:/xy", "not asked for"));
    hub.publish(&updated("a:/folder/part", "2"));
    hub.publish(&updated("a:/x", "3"));
    hub.end();

    assert_eq!(tools.next().await, Some(Notice::ToolsChanged));
    assert_eq!(tools.next().await, None);
    assert_eq!(uris.next().await, Some(updated("a:/x", "3")));
    assert_eq!(uris.next().await, Some(updated("a:/folder/part", "2")));
    assert_eq!(uris.next().await, None);
}

#[tokio::test]
async fn the_last_watcher_to_leave_ends_the_listening() {
    let hub = Hub::new();
    let (one, turn) = hub.add(WatchFilter { tools: true, ..WatchFilter::default() });
    assert!(turn.is_some());
    let (two, _) = hub.add(filter(&["a:/x"]));
    assert_eq!(hub.union(), WatchFilter { tools: true, ..filter(&["a:/x"]) });

    drop(one);
    assert!(hub.deserted(Duration::ZERO).now_or_never().is_none());
    assert_eq!(hub.union(), filter(&["a:/x"]));
    drop(two);

    assert!(hub.deserted(Duration::from_secs(3600)).now_or_never().is_none(), "somebody may come back");
    hub.deserted(Duration::ZERO).await;
    assert!(hub.add(filter(&["a:/x"])).1.is_some(), "the next begins anew");
}

#[tokio::test]
async fn after_a_gap_everything_watched_is_told_as_changed() {
    let hub = Hub::new();
    let (mut watch, _turn) = hub.add(WatchFilter { prompts: true, ..filter(&["a:/\"x\""]) });

    hub.publish_all();
    watch.change(filter(&[]));
    hub.publish(&Notice::PromptsChanged);
    hub.end();

    assert_eq!(watch.next().await, Some(Notice::PromptsChanged));
    assert_eq!(watch.next().await, Some(updated("a:/\"x\"", r#"{"uri":"a:/\"x\""}"#)));
    assert_eq!(watch.next().await, None);
}
