use serde_json::Value;

use super::*;
use crate::{
    clock::Ms,
    model::{PresetId, PresetStatus, PresetTool, Slug, TenantId, ToolState, Visibility},
    presets::compose::tests::stock,
};

#[test]
fn a_tool_is_found_by_its_exposed_name_and_nothing_else() {
    let stock = stock("jira", &[("search", ToolState::Accepted), ("hidden", ToolState::New)]);
    let tool = PresetTool {
        name: "search".to_owned(),
        enabled: true,
        exposed_name: Some("find_issue".to_owned()),
        exposed_description: Some("Finds an \"issue\".".to_owned()),
        check_arguments: true,
    };
    let selections = [Selection { source: stock.source.id, all: true, tools: vec![tool] }];

    let table = build(&selections, &[stock]);

    let route = table.route("find_issue").unwrap();
    assert_eq!(&*route.tool_name, "search");
    assert_eq!(
        route.definition(Era::Modern),
        r#"{"name":"find_issue","description":"Finds an \"issue\".","inputSchema":{"type":"object"}}"#
    );
    assert!(route.check.is_some());
    for wrong in ["search", "hidden", "FIND_ISSUE", ""] {
        assert!(table.route(wrong).is_none(), "{wrong:?} was found");
    }
}

#[test]
fn the_order_of_a_list_does_not_depend_on_how_it_was_chosen() {
    let (one, two) = (many("one", 3), many("two", 3));
    let (first, second) = (all(&one), all(&two));

    let forth = build(&[first.clone(), second.clone()], &[one.clone(), two.clone()]);
    let back = build(&[second, first], &[two, one]);

    assert_eq!(forth.page(Era::Modern, None), back.page(Era::Modern, None));
}

#[test]
fn pages_hold_every_tool_once_and_stay_in_their_bounds() {
    let stock = many("jira", 450);
    let table = build(&[all(&stock)], &[stock]);
    for era in [Era::Modern, Era::Legacy] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = table.page(era, cursor.as_deref()).unwrap();
            let listed = listed(&page);
            assert!(listed.len() <= RouteTable::PAGE_TOOLS_MAX);
            assert!(page.result.len() <= RouteTable::PAGE_BYTES_MAX + 1000);
            seen.extend(listed);
            pages += 1;
            match page.next_cursor {
                Some(next) => cursor = Some(next.to_string()),
                None => break,
            }
        }

        let expected: Vec<String> = table.tools.iter().map(|tool| tool.exposed_name.to_string()).collect();
        assert_eq!(seen, expected);
        assert_eq!(pages, 3);
    }
}

#[test]
fn a_large_definition_has_a_page_and_not_more() {
    let mut stock = many("jira", 3);
    for tool in &mut stock.tools {
        let padding = "x".repeat(200 * 1024);
        let text = format!(r#"{{"name":"{}","inputSchema":{{"x":"{padding}"}}}}"#, tool.name);
        tool.definition = serde_json::value::RawValue::from_string(text).unwrap();
    }
    let table = build(&[all(&stock)], &[stock]);

    let first = table.page(Era::Modern, None).unwrap();

    assert_eq!(listed(&first), ["jira_000"]);
    let second = table.page(Era::Modern, first.next_cursor.as_deref()).unwrap();
    assert_eq!(listed(&second), ["jira_001"]);
}

#[test]
fn a_cursor_stays_good_when_tools_come_and_go() {
    let before = many("jira", 450);
    let table = build(&[all(&before)], std::slice::from_ref(&before));
    let cursor = table.page(Era::Legacy, None).unwrap().next_cursor.unwrap();
    let mut after = before.clone();
    after.tools.remove(199);
    after.tools.remove(0);
    let table = build(&[all(&after)], &[after]);

    let page = table.page(Era::Legacy, Some(&cursor)).unwrap();

    assert_eq!(listed(&page)[0], "jira_200");
}

#[test]
fn a_cursor_that_is_none_of_ours_is_refused() {
    let table = build(&[], &[]);

    for wrong in ["", "page-1", "YQ", "!", &"A".repeat(5000)] {
        assert_eq!(table.page(Era::Modern, Some(wrong)), None, "{wrong:?} was accepted");
    }
    let empty = table.page(Era::Modern, None).unwrap();
    assert_eq!((listed(&empty).len(), empty.next_cursor), (0, None));
}

#[test]
fn a_definition_that_cannot_be_shown_costs_only_itself() {
    let mut stock = many("jira", 2);
    stock.tools[0].definition = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();

    let table = build(&[all(&stock)], &[stock]);

    assert_eq!(table.tools.len(), 1);
}

fn listed(page: &ListPage) -> Vec<String> {
    let result: Value = serde_json::from_slice(&page.result).unwrap();
    assert_eq!(result["nextCursor"].as_str(), page.next_cursor.as_deref());
    let tools = result["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn many(source: &str, count: usize) -> Stock {
    let names: Vec<String> = (0..count).map(|n| format!("{source}_{n:03}")).collect();
    let tools: Vec<_> = names.iter().map(|name| (name.as_str(), ToolState::Accepted)).collect();
    stock(source, &tools)
}

fn all(stock: &Stock) -> Selection {
    Selection { source: stock.source.id, all: true, tools: Vec::new() }
}

fn build(selections: &[Selection], stocks: &[Stock]) -> RouteTable {
    let preset = Preset {
        id: PresetId::new(),
        tenant: TenantId::new(),
        slug: Slug::parse("ops").unwrap(),
        title: "Ops".to_owned(),
        description: String::new(),
        visibility: Visibility::Private,
        anonymous: false,
        status: PresetStatus::Active,
        version: 1,
        created_at: Ms(0),
        updated_at: Ms(0),
    };
    RouteTable::build(preset, Handle::parse("ada").unwrap(), selections, stocks)
}
