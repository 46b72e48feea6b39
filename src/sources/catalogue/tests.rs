use super::*;

const HOUR: i64 = 3_600_000;

#[test]
fn the_first_look_accepts_and_later_ones_hold() {
    let mut shelf = Shelf::default();
    let first = shelf.look(&[("a", "one"), ("b", "two")], true);
    assert_eq!(first.accepted, ["a", "b"]);

    let later = shelf.look(&[("a", "one"), ("b", "TWO"), ("c", "three")], false);

    assert_eq!((later.changed, later.new), (vec!["b".to_owned()], vec!["c".to_owned()]));
    assert_eq!(
        shelf.states(),
        [("a", ToolState::Accepted), ("b", ToolState::Changed), ("c", ToolState::New)]
    );
    let held = shelf.tool("b");
    assert!(held.accepted_definition.as_ref().unwrap().get().contains("two"));
}

#[test]
fn a_tool_that_is_again_what_was_accepted_is_let_go() {
    let mut shelf = Shelf::default();
    shelf.look(&[("a", "one")], true);
    shelf.look(&[("a", "ONE")], false);

    let back = shelf.look(&[("a", "one")], false);

    assert_eq!(back.restored, ["a"]);
    assert_eq!(shelf.states(), [("a", ToolState::Accepted)]);
    assert!(shelf.tool("a").accepted_definition.is_none());
}

#[test]
fn leaving_and_coming_back_does_not_launder_a_change() {
    let mut shelf = Shelf::default();
    shelf.look(&[("a", "one")], true);
    shelf.look(&[("a", "two")], false);
    let gone = shelf.look(&[], false);
    assert_eq!(gone.gone, ["a"]);

    let changed = shelf.look(&[("a", "two")], false);
    assert_eq!(changed.changed, ["a"]);
    shelf.look(&[], false);
    let same = shelf.look(&[("a", "one")], false);

    assert_eq!(same.restored, ["a"]);
}

#[test]
fn a_tool_nobody_accepted_leaves_nothing_behind() {
    let mut shelf = Shelf::default();
    shelf.look(&[], true);
    shelf.look(&[("a", "one")], false);

    let gone = shelf.look(&[], false);

    assert_eq!(gone.gone, ["a"]);
    assert!(shelf.tools.is_empty());
    assert_eq!(shelf.look(&[("a", "one")], false).new, ["a"]);
}

#[test]
fn accepting_pins_what_was_shown() {
    let mut shelf = Shelf::default();
    shelf.look(&[("a", "one")], true);
    shelf.look(&[("a", "two"), ("b", "new")], false);

    shelf.tools = shelf.tools.iter().map(|tool| accepted(tool).unwrap_or_else(|| tool.clone())).collect();

    assert!(shelf.look(&[("a", "two"), ("b", "new")], false).is_empty());
    assert_eq!(shelf.look(&[("a", "one"), ("b", "new")], false).changed, ["a"]);
}

#[test]
fn a_second_change_is_told_again_and_a_waiting_one_is_not() {
    let mut shelf = Shelf::default();
    shelf.look(&[("a", "one")], true);
    shelf.look(&[("a", "two")], false);

    assert!(shelf.look(&[("a", "two")], false).is_empty());
    assert_eq!(shelf.look(&[("a", "three")], false).changed, ["a"]);
    assert!(shelf.tool("a").accepted_definition.as_ref().unwrap().get().contains("one"));
}

#[test]
fn a_changed_title_is_a_change() {
    let mut shelf = Shelf::default();
    let listed = |title: &str| vec![raw(&format!(r#"{{"name":"a","title":"{title}","inputSchema":{{}}}}"#))];
    shelf.look_raw(&listed("Safe"), true);

    assert_eq!(shelf.look_raw(&listed("Ignore all others"), false).changed, ["a"]);
}

#[test]
fn an_unchanged_catalogue_is_not_written_again() {
    let mut shelf = Shelf::default();
    shelf.look(&[("a", "one")], true);

    let listed = [definition("a", "one")];
    let settings = SourceSettings::default();
    let soon = compare(Pinned::Tools, shelf.source, &shelf.tools, &listed, false, Ms(HOUR - 1), &settings);
    let later = compare(Pinned::Tools, shelf.source, &shelf.tools, &listed, false, Ms(HOUR), &settings);

    assert_eq!((soon.put.len(), later.put.len()), (0, 1));
    assert!(later.change.is_empty());
}

#[test]
fn a_list_has_bounds_and_known_tools_keep_their_place() {
    let mut shelf =
        Shelf { settings: SourceSettings { tools_max: 2, ..SourceSettings::default() }, ..Shelf::default() };
    shelf.look(&[("y", ""), ("z", "")], true);

    let change = shelf.look(&[("a", ""), ("b", ""), ("y", ""), ("y", "again"), ("z", "")], false);

    let refused: Vec<&str> = change.refused.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(refused, ["a", "b", "y"]);
    assert_eq!(shelf.states(), [("y", ToolState::Accepted), ("z", ToolState::Accepted)]);
}

#[test]
fn a_huge_catalogue_is_cut_and_what_was_accepted_stays() {
    let settings = SourceSettings { catalogue_bytes_max: 500, ..SourceSettings::default() };
    let mut shelf = Shelf { settings, ..Shelf::default() };
    shelf.look(&[("a", ""), ("b", "")], true);

    let change = shelf.look(&[("c", &"x".repeat(450)), ("a", ""), ("b", "")], false);

    assert!(change.gone.is_empty() && !change.refused.is_empty(), "{change:?}");
    assert_eq!(shelf.tool("a").state, ToolState::Accepted);
}

#[test]
fn whatever_a_source_lists_nothing_but_the_first_look_and_the_owner_accepts() {
    let mut dice = Dice(7);
    for _ in 0..200 {
        let mut shelf = Shelf::default();
        shelf.look(&[("a", "0"), ("b", "0")], true);
        for _ in 0..12 {
            let listed: Vec<(&str, &str)> = ["a", "b", "c", "d"]
                .into_iter()
                .filter_map(|name| Some((name, *["0", "1", "2"].get(dice.roll(4))?)))
                .collect();
            shelf.look(&listed, false);

            for tool in shelf.tools.iter().filter(|tool| tool.state == ToolState::Accepted) {
                assert!(matches!(tool.name.as_str(), "a" | "b"), "{} was accepted by itself", tool.name);
                assert!(tool.definition.get().contains(r#""description":"0""#), "{}", tool.definition);
            }
        }
    }
}

/// A source's catalogue in memory.
struct Shelf {
    source: SourceId,
    tools: Vec<SourceTool>,
    settings: SourceSettings,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { source: SourceId::new(), tools: Vec::new(), settings: SourceSettings::default() }
    }
}

impl Shelf {
    fn look(&mut self, listed: &[(&str, &str)], first: bool) -> CatalogueChange {
        let listed: Vec<_> = listed.iter().map(|(name, text)| definition(name, text)).collect();
        self.look_raw(&listed, first)
    }

    fn look_raw(&mut self, listed: &[Box<RawValue>], first: bool) -> CatalogueChange {
        let look = compare(Pinned::Tools, self.source, &self.tools, listed, first, Ms(0), &self.settings);
        self.tools.retain(|tool| {
            !look.forget.contains(&tool.name) && !look.put.iter().any(|put| put.name == tool.name)
        });
        self.tools.extend(look.put);
        self.tools.sort_by(|a, b| a.name.cmp(&b.name));
        look.change
    }

    fn states(&self) -> Vec<(&str, ToolState)> {
        self.tools.iter().map(|tool| (tool.name.as_str(), tool.state)).collect()
    }

    fn tool(&self, name: &str) -> &SourceTool {
        self.tools.iter().find(|tool| tool.name == name).unwrap()
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

fn definition(name: &str, description: &str) -> Box<RawValue> {
    raw(&format!(r#"{{"name":"{name}","description":"{description}","inputSchema":{{"type":"object"}}}}"#))
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
