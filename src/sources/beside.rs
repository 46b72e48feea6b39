//! What sources offer beside tools: comparing it with what is kept, and keeping it.
//!
//! Resources and resource templates follow the source. Prompts are pinned as tools are: what is
//! there at the first look counts as accepted, what appears or changes later is held.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::{
    clock::Ms,
    model::{ResourceKind, SourceId, SourceOffer, SourceResource},
    sources::{Result, SourceSettings, catalogue, definition, definition::Pinned},
    store::Tx,
    upstream::Beside,
};

/// The largest capabilities of a source that are kept, in bytes; larger ones count as none.
const CAPABILITIES_BYTES_MAX: usize = 64 * 1024;

/// Keeps what a source offers beside tools, as far as it could be read. Says whether any of it is
/// another than before.
pub(super) async fn keep(
    tx: &mut Tx,
    source: SourceId,
    beside: &Beside,
    now: Ms,
    settings: &SourceSettings,
) -> Result<bool> {
    let mut changed = false;
    let known = tx.source_offer(source).await?;
    if let Some(listed) = &beside.prompts {
        let prompts = tx.list_source_prompts(source).await?;
        // Sources that were added before prompts were kept have their first look later.
        let first_look = known.is_none() && prompts.is_empty();
        let look = catalogue::compare(Pinned::Prompts, source, &prompts, listed, first_look, now, settings);
        tx.put_source_prompts(source, &look.put).await?;
        tx.remove_source_prompts(source, &look.forget).await?;
        changed |= !look.change.is_empty();
    }
    let lists = [(ResourceKind::Resource, &beside.resources), (ResourceKind::Template, &beside.templates)];
    if lists.iter().any(|(_, listed)| listed.is_some()) {
        let known = tx.list_source_resources(source).await?;
        for (kind, listed) in lists {
            let Some(listed) = listed else { continue };
            let (put, gone) = compare(source, kind, &known, listed, settings);
            tx.put_source_resources(source, &put).await?;
            tx.remove_source_resources(source, &gone).await?;
            changed |= !put.is_empty() || !gone.is_empty();
        }
    }
    // Kept only when the prompts were seen as well: it marks their first look.
    if let (Some(offer), Some(_)) = (&beside.offer, &beside.prompts) {
        let capabilities = std::str::from_utf8(&offer.capabilities)
            .ok()
            .filter(|text| text.len() <= CAPABILITIES_BYTES_MAX)
            .and_then(|text| RawValue::from_string(text.to_owned()).ok())
            .unwrap_or_else(empty_object);
        let instructions = offer.instructions.clone().unwrap_or_default();
        let is_known = known.is_some_and(|known| {
            known.capabilities.get() == capabilities.get() && known.instructions == instructions
        });
        if !is_known {
            tx.set_source_offer(source, &SourceOffer { capabilities, instructions, seen_at: now }).await?;
            changed = true;
        }
    }
    Ok(changed)
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

/// Returns what to write and what to forget of one kind.
fn compare(
    source: SourceId,
    kind: ResourceKind,
    known: &[SourceResource],
    listed: &[Box<RawValue>],
    settings: &SourceSettings,
) -> (Vec<SourceResource>, Vec<(ResourceKind, String)>) {
    let known: HashMap<&str, &SourceResource> =
        known.iter().filter(|one| one.kind == kind).map(|one| (one.uri.as_str(), one)).collect();
    let (mut put, mut seen) = (Vec::new(), HashSet::new());
    let mut bytes = 0_usize;
    for raw in listed {
        let uri = match definition::resource_uri(kind, raw, settings.definition_bytes_max) {
            Ok(uri) => uri,
            Err(reason) => {
                tracing::debug!(source.id = %source, reason, "a {kind} of a source is left out");
                continue;
            }
        };
        bytes = bytes.saturating_add(raw.get().len());
        if bytes > settings.catalogue_bytes_max || seen.len() >= settings.resources_max {
            tracing::warn!(source.id = %source, "a source lists more of kind {kind} than is kept");
            break;
        }
        if !seen.insert(uri.clone()) {
            continue;
        }
        if known.get(uri.as_str()).is_none_or(|known| known.definition.get() != raw.get()) {
            put.push(SourceResource { source, kind, uri, definition: raw.clone() });
        }
    }
    let mut gone: Vec<(ResourceKind, String)> =
        known.keys().filter(|uri| !seen.contains(**uri)).map(|uri| (kind, (*uri).to_owned())).collect();
    gone.sort_by(|a, b| a.1.cmp(&b.1));
    (put, gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_follow_the_source() {
        let source = SourceId::new();
        let settings = SourceSettings::default();
        let (known, _) = compare(
            source,
            ResourceKind::Resource,
            &[],
            &raw(&[r#"{"uri":"a:1"}"#, r#"{"uri":"a:2"}"#]),
            &settings,
        );

        let listed = raw(&[r#"{"uri":"a:2", "x":1}"#, r#"{"uri":"a:3"}"#, r#"{"uri":"a:3","x":"twice"}"#]);
        let (put, gone) = compare(source, ResourceKind::Resource, &known, &listed, &settings);

        let put: Vec<&str> = put.iter().map(|one| one.definition.get()).collect();
        assert_eq!(put, [r#"{"uri":"a:2", "x":1}"#, r#"{"uri":"a:3"}"#]);
        assert_eq!(gone, [(ResourceKind::Resource, "a:1".to_owned())]);
        let (put, gone) = compare(source, ResourceKind::Template, &known, &[], &settings);
        assert!(put.is_empty() && gone.is_empty(), "resources are no templates");
    }

    #[test]
    fn what_would_confuse_a_client_or_fill_the_database_is_left_out() {
        let settings =
            SourceSettings { resources_max: 2, definition_bytes_max: 100, ..SourceSettings::default() };
        let long = format!(r#"{{"uri":"a:{}"}}"#, "x".repeat(100));
        let listed = raw(&[
            "7",
            "{}",
            r#"{"uri":7}"#,
            r#"{"uri":""}"#,
            r#"{"uri":"a:\u0000"}"#,
            r#"{"uri":"a:\u202e"}"#,
            r#"{"uri":"a:1","uri":"a:2"}"#,
            &long,
            r#"{"uri":"a:1"}"#,
            r#"{"uri":"a:2"}"#,
            r#"{"uri":"a:3"}"#,
        ]);

        let (put, _) = compare(SourceId::new(), ResourceKind::Resource, &[], &listed, &settings);

        let uris: Vec<&str> = put.iter().map(|one| one.uri.as_str()).collect();
        assert_eq!(uris, ["a:1", "a:2"]);
    }

    fn raw(texts: &[&str]) -> Vec<Box<RawValue>> {
        texts.iter().map(|text| RawValue::from_string((*text).to_owned()).unwrap()).collect()
    }
}
