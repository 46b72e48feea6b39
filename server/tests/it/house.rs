//! The house: which room may import which, and which rooms there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What every room may use.
const COMMON: &[&str] = &["clock", "secret", "fault", "apart", "joined"];

/// Each room of the engine, and the rooms it may import beside the common ones.
const ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("secret", &[]),
    ("fault", &[]),
    ("apart", &[]),
    ("joined", &[]),
    ("model", &[]),
    // Names what changed, so that caches forget; carries no contents.
    ("changes", &["model"]),
    ("mcp", &["model"]),
    ("policy", &["model"]),
    // How run events are chained and vouched for; pure.
    ("chain", &["model"]),
    ("store", &["model", "mcp", "chain"]),
    ("egress", &[]),
    ("vault", &["model", "store"]),
    // The client's side of signing in at issuers of sources.
    ("oauth", &["egress"]),
    ("tunnel", &["model", "egress"]),
    ("upstream", &["mcp", "model", "egress", "tunnel"]),
    // What is no MCP server, shown as tools.
    ("providers", &["mcp", "model", "egress"]),
    ("connections", &["changes", "egress", "model", "oauth", "policy", "store", "upstream", "vault"]),
    // Who shares the database, and what goes from one process to another.
    ("replicas", &["changes", "egress", "mcp", "model", "store"]),
    ("audit", &["model", "policy", "chain", "egress", "store", "metrics", "vault"]),
    // Hands letters to the operator's mail server.
    ("mail", &["model"]),
    ("metrics", &["model", "store"]),
    ("identity", &["model", "policy", "store", "vault", "egress", "audit", "changes"]),
    // Who belongs where; ends the links of what goes with an organisation.
    ("orgs", &["audit", "changes", "mail", "model", "policy", "store", "upstream"]),
    ("quota", &["model", "store", "changes", "vault"]),
    (
        "sources",
        &[
            "mcp",
            "model",
            "policy",
            "store",
            "vault",
            "egress",
            "tunnel",
            "upstream",
            "audit",
            "changes",
            "quota",
            "connections",
            "oauth",
            "providers",
        ],
    ),
    ("presets", &["mcp", "model", "policy", "store", "sources", "audit", "changes", "mail"]),
    (
        "proxy",
        &[
            "changes", "mcp", "model", "policy", "identity", "issuer", "presets", "sources", "upstream",
            "quota", "audit", "metrics", "replicas",
        ],
    ),
    // What is built on calls to sources, and kept.
    (
        "insights",
        &[
            "egress",
            "mcp",
            "metrics",
            "model",
            "policy",
            "providers",
            "proxy",
            "quota",
            "sources",
            "store",
            "upstream",
        ],
    ),
    ("issuer", &["audit", "changes", "egress", "identity", "model", "policy", "presets", "store", "vault"]),
    // Tells people before something of theirs stops working.
    ("warnings", &["egress", "mail", "model", "signed", "store"]),
    // Asks the rooms that decide on a call, and tells what they say.
    ("explain", &["model", "policy", "presets", "quota", "sources", "store"]),
    // Signatures of webhooks, both ways.
    ("signed", &[]),
    // What a payment provider says of plans.
    ("plan_changes", &["audit", "changes", "model", "signed", "store"]),
    ("jobs", &[]),
    (
        "engine",
        &[
            "audit",
            "changes",
            "connections",
            "egress",
            "explain",
            "identity",
            "insights",
            "issuer",
            "jobs",
            "mail",
            "mcp",
            "metrics",
            "model",
            "oauth",
            "orgs",
            "plan_changes",
            "policy",
            "presets",
            "proxy",
            "quota",
            "replicas",
            "sources",
            "store",
            "upstream",
            "vault",
            "warnings",
        ],
    ),
];

#[test]
fn each_room_imports_only_what_its_row_allows() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ROOMS.iter().map(|(room, rooms)| (*room, rooms.iter().chain(COMMON).copied().collect())).collect();
    let mut strangers = Vec::new();
    for (room, file) in files() {
        let Some(allowed) = allowed.get(room.as_str()) else {
            strangers.push(format!("`{room}` has no row in this table"));
            continue;
        };
        if is_test(&file) {
            continue;
        }
        for (line, imported) in imports(&fs::read_to_string(&file).unwrap()) {
            if imported != room && !allowed.contains(imported.as_str()) {
                strangers.push(format!("{}:{line}: `{room}` may not import `{imported}`", file.display()));
            }
        }
    }
    strangers.sort();
    strangers.dedup();
    assert!(strangers.is_empty(), "\n{}", strangers.join("\n"));
}

#[test]
fn a_rooms_folder_opens_with_what_it_is_for() {
    for (room, file) in files() {
        let is_front_door = file.ends_with("mod.rs") && file.parent().unwrap().parent().unwrap() == source();
        if is_front_door || file.parent().unwrap() == source() {
            let first = fs::read_to_string(&file).unwrap();
            assert!(first.starts_with("//! "), "`{room}` does not say what it is for");
        }
    }
}

#[test]
fn imports_are_found_in_groups_and_in_lines_of_code() {
    let text = "use crate::{\n    model::{A, B},\n    store::Store,\n};\nuse crate::vault::Vault;\nlet x = crate::policy::may();\n// crate::proxy\n";

    let found: Vec<String> = imports(text).into_iter().map(|(_, room)| room).collect();

    assert_eq!(found, ["model", "store", "vault", "policy"]);
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("src")
}

/// Returns every file of the engine with the room it is in.
fn files() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            walk(&path, &room, &mut found);
        } else if room != "lib" {
            found.push((room, path));
        }
    }
    assert!(!found.is_empty());
    found
}

fn walk(folder: &Path, room: &str, found: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, room, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((room.to_owned(), path));
        }
    }
}

/// Tests, and what other rooms' tests stand on, may use anything.
fn is_test(file: &Path) -> bool {
    file.components().any(|part| {
        matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "testing" | "testing.rs"))
    })
}

/// Returns the rooms named after `crate::`, each with its line, outside of tests and comments.
///
/// What follows `#[cfg(test)]` at the end of a file is not looked at.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code = text.find("#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end]);
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        let line_start = code[..start].rfind('\n').map_or(0, |at| at + 1);
        if code[line_start..start].contains("//") {
            continue;
        }
        let line = 1 + code[..start].matches('\n').count();
        let rest = &code[start + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(first_words(group).into_iter().map(|word| (line, word)));
        } else {
            found.push((line, word(rest)));
        }
    }
    found.retain(|(_, room)| !room.is_empty());
    found
}

/// Returns the first word of each member of a group, up to its closing brace.
fn first_words(group: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut depth, mut at_start) = (0, true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            letter if at_start && letter.is_ascii_lowercase() => {
                words.push(word(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect()
}
