use serde_json::{Value, value::RawValue};

use super::*;
use crate::{
    clock::Ms,
    model::{PresetTool, SourceOffer, TenantId, ToolState, samples},
    presets::compose::tests::{stock, tool},
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
    let selections = [Selection { tools: vec![tool], ..all(&stock) }];

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

    assert_eq!(forth.page(ListKind::Tools, Era::Modern, None), back.page(ListKind::Tools, Era::Modern, None));
}

#[test]
fn pages_hold_every_tool_once_and_stay_in_their_bounds() {
    let stock = many("jira", 450);
    let table = build(&[all(&stock)], &[stock]);
    for era in [Era::Modern, Era::Legacy] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = table.page(ListKind::Tools, era, cursor.as_deref()).unwrap();
            let listed = listed(&page);
            assert!(listed.len() <= RouteTable::PAGE_ENTRIES_MAX);
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
        tool.definition = RawValue::from_string(text).unwrap();
    }
    let table = build(&[all(&stock)], &[stock]);

    let first = table.page(ListKind::Tools, Era::Modern, None).unwrap();

    assert_eq!(listed(&first), ["jira_000"]);
    let second = table.page(ListKind::Tools, Era::Modern, first.next_cursor.as_deref()).unwrap();
    assert_eq!(listed(&second), ["jira_001"]);
}

#[test]
fn a_cursor_stays_good_when_tools_come_and_go() {
    let before = many("jira", 450);
    let table = build(&[all(&before)], std::slice::from_ref(&before));
    let cursor = table.page(ListKind::Tools, Era::Legacy, None).unwrap().next_cursor.unwrap();
    let mut after = before.clone();
    after.tools.remove(199);
    after.tools.remove(0);
    let table = build(&[all(&after)], &[after]);

    let page = table.page(ListKind::Tools, Era::Legacy, Some(&cursor)).unwrap();

    assert_eq!(listed(&page)[0], "jira_200");
}

#[test]
fn a_cursor_that_is_none_of_ours_is_refused() {
    let table = build(&[], &[]);

    for wrong in ["", "page-1", "YQ", "!", &"A".repeat(5000)] {
        assert_eq!(table.page(ListKind::Tools, Era::Modern, Some(wrong)), None, "{wrong:?} was accepted");
    }
    let empty = table.page(ListKind::Tools, Era::Modern, None).unwrap();
    assert_eq!((listed(&empty).len(), empty.next_cursor), (0, None));
}

#[test]
fn a_definition_that_cannot_be_shown_costs_only_itself() {
    let mut stock = many("jira", 2);
    stock.tools[0].definition = RawValue::from_string("{}".to_owned()).unwrap();

    let table = build(&[all(&stock)], &[stock]);

    assert_eq!(table.tools.len(), 1);
}

#[test]
fn what_existed_before_resources_were_chosen_publishes_none() {
    let stock = offering("files", &["file:///a"], &["file:///{+path}"], &["review"]);

    let table = build(&[all(&stock)], &[stock]);

    for kind in [ListKind::Resources, ListKind::Templates, ListKind::Prompts] {
        assert!(entries(&table, kind).is_empty());
    }
    assert!(table.resource("file:///a").is_none() && table.prompt("review").is_none());
    assert_eq!(table.capabilities().write(Era::Legacy), r#"{"logging":{},"tools":{"listChanged":true}}"#);
}

#[test]
fn what_is_taken_is_listed_and_found_and_declared() {
    let stock = offering("files", &["file:///b", "file:///a"], &["demo://{id}"], &["review", "hidden"]);
    let source = stock.source.id;
    let selection = Selection {
        resources: Take::Only(vec!["file:///a".into(), "demo://{id}".into()]),
        prompts: Take::Only(vec!["review".into()]),
        ..all(&stock)
    };

    let table = build(&[selection], &[stock]);

    assert_eq!(entries(&table, ListKind::Resources), [r#"{"uri":"file:///a", "n":1.0}"#]);
    assert_eq!(entries(&table, ListKind::Templates), [r#"{"uriTemplate":"demo://{id}", "n":1.0}"#]);
    assert_eq!(table.prompts.len(), 1);
    assert_eq!(&*table.prompt("review").unwrap().prompt_name, "review");
    assert_eq!(table.resource("file:///a").unwrap().source, source);
    assert_eq!(table.resource("demo://7").unwrap().uri, "demo://7");
    assert!(table.resource("file:///b").is_none());
    assert_eq!(table.resource_ref("demo://{id}").unwrap().source, source);
    assert_eq!(table.sources(), [source]);
    assert_eq!(
        table.capabilities().write(Era::Legacy),
        r#"{"logging":{},"completions":{},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"tools":{"listChanged":true}}"#
    );
}

#[test]
fn two_sources_that_collide_are_told_apart_everywhere() {
    let mut stocks = ["one", "two"].map(|name| offering(name, &["ui://page"], &["demo://{id}"], &["review"]));
    for stock in &mut stocks {
        let name = stock.source.name.clone();
        let text = format!(
            r#"{{"name":"{name}_tool","inputSchema":{{}}, "_meta":{{"ui":{{"resourceUri":"ui://page"}},"ui/resourceUri":"ui://page"}}}}"#
        );
        stock.tools = vec![tool(&stock.source, &format!("{name}_tool"), ToolState::Accepted)];
        stock.tools[0].definition = RawValue::from_string(text).unwrap();
    }
    let whole = |stock: &Stock| Selection { resources: Take::All, prompts: Take::All, ..all(stock) };
    let selections = [whole(&stocks[0]), whole(&stocks[1])];
    let two = stocks[1].source.id;

    let table = build(&selections, &stocks);

    let listed = entries(&table, ListKind::Resources);
    assert_eq!(listed[1], r#"{"uri":"ui://page", "n":1.0}"#);
    let marked = table.exposed_uri(two, "ui://page").into_owned();
    assert!(marked.starts_with("ui://doorward-") && listed[0].contains(&marked), "{listed:?}");
    let tools = entries(&table, ListKind::Tools);
    assert_eq!(tools[0].matches(r#""ui://page""#).count(), 2);
    assert_eq!(tools[1].matches(&format!("\"{marked}\"")).count(), 2);
    let route = table.resource(&marked).unwrap();
    assert_eq!((route.source, &*route.uri), (two, "ui://page"));
    let templates = entries(&table, ListKind::Templates);
    assert!(templates[0].contains("demo://doorward-") && templates[1].contains(r#""demo://{id}""#));
    assert_eq!(&*table.prompt("two_review").unwrap().prompt_name, "review");
    assert!(entries(&table, ListKind::Prompts)[1].contains(r#""name":"two_review""#));

    let result = r#"{"content":[{"type":"resource_link","uri":"demo://7","name":"x"}]}"#;
    let link = table.exposed_message(two, result.as_bytes()).unwrap();
    assert!(table.exposed_message(stocks[0].source.id, result.as_bytes()).is_none());
    let uri = Raw::parse(&link).unwrap().member("content").unwrap().elements().next().unwrap();
    let uri = uri.member("uri").unwrap().as_str().unwrap();
    assert_eq!(table.resource(&uri).unwrap().uri, "demo://7");
}

#[test]
fn the_page_of_a_published_tool_can_be_read_without_taking_resources() {
    let mut stock = stock("apps", &[("clock", ToolState::Accepted), ("held", ToolState::New)]);
    for (tool, page) in stock.tools.iter_mut().zip(["ui://clock", "ui://held"]) {
        let text = format!(
            r#"{{"name":"{}","inputSchema":{{}},"_meta":{{"ui":{{"resourceUri":"{page}"}}}}}}"#,
            tool.name
        );
        tool.definition = RawValue::from_string(text).unwrap();
    }

    let table = build(&[all(&stock)], &[stock]);

    assert!(table.resource("ui://clock").is_some() && table.resource("ui://held").is_none());
    assert!(table.capabilities().resources && entries(&table, ListKind::Resources).is_empty());
}

#[test]
fn lists_are_alike_as_long_as_callers_see_the_same() {
    let stock = offering("files", &["file:///a"], &[], &[]);
    let whole = Selection { resources: Take::All, ..all(&stock) };
    let before = build(std::slice::from_ref(&whole), std::slice::from_ref(&stock));
    let mut after = stock.clone();
    after.resources[0].definition =
        RawValue::from_string(r#"{"uri":"file:///a", "n":2}"#.to_owned()).unwrap();

    let after = build(&[whole], &[after]);

    assert!(before.lists_alike(&after, ListKind::Tools));
    assert!(!before.lists_alike(&after, ListKind::Resources));
}

/// Returns a source that offers these besides tools.
fn offering(name: &str, resources: &[&str], templates: &[&str], prompts: &[&str]) -> Stock {
    let mut stock = stock(name, &[]);
    let source = stock.source.id;
    let raw = |text: String| RawValue::from_string(text).unwrap();
    let mut add = |kind, member, uris: &[&str]| {
        stock.resources.extend(uris.iter().map(|uri| SourceResource {
            source,
            kind,
            uri: (*uri).to_owned(),
            definition: raw(format!(r#"{{"{member}":"{uri}", "n":1.0}}"#)),
        }));
    };
    add(ResourceKind::Resource, "uri", resources);
    add(ResourceKind::Template, "uriTemplate", templates);
    stock.prompts = prompts.iter().map(|name| tool(&stock.source, name, ToolState::Accepted)).collect();
    let capabilities =
        r#"{"logging":{},"completions":{},"prompts":{},"resources":{"subscribe":true},"tools":{}}"#;
    stock.offer = Some(SourceOffer {
        capabilities: raw(capabilities.to_owned()),
        instructions: String::new(),
        seen_at: Ms(0),
    });
    stock
}

fn entries(table: &RouteTable, kind: ListKind) -> Vec<String> {
    let page = table.page(kind, Era::Modern, None).unwrap();
    let result = Raw::parse_bytes(&page.result).unwrap();
    result.member(kind.member()).unwrap().elements().map(|entry| entry.get().to_owned()).collect()
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
    Selection::all_tools(stock.source.id)
}

fn build(selections: &[Selection], stocks: &[Stock]) -> RouteTable {
    let preset = samples::preset(TenantId::new(), "ops");
    RouteTable::build(preset, Access::default(), Handle::parse("ada").unwrap(), selections, stocks)
}
