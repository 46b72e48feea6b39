//! One rule per class, in an order in which the narrower wins.

use std::collections::BTreeSet;

use crate::own::{Answer, Utility, answer};
use crate::{BASE, table, variant};

/// The rules of a set of classes, and the classes that have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The utilities layer.
    pub css: String,
    /// Classes that neither a utility nor `base.css` knows.
    pub unknown: Vec<String>,
}

struct Rule {
    /// At-rules outside, then width: what is set on fewer sides comes later, then the class.
    order: (u32, std::cmp::Reverse<usize>, String),
    text: String,
}

/// Makes the sheet for these classes. The same classes give the same bytes, in whatever order they come.
pub fn sheet<'a>(classes: impl IntoIterator<Item = &'a str>) -> Sheet {
    let components = component_classes(BASE);
    let mut rules = Vec::new();
    let mut unknown = Vec::new();
    for class in classes.into_iter().collect::<BTreeSet<_>>() {
        match rules_of(class) {
            Some(found) => rules.extend(found),
            None if components.contains(class) || is_marker(class) => {}
            None => unknown.push(class.to_owned()),
        }
    }
    rules.sort_by(|a, b| a.order.cmp(&b.order));
    let body: String = rules.into_iter().map(|rule| rule.text).collect();
    Sheet { css: format!("@layer utilities{{\n{body}}}\n"), unknown }
}

/// `group` and `peer` are looked at by others and style nothing.
fn is_marker(class: &str) -> bool {
    let name = class.split_once('/').map_or(class, |(kind, _)| kind);
    matches!(name, "group" | "peer")
}

fn rules_of(class: &str) -> Option<Vec<Rule>> {
    let (variants, base) = variant::split(class);
    let (base, important) = match base.strip_prefix('!').or_else(|| base.strip_suffix('!')) {
        Some(base) => (base, true),
        None => (base, false),
    };
    let mut utility = utility(base)?;
    if variants.iter().any(|name| matches!(*name, "before" | "after"))
        && !utility.declarations.iter().any(|(property, _)| property == "content")
    {
        utility.declarations.insert(0, ("content".to_owned(), "var(--tw-content,\"\")".to_owned()));
    }

    let breadth = utility.declarations.iter().map(|(property, _)| breadth(property)).sum();
    let bang = if important { "!important" } else { "" };
    let body: Vec<String> =
        utility.declarations.iter().map(|(property, value)| format!("{property}:{value}{bang}")).collect();
    let body = body.join(";");
    let element = format!(".{}", escape(class));

    let rules = variant::scopes(&variants)?.into_iter().map(|scope| {
        let mut selector = scope.selector.replace('&', &element);
        if let Some(inner) = utility.inner {
            selector = inner.replace('&', &selector);
        }
        let mut text = format!("{selector}{{{body}}}");
        for condition in scope.conditions.iter().rev() {
            text = format!("{condition}{{{text}}}");
        }
        text.push('\n');
        Rule { order: (scope.rank, std::cmp::Reverse(breadth), class.to_owned()), text }
    });
    Some(rules.collect())
}

fn utility(base: &str) -> Option<Utility> {
    let (name, negative) = match base.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (base, false),
    };
    match answer(name, negative) {
        Answer::Known(utility) => Some(utility),
        Answer::Refused => None,
        Answer::Unclaimed => {
            table::declarations(base).map(|declarations| Utility { declarations, inner: None })
        }
    }
}

/// How many longhands a property sets, as far as the order of rules asks.
fn breadth(property: &str) -> usize {
    match property {
        "padding" | "margin" | "inset" | "border-width" | "border-color" | "border-style"
        | "border-radius" => 4,
        "flex" | "scroll-margin" | "scroll-padding" | "animation" => 3,
        "overflow" | "gap" | "grid-column" | "grid-row" | "place-items" | "place-content" | "outline" => 2,
        _ => 1,
    }
}

/// Escapes a class for a selector.
fn escape(class: &str) -> String {
    let mut out = String::with_capacity(class.len() + 8);
    for (at, c) in class.chars().enumerate() {
        if c.is_ascii_digit() && at == 0 {
            out.push_str(&format!("\\{:x} ", u32::from(c)));
        } else if c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii() {
            out.push(c);
        } else {
            out.push('\\');
            out.push(c);
        }
    }
    out
}

/// The classes that a sheet has selectors for: `.name` outside of declarations.
fn component_classes(css: &str) -> BTreeSet<String> {
    let css = without_comments(css);
    let mut names = BTreeSet::new();
    // A selector is what stands before `{`, after the last `{`, `}` or `;`.
    for piece in css.split_inclusive('{') {
        let Some(before) = piece.strip_suffix('{') else { continue };
        let selector = before.rsplit(['}', ';']).next().unwrap_or(before);
        if selector.trim_start().starts_with('@') {
            continue;
        }
        for part in selector.split('.').skip(1) {
            let end = part
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
                .unwrap_or(part.len());
            if end > 0 {
                names.insert(part[..end].to_owned());
            }
        }
    }
    names
}

fn without_comments(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// Takes out comments and indentation; one line per line that is left.
pub(crate) fn compact(css: &str) -> String {
    let css = without_comments(css);
    let mut out = String::with_capacity(css.len());
    for line in css.lines().map(str::trim).filter(|line| !line.is_empty()) {
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_rule_comes_later() {
        let css = sheet(["pt-1", "p-4", "px-2"]).css;
        let at = |class: &str| css.find(class).expect(class);
        assert!(at(".p-4") < at(".px-2"));
        assert!(at(".px-2") < at(".pt-1"));
    }

    #[test]
    fn a_width_beats_a_state_and_both_beat_nothing() {
        let css = sheet(["md:p-1", "hover:p-2", "p-3", "lg:p-4"]).css;
        let at = |class: &str| css.find(class).expect(class);
        assert!(at(".p-3") < at(".hover\\:p-2"));
        assert!(at(".hover\\:p-2") < at(".md\\:p-1"));
        assert!(at(".md\\:p-1") < at(".lg\\:p-4"));
    }

    #[test]
    fn a_typo_is_unknown_and_a_component_is_not() {
        let sheet = sheet(["max-w-banana", "flexx", "hoover:p-1", "group", "button"]);
        assert_eq!(sheet.unknown, ["flexx", "hoover:p-1", "max-w-banana"]);
    }

    #[test]
    fn the_same_classes_give_the_same_bytes() {
        assert_eq!(sheet(["p-1", "m-2", "flex"]), sheet(["flex", "m-2", "p-1", "p-1"]));
    }
}
