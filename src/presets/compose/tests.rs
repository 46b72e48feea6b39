use serde_json::value::RawValue;

use super::*;
use crate::{
    clock::Ms,
    model::{Take, TenantId, ToolHash, samples},
};

#[test]
fn all_takes_what_is_accepted_and_not_switched_off() {
    let stock =
        stock("one", &[("a", ToolState::Accepted), ("b", ToolState::Accepted), ("c", ToolState::New)]);
    let selection = Selection { tools: vec![said("b", false, None)], ..all(&stock) };

    let stocks = [stock];
    let selections = [selection];
    let composition = compose(&selections, &stocks);

    assert_eq!(names(&composition.published), ["a"]);
    assert_eq!(names(&composition.held), ["c"]);
}

#[test]
fn some_takes_only_what_is_named() {
    let stock = stock("one", &[("a", ToolState::Accepted), ("b", ToolState::Accepted)]);
    let selection = Selection { all: false, tools: vec![said("b", true, Some("bee"))], ..all(&stock) };

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
    let by_hand = Selection { all: false, tools: vec![said("find", true, Some("search"))], ..all(&second) };
    let selections = [all(&first), by_hand];
    let stocks = [first, second];

    let composition = compose(&selections, &stocks);

    assert_eq!(composition.published[0].source.name.as_str(), "wiki");
    assert_eq!(composition.collisions.len(), 1);
}

#[test]
fn of_two_prompts_of_one_name_the_later_is_named_after_its_source() {
    let mut stocks = [stock("one", &[]), stock("two", &[])];
    for stock in &mut stocks {
        let named = |name, state| tool(&stock.source, name, state);
        stock.prompts = vec![
            named("review", ToolState::Accepted),
            named("new", ToolState::New),
            named("gone", ToolState::Gone),
        ];
    }
    let whole = |stock: &Stock| Selection { prompts: Take::All, ..all(stock) };
    let selections = [whole(&stocks[1]), whole(&stocks[0])];

    let composition = compose(&selections, &stocks);

    let prompts: Vec<_> =
        composition.prompts.iter().map(|one| (one.name.as_str(), one.source.name.as_str())).collect();
    assert_eq!(prompts, [("review", "one"), ("two_review", "two")]);
    assert_eq!(composition.held_prompts.len(), 2);
}

#[test]
fn only_named_prompts_are_taken_where_some_are_named() {
    let mut stocks = [stock("one", &[])];
    stocks[0].prompts = ["a", "b"].map(|name| tool(&stocks[0].source, name, ToolState::Accepted)).into();
    let some = Selection { prompts: Take::Only(vec!["b".into(), "gone".into()]), ..all(&stocks[0]) };
    let none = all(&stocks[0]);

    let names = |selection: &Selection| {
        let composition = compose(std::slice::from_ref(selection), &stocks);
        composition.prompts.iter().map(|one| one.name.clone()).collect::<Vec<_>>()
    };

    assert_eq!(names(&some), ["b"]);
    assert!(names(&none).is_empty());
}

#[test]
fn an_alias_ends_a_collision() {
    let first = stock("jira", &[("search", ToolState::Accepted)]);
    let second = stock("wiki", &[("search", ToolState::Accepted)]);
    let alias = Selection { tools: vec![said("search", true, Some("wiki_search"))], ..all(&second) };
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
                Selection { all: dice.roll(2) == 0, tools, ..all(stock) }
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
    Selection::all_tools(stock.source.id)
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
    let source = samples::source(TenantId::new(), name);
    let tools = tools.iter().map(|&(name, state)| tool(&source, name, state)).collect();
    Stock::of_tools(source, tools)
}

/// Makes a tool or prompt of a source.
pub(in crate::presets) fn tool(source: &Source, name: &str, state: ToolState) -> SourceTool {
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
}

/// A small generator: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides).unwrap()
    }
}
