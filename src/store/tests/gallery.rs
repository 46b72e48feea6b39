//! Public presets are found across organisations, and nothing else is.

use super::*;
use crate::{
    model::{Handle, PresetTool, Selection},
    store::{PublicFilter, testing::store_test},
};

store_test!(public_presets_are_found_by_their_words_and_nothing_else_is, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let docs = source(ada.tenant, "docs");
    let held = SourceTool { state: ToolState::Changed, ..tool(docs.id, "held", "{}") };
    let public = |tenant, slug: &str| Preset { visibility: Visibility::Public, ..preset(tenant, slug) };
    let notes = Preset { title: "Release 100%".into(), ..public(ada.tenant, "notes") };
    let ended = Preset { expires_at: Some(NOW), ..public(ada.tenant, "ended") };
    let off = Preset { status: PresetStatus::Disabled, ..public(ada.tenant, "off") };
    let open = Preset { anonymous: true, expires_at: Some(Ms(NOW.0 + 1)), ..public(bob.tenant, "open") };
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_source(&docs, None).await.unwrap();
    tx.put_source_tools(docs.id, &[tool(docs.id, "search", "{}"), tool(docs.id, "Send", "{}"), held])
        .await
        .unwrap();
    for preset in [&notes, &ended, &off, &preset(ada.tenant, "private")] {
        tx.add_preset(preset).await.unwrap();
    }
    let said = |name: &str, enabled, exposed: Option<&str>| PresetTool {
        name: name.into(),
        enabled,
        exposed_name: exposed.map(Into::into),
        exposed_description: None,
        check_arguments: false,
    };
    let tools = vec![said("search", true, Some("find_it"))];
    tx.set_selections(notes.id, &[Selection { tools, ..Selection::all_tools(docs.id) }]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    tx.add_preset(&open).await.unwrap();
    tx.commit().await.unwrap();

    let find = async |filter: PublicFilter| {
        let mut tx = test.store.system_read().await.unwrap();
        let found = tx.list_public_presets(&PublicFilter { limit: 10, ..filter }, NOW).await.unwrap();
        found.iter().map(|(preset, owner)| format!("{owner}/{}", preset.slug)).collect::<Vec<_>>()
    };
    let words = async |text: &str| {
        find(PublicFilter { words: text.split(' ').map(str::to_owned).collect(), ..PublicFilter::default() })
            .await
    };
    assert_eq!(find(PublicFilter::default()).await, ["ada/notes", "bob/open"]);
    assert_eq!(find(PublicFilter { anonymous: true, ..PublicFilter::default() }).await, ["bob/open"]);
    let after = (Handle::parse("ada").unwrap(), notes.slug.clone());
    assert_eq!(find(PublicFilter { after: Some(after), ..PublicFilter::default() }).await, ["bob/open"]);
    for (text, found) in [
        ("RELEASE", true),
        ("100%", true),
        ("1_0%", false),
        ("find_it", true),
        ("search", false),
        ("send", true),
        ("send release", true),
        ("send nothing", false),
        ("held", false),
        ("private", false),
    ] {
        let expected: &[&str] = if found { &["ada/notes"] } else { &[] };
        assert_eq!(words(text).await, expected, "{text}");
    }
});
