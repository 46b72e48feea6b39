use serde_json::value::RawValue;
use url::Url;

use super::*;
use crate::{
    clock::Ms,
    model::{EraSetting, Health, Reach, SourceId, SourceName, TenantId, ToolHash},
};

#[test]
fn all_takes_what_is_accepted_and_not_switched_off() {
    let stock =
        stock("one", &[("a", ToolState::Accepted), ("b", ToolState::Accepted), ("c", ToolState::New)]);
    let selection = Selection { source: stock.source.id, all: true, tools: vec![said("b", false, None)] };

    let stocks = [stock];
    let selections = [selection];
    let composition = compose(&selections, &stocks);

    assert_eq!(names(&composition.published), ["a"]);
    assert_eq!(names(&composition.held), ["c"]);
}

#[test]
fn some_takes_only_what_is_named() {
    let stock = stock("one", &[("a", ToolState::Accepted), ("b", ToolState::Accepted)]);
    let selection =
        Selection { source: stock.source.id, all: false, tools: vec![said("b", true, Some("bee"))] };

    let (stocks, selections) = ([stock], [selection]);

    assert_eq!(names(&compose(&selections, &stocks).published), ["bee"]);
}

#[test]
fn held_and_gone_tools_are_not_published() {
    let states = [("a", ToolState::New), ("b", ToolState::Changed), ("c", ToolState::Gone)];
    let stock = stock("one", &states);
    let selections = [all(&stock)];
    let stocks = [stock];

    let composition = compose(&selections, &stocks);

    assert!(composition.published.is_empty());
    assert_eq!(names(&composition.held), ["a", "b"]);
}

#[test]
fn a_later_source_cannot_take_a_name_away() {
    let first = stock("jira", &[("Search", ToolState::Accepted)]);
    let second = stock("evil", &[("search", ToolState::Accepted)]);
    let selections = [all(&second), all(&first)];
    let stocks = [second, first];

    let composition = compose(&selections, &stocks);

    assert_eq!(names(&composition.published), ["Search"]);
    let collision = &composition.collisions[0];
    assert_eq!((collision.first.0.as_str(), collision.second.0.as_str()), ("jira", "evil"));
    assert_eq!(collision.suggestion, "evil_search");
}

#[test]
fn a_name_chosen_by_hand_wins_over_one_that_came_by_itself() {
    let first = stock("jira", &[("search", ToolState::Accepted)]);
    let second = stock("wiki", &[("find", ToolState::Accepted)]);
    let by_hand =
        Selection { source: second.source.id, all: false, tools: vec![said("find", true, Some("search"))] };
    let selections = [all(&first), by_hand];
    let stocks = [first, second];

    let composition = compose(&selections, &stocks);

    assert_eq!(composition.published[0].source.name.as_str(), "wiki");
    assert_eq!(composition.collisions.len(), 1);
}

#[test]
fn an_alias_ends_a_collision() {
    let first = stock("jira", &[("search", ToolState::Accepted)]);
    let second = stock("wiki", &[("search", ToolState::Accepted)]);
    let alias = Selection {
        source: second.source.id,
        all: true,
        tools: vec![said("search", true, Some("wiki_search"))],
    };
    let selections = [all(&first), alias];
    let stocks = [first, second];

    let composition = compose(&selections, &stocks);

    assert_eq!(names(&composition.published), ["search", "wiki_search"]);
    assert!(composition.collisions.is_empty());
}

#[test]
fn no_two_tools_ever_share_an_exposed_name() {
    let mut dice = Dice(11);
    let words = ["a", "A", "b", "ab", "AB", "aB", "ß", "SS", "İ", "i"];
    for _ in 0..500 {
        let stocks: Vec<Stock> = (0..dice.roll(4) + 1)
            .map(|n| {
                let tools: Vec<(&str, ToolState)> = words
                    .into_iter()
                    .filter_map(|word| (dice.roll(2) == 0).then_some((word, ToolState::Accepted)))
                    .collect();
                stock(&format!("source-{n}"), &tools)
            })
            .collect();
        let selections: Vec<Selection> = stocks
            .iter()
            .map(|stock| {
                let mut tools = Vec::new();
                for word in words {
                    if dice.roll(3) == 0 {
                        tools.push(said(word, dice.roll(5) > 0, Some(words[dice.roll(10)])));
                    }
                }
                Selection { source: stock.source.id, all: dice.roll(2) == 0, tools }
            })
            .collect();

        let composition = compose(&selections, &stocks);

        let mut exposed = HashSet::new();
        let mut behind = HashSet::new();
        for chosen in &composition.published {
            assert!(exposed.insert(chosen.name().to_lowercase()), "{} is there twice", chosen.name());
            assert!(behind.insert((chosen.source.id, &chosen.tool.name)), "a tool is published twice");
        }
        for collision in &composition.collisions {
            let suggestion = collision.suggestion.to_lowercase();
            assert!(exposed.insert(suggestion), "{} is not free", collision.suggestion);
        }
    }
}

fn names<'a>(chosen: &'a [Chosen<'_>]) -> Vec<&'a str> {
    chosen.iter().map(Chosen::name).collect()
}

fn all(stock: &Stock) -> Selection {
    Selection { source: stock.source.id, all: true, tools: Vec::new() }
}

fn said(name: &str, enabled: bool, exposed_name: Option<&str>) -> PresetTool {
    PresetTool {
        name: name.to_owned(),
        enabled,
        exposed_name: exposed_name.map(str::to_owned),
        exposed_description: None,
        check_arguments: false,
    }
}

/// Makes a source with tools; sources made later are younger.
pub(in crate::presets) fn stock(name: &str, tools: &[(&str, ToolState)]) -> Stock {
    let source = Source {
        id: SourceId::new(),
        tenant: TenantId::new(),
        name: SourceName::parse(name).unwrap(),
        reach: Reach::McpHttp { url: Url::parse("http://localhost/mcp").unwrap() },
        auth_kind: "none".to_owned(),
        env_names: Vec::new(),
        era: EraSetting::Auto,
        verdict: None,
        enabled: true,
        health: Health::default(),
        version: 1,
        created_at: Ms(0),
        updated_at: Ms(0),
    };
    let tool = |&(name, state): &(&str, ToolState)| {
        let text = format!(
            r#"{{"name":"{name}","description":"from {}","inputSchema":{{"type":"object"}}}}"#,
            source.name
        );
        SourceTool {
            source: source.id,
            name: name.to_owned(),
            definition: RawValue::from_string(text).unwrap(),
            hash: ToolHash(String::new()),
            accepted_definition: None,
            state,
            seen_at: Ms(0),
        }
    };
    Stock { tools: tools.iter().map(tool).collect(), source }
}

/// A small generator: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides).unwrap()
    }
}
