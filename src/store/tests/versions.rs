//! What presets were, kept up to a bound.

use super::*;
use crate::{
    model::{PresetState, PresetTake, PresetTool, PresetVersion, Selection, Take},
    store::{PRESET_VERSIONS_MAX, testing::store_test},
};

store_test!(versions_of_a_preset_are_kept_up_to_a_bound_and_go_with_it, |test| async move {
    let ada = test.add_user("ada").await;
    let (notes, other) = (preset(ada.tenant, "notes"), preset(ada.tenant, "other"));
    let state = state(&notes);
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_preset(&notes).await.unwrap();
    tx.add_preset(&other).await.unwrap();
    tx.add_preset_version(other.id, &version(1), &state).await.unwrap();

    for number in 1..=PRESET_VERSIONS_MAX + 5 {
        tx.add_preset_version(notes.id, &version(number), &state).await.unwrap();
    }

    let kept = tx.list_preset_versions(notes.id).await.unwrap();
    assert_eq!(kept.len() as i64, PRESET_VERSIONS_MAX);
    assert_eq!((kept[0].version, kept[kept.len() - 1].version), (PRESET_VERSIONS_MAX + 5, 6));
    let found = tx.find_preset_version(notes.id, 6).await.unwrap();
    assert_eq!(found, Some((version(6), state.clone())));
    assert!(tx.find_preset_version(notes.id, 5).await.unwrap().is_none());
    assert!(tx.has_preset_version(notes.id, 6).await.unwrap());
    assert!(!tx.has_preset_version(notes.id, 5).await.unwrap());
    assert_eq!(tx.list_preset_versions(other.id).await.unwrap(), [version(1)], "each has a bound of its own");
    tx.commit().await.unwrap();

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.remove_preset(notes.id).await.unwrap();
    assert!(tx.list_preset_versions(notes.id).await.unwrap().is_empty());
});

store_test!(large_versions_push_out_old_ones_sooner, |test| async move {
    let ada = test.add_user("ada").await;
    let notes = preset(ada.tenant, "notes");
    let large =
        |megabytes: usize| PresetState { description: "x".repeat(megabytes * 1024 * 1024), ..state(&notes) };
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_preset(&notes).await.unwrap();

    for number in 1..=3 {
        tx.add_preset_version(notes.id, &version(number), &large(1)).await.unwrap();
    }
    assert_eq!(tx.list_preset_versions(notes.id).await.unwrap().len(), 3);
    tx.add_preset_version(notes.id, &version(4), &large(2)).await.unwrap();
    assert_eq!(numbers(&tx.list_preset_versions(notes.id).await.unwrap()), [4, 3]);

    tx.add_preset_version(notes.id, &version(5), &large(5)).await.unwrap();
    assert_eq!(numbers(&tx.list_preset_versions(notes.id).await.unwrap()), [5], "the newest is always kept");
});

store_test!(versions_stay_in_their_organisation, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let notes = preset(ada.tenant, "notes");
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    tx.add_preset(&notes).await.unwrap();
    tx.add_preset_version(notes.id, &version(1), &state(&notes)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    assert!(tx.list_preset_versions(notes.id).await.unwrap().is_empty());
    assert!(tx.find_preset_version(notes.id, 1).await.unwrap().is_none());
    assert!(!tx.has_preset_version(notes.id, 1).await.unwrap());
    assert!(tx.add_preset_version(notes.id, &version(2), &state(&notes)).await.is_err());
});

fn numbers(versions: &[PresetVersion]) -> Vec<i64> {
    versions.iter().map(|version| version.version).collect()
}

fn version(version: i64) -> PresetVersion {
    PresetVersion { version, saved_at: NOW, saved_by: "ada".into(), summary: "title changed".into() }
}

fn state(preset: &Preset) -> PresetState {
    let tool = PresetTool {
        name: "search".into(),
        enabled: true,
        exposed_name: Some("find".into()),
        exposed_description: None,
        check_arguments: true,
    };
    let selection = Selection {
        all: false,
        tools: vec![tool],
        resources: Take::Only(vec!["file:///a".into()]),
        prompts: Take::All,
        ..Selection::all_tools(SourceId::new())
    };
    PresetState::of(preset, vec![PresetTake { source: SourceName::parse("docs").unwrap(), selection }])
}
