//! What needs attention: a sentence each, with the button that leads to the remedy. Pure.

use std::time::Duration;

use doorward::{
    clock::Ms,
    model::{ApiKey, ConnectionState, HealthState, PresetStatus},
    presets::PresetSummary,
    sources::{ConnectionView, SourceSummary},
};

use crate::{
    ui::{Tone, ago, count},
    usage::MonthUse,
};

/// How long before its end a key is spoken of.
const KEY_WARNING: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long before its end a sign-in is spoken of that does not renew itself.
const CONNECTION_WARNING: Duration = Duration::from_secs(24 * 3600);

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub tone: Tone,
    pub sentence: String,
    pub why: String,
    pub path: String,
    pub button: &'static str,
}

/// Returns what needs attention, the worst first.
pub(super) fn items(
    sources: &[SourceSummary],
    presets: &[PresetSummary],
    keys: &[ApiKey],
    connections: &[ConnectionView],
    months: &[MonthUse],
    now: Ms,
) -> Vec<Item> {
    let mut items: Vec<Item> = months.iter().filter_map(|month| quota(month, now)).collect();
    items.extend(sources.iter().filter_map(failing));
    items.extend(connections.iter().filter_map(|view| connection(view, now)));
    items.extend(presets.iter().filter_map(collisions));
    items.extend(sources.iter().flat_map(held));
    items.extend(keys.iter().filter_map(|key| ending(key, now)));
    items
}

fn quota(month: &MonthUse, now: Ms) -> Option<Item> {
    let MonthUse { what, used, limit, resets_at } = month;
    let limit = (*limit)?;
    let left = limit - used;
    let item = |tone, sentence| Item {
        tone,
        sentence,
        why: format!("The next month begins {}.", ago(*resets_at, now)),
        path: "/usage".to_owned(),
        button: "See the usage",
    };
    if left <= 0 {
        return Some(item(Tone::Bad, format!("All {} {what} of this month are used up.", count(limit))));
    }
    let near = left.saturating_mul(5) <= limit;
    near.then(|| item(Tone::Warn, format!("{} of {} {what} are left this month.", count(left), count(limit))))
}

fn failing(summary: &SourceSummary) -> Option<Item> {
    let source = &summary.source;
    (source.enabled && source.health.state == HealthState::Failing).then(|| Item {
        tone: Tone::Bad,
        sentence: format!("The data source {} cannot be used.", source.name),
        why: crate::trouble::sentence(&source.health.detail),
        path: format!("/sources/{}", source.id),
        button: "Look",
    })
}

/// Speaks of sign-ins before tools stop working, where that can be known.
fn connection(view: &ConnectionView, now: Ms) -> Option<Item> {
    let ConnectionView { connection, source_name, may_change, .. } = view;
    if !may_change {
        return None;
    }
    let ends = connection.expires_at.filter(|end| !connection.renews && *end <= now.plus(CONNECTION_WARNING));
    let (tone, sentence, why) = match (connection.state, ends) {
        (ConnectionState::Wanted, _) => (
            Tone::Warn,
            format!("Nobody has signed in to {source_name} yet."),
            "Its tools answer with where to sign in.".to_owned(),
        ),
        (ConnectionState::Broken, _) => (
            Tone::Bad,
            format!("The sign-in at {source_name} does not work any more."),
            crate::trouble::sentence(&connection.detail),
        ),
        (ConnectionState::Active, Some(end)) => (
            if end <= now { Tone::Bad } else { Tone::Warn },
            format!("The sign-in at {source_name} ends {}.", ago(end, now)),
            "Its issuer gives none that lasts, so sign in again.".to_owned(),
        ),
        (ConnectionState::Active, None) if !connection.wanted_scope.is_empty() => (
            Tone::Warn,
            format!("{source_name} wants more than was granted."),
            format!("It asks for: {}", connection.wanted_scope),
        ),
        (ConnectionState::Active, None) if !connection.detail.is_empty() => (
            Tone::Warn,
            format!("The sign-in at {source_name} could not be renewed so far."),
            crate::trouble::sentence(&connection.detail),
        ),
        (ConnectionState::Active, None) => return None,
    };
    Some(Item { tone, sentence, why, path: format!("/connections/{}", connection.id), button: "Look" })
}

fn held(summary: &SourceSummary) -> impl Iterator<Item = Item> + use<> {
    let (name, id) = (summary.source.name.clone(), summary.source.id);
    let kinds = [("tool", summary.tools.held()), ("prompt", summary.prompts.held())];
    kinds.into_iter().filter(|(_, held)| *held > 0).map(move |(kind, held)| Item {
        tone: Tone::Held,
        sentence: match held {
            1 => format!("One {kind} of {name} waits for you."),
            _ => format!("{held} {kind}s of {name} wait for you."),
        },
        why: "They are new or not what you accepted, so agents do not see them.".to_owned(),
        path: format!("/sources/{id}/{kind}s"),
        button: "Review",
    })
}

fn collisions(summary: &PresetSummary) -> Option<Item> {
    let active = summary.preset.status == PresetStatus::Active;
    (active && summary.collisions > 0).then(|| Item {
        tone: Tone::Warn,
        sentence: format!("In {}, tools want the same name.", summary.preset.title),
        why: "The second of each is not published until one has another name.".to_owned(),
        path: format!("/presets/{}", summary.preset.id),
        button: "Rename",
    })
}

fn ending(key: &ApiKey, now: Ms) -> Option<Item> {
    let end = key.expires_at?;
    let soon = key.revoked_at.is_none() && end > now && end <= now.plus(KEY_WARNING);
    soon.then(|| Item {
        tone: Tone::Warn,
        sentence: format!("The API key {} ends {}.", key.name, ago(end, now)),
        why: "Agents that use it will be refused from then on.".to_owned(),
        path: "/keys".to_owned(),
        button: "See the keys",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_795_233_963_183);

    fn month(used: i64, limit: i64) -> [MonthUse; 1] {
        [MonthUse { what: "calls".to_owned(), used, limit: Some(limit), resets_at: NOW.month().end() }]
    }

    #[test]
    fn a_quota_is_spoken_of_when_a_fifth_of_it_is_left() {
        assert!(items(&[], &[], &[], &[], &month(79, 100), NOW).is_empty());
        assert_eq!(items(&[], &[], &[], &[], &month(80, 100), NOW)[0].tone, Tone::Warn);
        assert_eq!(items(&[], &[], &[], &[], &month(100, 100), NOW)[0].tone, Tone::Bad);
    }
}
