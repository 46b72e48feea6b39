//! Variants: what stands before the last `:` of a class, as pseudo-classes, ancestors and conditions.

use crate::tokens::{BREAKPOINTS, CONTAINERS};
use crate::value::arbitrary;

/// Where a rule applies: nested at-rules from the outside in, and a selector with `&` for the element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Such as `@media (min-width:48rem)`.
    pub conditions: Vec<String>,
    /// Such as `&:hover`.
    pub selector: String,
    /// Later rules win: plain, then states, then widths, then schemes and print.
    pub rank: u32,
}

/// Splits `md:hover:bg-accent` into its variants and `bg-accent`; a `:` inside brackets does not count.
pub(crate) fn split(class: &str) -> (Vec<&str>, &str) {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, c) in class.char_indices() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            ':' if depth == 0 => {
                parts.push(&class[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    (parts, &class[start..])
}

/// Returns the places where a class with these variants applies, or `None` when one is unknown.
///
/// There is more than one place for `dark:`, which is the system's wish unless the page says otherwise.
pub(crate) fn scopes(variants: &[&str]) -> Option<Vec<Scope>> {
    let mut scopes = vec![Scope { conditions: Vec::new(), selector: "&".to_owned(), rank: 0 }];
    // The variant beside the utility is the innermost.
    for variant in variants.iter().rev() {
        let mut next = Vec::new();
        for step in step(variant)? {
            for scope in &scopes {
                let mut conditions = step.conditions.clone();
                conditions.extend(scope.conditions.iter().cloned());
                let selector = step.selector.replace('&', &scope.selector);
                next.push(Scope { conditions, selector, rank: scope.rank + step.rank });
            }
        }
        scopes = next;
    }
    Some(scopes)
}

fn on(selector: impl Into<String>, rank: u32) -> Option<Vec<Scope>> {
    Some(vec![Scope { conditions: Vec::new(), selector: selector.into(), rank }])
}

fn under(condition: impl Into<String>, rank: u32) -> Option<Vec<Scope>> {
    Some(vec![Scope { conditions: vec![condition.into()], selector: "&".to_owned(), rank }])
}

/// Pseudo-classes in the order in which later ones win.
const STATES: &[(&str, &str)] = &[
    ("first", ":first-child"),
    ("last", ":last-child"),
    ("only", ":only-child"),
    ("odd", ":nth-child(odd)"),
    ("even", ":nth-child(even)"),
    ("first-of-type", ":first-of-type"),
    ("last-of-type", ":last-of-type"),
    ("empty", ":empty"),
    ("visited", ":visited"),
    ("target", ":target"),
    ("open", ":is([open],:popover-open,:open)"),
    ("default", ":default"),
    ("checked", ":checked"),
    ("indeterminate", ":indeterminate"),
    ("placeholder-shown", ":placeholder-shown"),
    ("autofill", ":autofill"),
    ("optional", ":optional"),
    ("required", ":required"),
    ("valid", ":valid"),
    ("invalid", ":invalid"),
    ("user-valid", ":user-valid"),
    ("user-invalid", ":user-invalid"),
    ("in-range", ":in-range"),
    ("out-of-range", ":out-of-range"),
    ("read-only", ":read-only"),
    ("focus-within", ":focus-within"),
    ("hover", ":hover"),
    ("focus", ":focus"),
    ("focus-visible", ":focus-visible"),
    ("active", ":active"),
    ("enabled", ":enabled"),
    ("disabled", ":disabled"),
];

const ELEMENTS: &[(&str, &str)] = &[
    ("before", "::before"),
    ("after", "::after"),
    ("placeholder", "::placeholder"),
    ("marker", "::marker"),
    ("selection", "::selection"),
    ("file", "::file-selector-button"),
    ("backdrop", "::backdrop"),
    ("first-letter", "::first-letter"),
    ("first-line", "::first-line"),
    ("details-content", "::details-content"),
];

const CONDITIONS: &[(&str, &str)] = &[
    ("motion-safe", "@media (prefers-reduced-motion:no-preference)"),
    ("motion-reduce", "@media (prefers-reduced-motion:reduce)"),
    ("contrast-more", "@media (prefers-contrast:more)"),
    ("forced-colors", "@media (forced-colors:active)"),
    ("pointer-coarse", "@media (pointer:coarse)"),
    ("pointer-fine", "@media (pointer:fine)"),
    ("portrait", "@media (orientation:portrait)"),
    ("landscape", "@media (orientation:landscape)"),
    ("noscript", "@media (scripting:none)"),
    ("print", "@media print"),
];

/// Attributes of WAI-ARIA that are true or false.
const ARIA: &[&str] =
    &["busy", "checked", "disabled", "expanded", "hidden", "pressed", "readonly", "required", "selected"];

fn step(variant: &str) -> Option<Vec<Scope>> {
    if let Some((selector, rank)) = state(variant) {
        let scope = Scope { conditions: Vec::new(), selector: format!("&{selector}"), rank };
        let conditions =
            if variant == "hover" { vec!["@media (hover:hover)".to_owned()] } else { Vec::new() };
        return Some(vec![Scope { conditions, ..scope }]);
    }
    if let Some(at) = ELEMENTS.iter().position(|(name, _)| *name == variant) {
        return on(format!("&{}", ELEMENTS[at].1), 200 + u32::try_from(at).ok()?);
    }
    if let Some(at) = CONDITIONS.iter().position(|(name, _)| *name == variant) {
        return under(CONDITIONS[at].1, 100_000 + u32::try_from(at).ok()?);
    }
    if let Some(width) = breakpoint(variant, BREAKPOINTS) {
        return under(format!("@media (min-width:{width})"), 1_000 * width_rank(&width));
    }
    if let Some(width) = variant.strip_prefix("max-").and_then(|name| breakpoint(name, BREAKPOINTS)) {
        return under(format!("@media (width<{width})"), 1_000 * (100 - width_rank(&width).min(99)));
    }
    if let Some(name) = variant.strip_prefix('@') {
        if let Some(width) = name.strip_prefix("max-").and_then(|name| breakpoint(name, CONTAINERS)) {
            return under(format!("@container (width<{width})"), 1_000 * (100 - width_rank(&width).min(99)));
        }
        let width = breakpoint(name, CONTAINERS)?;
        return under(format!("@container (min-width:{width})"), 1_000 * width_rank(&width));
    }
    if variant == "dark" {
        let system = Scope {
            conditions: vec!["@media (prefers-color-scheme:dark)".to_owned()],
            selector: ":root:not([data-theme=light]) &".to_owned(),
            rank: 90_000,
        };
        let chosen =
            Scope { conditions: Vec::new(), selector: ":root[data-theme=dark] &".to_owned(), rank: 90_000 };
        return Some(vec![system, chosen]);
    }
    match variant {
        "*" => return on(":is(&>*)", 1),
        "**" => return on(":is(& *)", 1),
        "rtl" => return on("&:dir(rtl)", 300),
        "ltr" => return on("&:dir(ltr)", 300),
        _ => {}
    }
    if let Some(rest) = variant.strip_prefix("group-") {
        let (selector, rank) = relative(rest)?;
        return on(format!("&:is(:where({}){selector} *)", marker("group", rest)), rank);
    }
    if let Some(rest) = variant.strip_prefix("peer-") {
        let (selector, rank) = relative(rest)?;
        return on(format!("&:is(:where({}){selector}~*)", marker("peer", rest)), rank);
    }
    if let Some(rest) = variant.strip_prefix("has-") {
        let (selector, rank) = relative(rest)?;
        return on(format!("&:has({})", selector.trim_start_matches('&')), rank);
    }
    if let Some(rest) = variant.strip_prefix("not-") {
        let (selector, rank) = relative(rest)?;
        return on(format!("&:not({selector})"), rank);
    }
    if let Some(rest) = variant.strip_prefix("in-") {
        let (selector, rank) = relative(rest)?;
        return on(format!(":where({selector}) &"), rank);
    }
    if let Some(condition) = variant.strip_prefix("supports-").and_then(arbitrary) {
        return under(format!("@supports ({condition})"), 80_000);
    }
    let own = arbitrary(variant)?;
    if own.starts_with('@') {
        under(own, 80_000)
    } else {
        on(if own.contains('&') { own } else { return None }, 60)
    }
}

/// The selector and rank of a state, an ARIA or data attribute.
fn state(name: &str) -> Option<(String, u32)> {
    if let Some(at) = STATES.iter().position(|(state, _)| *state == name) {
        return Some((STATES[at].1.to_owned(), 10 + u32::try_from(at).ok()?));
    }
    if let Some(rest) = name.strip_prefix("aria-") {
        let selector = match rest.strip_prefix('[') {
            Some(_) => format!("[aria-{}]", quoted(&arbitrary(rest)?)),
            None if rest == "current" => "[aria-current]".to_owned(),
            None => ARIA.contains(&rest).then(|| format!("[aria-{rest}=true]"))?,
        };
        return Some((selector, 50));
    }
    if let Some(rest) = name.strip_prefix("data-") {
        let selector = match rest.strip_prefix('[') {
            Some(_) => format!("[data-{}]", quoted(&arbitrary(rest)?)),
            None => is_name(rest).then(|| format!("[data-{rest}]"))?,
        };
        return Some((selector, 51));
    }
    None
}

/// What may follow `group-`, `peer-`, `has-`, `not-`: a state or `[selector]`, perhaps with `/name`.
fn relative(text: &str) -> Option<(String, u32)> {
    let text = text.split_once('/').map_or(text, |(state, _)| state);
    state(text).or_else(|| arbitrary(text).map(|selector| (selector, 40)))
}

/// The class that marks the other element: `group`, or `group/name` for `group-hover/name`.
fn marker(kind: &str, rest: &str) -> String {
    match rest.split_once('/') {
        Some((_, name)) => format!(".{kind}\\/{name}"),
        None => format!(".{kind}"),
    }
}

fn quoted(attribute: &str) -> String {
    match attribute.split_once('=') {
        Some((name, value)) if !value.starts_with(['"', '\'']) => format!("{name}=\"{value}\""),
        _ => attribute.to_owned(),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn breakpoint(name: &str, known: &[(&str, &str)]) -> Option<String> {
    if let Some((_, width)) = known.iter().find(|(breakpoint, _)| *breakpoint == name) {
        return Some((*width).to_owned());
    }
    let text = name.strip_prefix("min-").unwrap_or(name);
    let width = arbitrary(text)?;
    (width.ends_with("rem") || width.ends_with("px")).then_some(width)
}

/// Wider comes later.
fn width_rank(width: &str) -> u32 {
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    let rem = match width.strip_suffix("px") {
        Some(pixels) => number(pixels) / 16.0,
        None => number(width.trim_end_matches("rem")),
    };
    // Between 0 and 200 rem: whole numbers are apart enough to be ordered by.
    rem.clamp(0.0, 99.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_in_brackets_is_no_border_of_variants() {
        assert_eq!(split("md:[&:hover]:p-2"), (vec!["md", "[&:hover]"], "p-2"));
        assert_eq!(split("[color:red]"), (vec![], "[color:red]"));
    }

    #[test]
    fn dark_follows_the_system_unless_the_page_says_otherwise() {
        let scopes = scopes(&["dark"]).expect("dark is a variant");
        assert_eq!(scopes.len(), 2);
        assert!(scopes[0].selector.contains(":not([data-theme=light])"));
        assert!(scopes[1].selector.contains("[data-theme=dark]"));
    }

    #[test]
    fn variants_nest_in_the_order_written() {
        let scopes = scopes(&["md", "group-hover"]).expect("both are known");
        assert_eq!(scopes[0].conditions, ["@media (min-width:48rem)"]);
        assert_eq!(scopes[0].selector, "&:is(:where(.group):hover *)");
    }

    #[test]
    fn an_unknown_variant_has_no_place() {
        assert_eq!(scopes(&["hoover"]), None);
        assert_eq!(scopes(&["aria-banana"]), None);
    }
}
