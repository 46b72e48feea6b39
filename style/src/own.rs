//! Utilities that are ours: the families where the table is wrong, loose or silent.
//!
//! A family claimed here is never passed on, so that `max-w-banana` is unknown and not `max-width: banana`.
//! Sides are physical where the crate's are, so that both kinds mix in one rule order.

use crate::fixed::fixed;
use crate::paint::{any_colour, border, outline, paint, ring, ring_width, rounded, shadow, stroke, text};
use crate::value::{arbitrary, integer, length_or_part, number, size, spacing, trimmed};

/// What a bare class sets, and on whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Utility {
    /// Property and value, in order.
    pub declarations: Vec<(String, String)>,
    /// A selector nested below the element, with `&` for the element, for utilities that style children.
    pub inner: Option<&'static str>,
}

impl Utility {
    pub(crate) fn new(declarations: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let declarations = declarations.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { declarations, inner: None }
    }
}

/// What this module says of a class.
pub(crate) enum Answer {
    /// Ours, and this is it.
    Known(Utility),
    /// Ours, and there is no such thing.
    Refused,
    /// Not ours: ask the table.
    Unclaimed,
}

/// All children but the last: what `space-*` and `divide-*` style.
const BETWEEN: &str = ":where(&>:not(:last-child))";

/// Answers for a class without variants. `negative` is the leading `-`, already taken off.
pub(crate) fn answer(base: &str, negative: bool) -> Answer {
    if let Some(fixed) = fixed(base) {
        return if negative { Answer::Refused } else { Answer::Known(Utility::new(fixed)) };
    }
    if let Some(rest) = base.strip_prefix('[') {
        return known(arbitrary_property(rest));
    }
    for (family, read) in FAMILIES {
        let Some(rest) = base.strip_prefix(family) else { continue };
        if negative && !NEGATIVE.contains(family) {
            return Answer::Refused;
        }
        match read(family, rest, negative) {
            Answer::Unclaimed => {}
            answer => return answer,
        }
    }
    if negative { Answer::Refused } else { Answer::Unclaimed }
}

pub(crate) fn known(utility: Option<Utility>) -> Answer {
    utility.map_or(Answer::Refused, Answer::Known)
}

pub(crate) fn one(property: &'static str, value: impl Into<String>) -> Utility {
    Utility::new([(property, value.into())])
}

pub(crate) fn all(properties: &[&'static str], value: &str) -> Utility {
    Utility::new(properties.iter().map(|property| (*property, value.to_owned())))
}

/// `[property:value]`
fn arbitrary_property(rest: &str) -> Option<Utility> {
    let (property, value) = rest.strip_suffix(']')?.split_once(':')?;
    let named = !property.is_empty() && property.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let value = arbitrary(&format!("[{value}]"))?;
    named.then(|| Utility { declarations: vec![(property.to_owned(), value)], inner: None })
}

type Read = fn(&str, &str, bool) -> Answer;

/// Families that may begin with `-`.
const NEGATIVE: &[&str] = &[
    "m",
    "inset-x-",
    "inset-y-",
    "inset-",
    "top-",
    "right-",
    "bottom-",
    "left-",
    "start-",
    "end-",
    "translate-x-",
    "translate-y-",
    "translate-",
    "rotate-",
    "scroll-m",
    "z-",
    "order-",
    "indent-",
    "space-x-",
    "space-y-",
    "outline-offset-",
    "underline-offset-",
];

/// Prefixes and their readers; a longer prefix stands before the one it begins with.
const FAMILIES: &[(&str, Read)] = &[
    ("p", |_, v, _| sided("padding", v, false, false)),
    ("m", |_, v, n| sided("margin", v, n, true)),
    ("gap-x-", |_, v, _| known(spacing(v, false).map(|value| one("column-gap", value)))),
    ("gap-y-", |_, v, _| known(spacing(v, false).map(|value| one("row-gap", value)))),
    ("gap-", |_, v, _| known(spacing(v, false).map(|value| one("gap", value)))),
    ("inset-x-", |_, v, n| place(&["left", "right"], v, n)),
    ("inset-y-", |_, v, n| place(&["top", "bottom"], v, n)),
    ("inset-", |_, v, n| place(&["inset"], v, n)),
    ("top-", |_, v, n| place(&["top"], v, n)),
    ("right-", |_, v, n| place(&["right"], v, n)),
    ("bottom-", |_, v, n| place(&["bottom"], v, n)),
    ("left-", |_, v, n| place(&["left"], v, n)),
    ("start-", |_, v, n| place(&["inset-inline-start"], v, n)),
    ("end-", |_, v, n| place(&["inset-inline-end"], v, n)),
    ("scroll-m", |_, v, n| sided("scroll-margin", v, n, false)),
    ("scroll-p", |_, v, _| sided("scroll-padding", v, false, false)),
    ("indent-", |_, v, n| known(spacing(v, n).map(|value| one("text-indent", value)))),
    ("space-x-", |_, v, n| between("margin-right", spacing(v, n))),
    ("space-y-", |_, v, n| between("margin-bottom", spacing(v, n))),
    ("divide-", divide),
    ("size-", |_, v, _| known(size(v, 'w').map(|value| all(&["width", "height"], &value)))),
    ("w-", |_, v, _| known(size(v, 'w').map(|value| one("width", value)))),
    ("h-", |_, v, _| known(size(v, 'h').map(|value| one("height", value)))),
    ("min-w-", |_, v, _| known(size(v, 'w').map(|value| one("min-width", value)))),
    ("min-h-", |_, v, _| known(size(v, 'h').map(|value| one("min-height", value)))),
    ("max-w-", |_, v, _| known(size(v, 'w').map(|value| one("max-width", value)))),
    ("max-h-", |_, v, _| known(size(v, 'h').map(|value| one("max-height", value)))),
    ("basis-", |_, v, _| known(size(v, 'w').map(|value| one("flex-basis", value)))),
    ("columns-", columns),
    ("grow-", |_, v, _| known(plain_number(v).map(|value| one("flex-grow", value)))),
    ("shrink-", |_, v, _| known(plain_number(v).map(|value| one("flex-shrink", value)))),
    ("order-", order),
    ("z-", |_, v, n| known(signed_integer(v, n, "auto").map(|value| one("z-index", value)))),
    ("grid-cols-", |_, v, _| known(tracks(v).map(|value| one("grid-template-columns", value)))),
    ("grid-rows-", |_, v, _| known(tracks(v).map(|value| one("grid-template-rows", value)))),
    ("col-start-", |_, v, _| known(line(v).map(|value| one("grid-column-start", value)))),
    ("col-end-", |_, v, _| known(line(v).map(|value| one("grid-column-end", value)))),
    ("row-start-", |_, v, _| known(line(v).map(|value| one("grid-row-start", value)))),
    ("row-end-", |_, v, _| known(line(v).map(|value| one("grid-row-end", value)))),
    ("col-span-", |_, v, _| known(span(v).map(|value| one("grid-column", value)))),
    ("row-span-", |_, v, _| known(span(v).map(|value| one("grid-row", value)))),
    ("line-clamp-", |_, v, _| known(integer(v).map(clamp))),
    ("leading-", leading),
    ("opacity-", |_, v, _| known(percentage(v).map(|value| one("opacity", value)))),
    ("translate-x-", |_, v, n| known(length_or_part(v, n).map(|value| translate('x', value)))),
    ("translate-y-", |_, v, n| known(length_or_part(v, n).map(|value| translate('y', value)))),
    ("translate-", |_, _, _| Answer::Refused),
    ("rotate-", rotate),
    ("scale-", |_, v, _| known(number(v).map(|value| one("scale", trimmed(value / 100.0))))),
    ("content-[", |_, v, _| known(arbitrary(&format!("[{v}")).map(|value| one("content", value)))),
    ("rounded-", rounded),
    ("border-", border),
    ("outline-offset-", |_, v, n| known(pixels(v, n).map(|value| one("outline-offset", value)))),
    ("outline-", outline),
    ("underline-offset-", |_, v, n| known(pixels(v, n).map(|value| one("text-underline-offset", value)))),
    ("ring-", ring),
    (
        "ring",
        |_, v, _| if v.is_empty() { Answer::Known(ring_width("1px", false)) } else { Answer::Unclaimed },
    ),
    ("shadow-", shadow),
    ("shadow", |_, v, _| if v.is_empty() { shadow("shadow-", "sm", false) } else { Answer::Unclaimed }),
    ("bg-", |_, v, _| paint(&["background-color"], v)),
    ("text-", text),
    ("fill-", |_, v, _| paint(&["fill"], v)),
    ("stroke-", stroke),
    ("accent-", |_, v, _| paint(&["accent-color"], v)),
    ("caret-", |_, v, _| paint(&["caret-color"], v)),
    ("decoration-", |_, v, _| paint(&["text-decoration-color"], v)),
    ("transition-", |_, v, _| transition(v)),
    ("transition", |_, v, _| if v.is_empty() { transition("default") } else { Answer::Unclaimed }),
    ("duration-", |_, v, _| known(integer(v).map(|ms| one("transition-duration", format!("{ms}ms"))))),
    ("delay-", |_, v, _| known(integer(v).map(|ms| one("transition-delay", format!("{ms}ms"))))),
];

fn place(properties: &[&'static str], text: &str, negative: bool) -> Answer {
    let value = if text == "auto" { Some("auto".to_owned()) } else { length_or_part(text, negative) };
    known(value.map(|value| all(properties, &value)))
}

/// The sides a letter stands for, as endings of a property; physical first, then those of the writing direction.
const SIDES: &[(&str, &[&str])] = &[
    ("", &[""]),
    ("x", &["-left", "-right"]),
    ("y", &["-top", "-bottom"]),
    ("t", &["-top"]),
    ("r", &["-right"]),
    ("b", &["-bottom"]),
    ("l", &["-left"]),
    ("s", &["-inline-start"]),
    ("e", &["-inline-end"]),
];

/// The endings for a letter; `None` if it stands for no side.
pub(crate) fn sides(letter: &str) -> Option<&'static [&'static str]> {
    SIDES.iter().find(|(known, _)| *known == letter).map(|(_, endings)| *endings)
}

/// A property of each of some sides.
pub(crate) fn per_side(endings: &[&str], property: impl Fn(&str) -> String, value: &str) -> Utility {
    let declarations = endings.iter().map(|ending| (property(ending), value.to_owned())).collect();
    Utility { declarations, inner: None }
}

/// `p-4`, `mx-2`, `scroll-mt-4` and so on: a letter for the side, and a distance.
fn sided(property: &str, rest: &str, negative: bool, auto: bool) -> Answer {
    let Some((letter, text)) = rest.split_once('-') else { return Answer::Unclaimed };
    let Some(endings) = sides(letter) else { return Answer::Unclaimed };
    let value = distance(text, negative, auto);
    known(value.map(|value| per_side(endings, |ending| format!("{property}{ending}"), &value)))
}

fn distance(text: &str, negative: bool, auto: bool) -> Option<String> {
    if auto && !negative && text == "auto" { Some("auto".to_owned()) } else { spacing(text, negative) }
}

fn between(property: &'static str, value: Option<String>) -> Answer {
    known(value.map(|value| Utility { inner: Some(BETWEEN), ..one(property, value) }))
}

fn divide(_: &str, rest: &str, _: bool) -> Answer {
    let side = |property, width: &str| between(property, pixels(width, false));
    match rest {
        "x" => side("border-right-width", "1"),
        "y" => side("border-bottom-width", "1"),
        "dashed" | "dotted" | "solid" => between("border-style", Some(rest.to_owned())),
        _ => {
            if let Some(width) = rest.strip_prefix("x-") {
                return side("border-right-width", width);
            }
            if let Some(width) = rest.strip_prefix("y-") {
                return side("border-bottom-width", width);
            }
            between("border-color", any_colour(rest))
        }
    }
}

fn columns(_: &str, text: &str, _: bool) -> Answer {
    let value = integer(text).map(|count| count.to_string()).or_else(|| size(text, 'w'));
    known(value.map(|value| one("columns", value)))
}

fn order(_: &str, text: &str, negative: bool) -> Answer {
    let value = match text {
        "first" => Some("-9999".to_owned()),
        "last" => Some("9999".to_owned()),
        "none" => Some("0".to_owned()),
        _ => signed_integer(text, negative, ""),
    };
    known(value.map(|value| one("order", value)))
}

fn plain_number(text: &str) -> Option<String> {
    number(text).map(trimmed).or_else(|| arbitrary(text))
}

fn signed_integer(text: &str, negative: bool, keyword: &str) -> Option<String> {
    if text == keyword && !negative {
        return Some(text.to_owned());
    }
    let sign = if negative { "-" } else { "" };
    integer(text).map(|value| format!("{sign}{value}")).or_else(|| arbitrary(text))
}

fn tracks(text: &str) -> Option<String> {
    match text {
        "none" | "subgrid" => Some(text.to_owned()),
        _ => integer(text).map(|count| format!("repeat({count},minmax(0,1fr))")).or_else(|| arbitrary(text)),
    }
}

fn line(text: &str) -> Option<String> {
    signed_integer(text, false, "auto")
}

fn span(text: &str) -> Option<String> {
    if text == "full" {
        return Some("1 / -1".to_owned());
    }
    integer(text).map(|count| format!("span {count} / span {count}"))
}

fn clamp(lines: u32) -> Utility {
    Utility::new([
        ("overflow", "hidden".to_owned()),
        ("display", "-webkit-box".to_owned()),
        ("-webkit-box-orient", "vertical".to_owned()),
        ("-webkit-line-clamp", lines.to_string()),
    ])
}

fn leading(_: &str, text: &str, _: bool) -> Answer {
    let value = match text {
        "tight" => "1.25".to_owned(),
        "snug" => "1.375".to_owned(),
        "normal" => "1.5".to_owned(),
        "relaxed" => "1.625".to_owned(),
        "loose" => "2".to_owned(),
        _ => match spacing(text, false) {
            Some(value) => value,
            None => return Answer::Refused,
        },
    };
    Answer::Known(one("line-height", value))
}

fn percentage(text: &str) -> Option<String> {
    number(text)
        .filter(|value| *value <= 100.0)
        .map(|value| format!("{}%", trimmed(value)))
        .or_else(|| arbitrary(text))
}

fn translate(axis: char, value: String) -> Utility {
    let own = if axis == 'x' { "--tw-translate-x" } else { "--tw-translate-y" };
    Utility::new([(own, value), ("translate", "var(--tw-translate-x,0) var(--tw-translate-y,0)".to_owned())])
}

fn rotate(_: &str, text: &str, negative: bool) -> Answer {
    let sign = if negative { "-" } else { "" };
    known(integer(text).map(|degrees| one("rotate", format!("{sign}{degrees}deg"))))
}

pub(crate) fn pixels(text: &str, negative: bool) -> Option<String> {
    let sign = if negative { "-" } else { "" };
    integer(text).map(|width| format!("{sign}{width}px")).or_else(|| arbitrary(text))
}

fn transition(text: &str) -> Answer {
    let properties = match text {
        "default" => {
            "color,background-color,border-color,outline-color,text-decoration-color,fill,stroke,opacity,box-shadow,translate,scale,rotate"
        }
        "all" => "all",
        "colors" => "color,background-color,border-color,outline-color,text-decoration-color,fill,stroke",
        "opacity" => "opacity",
        "shadow" => "box-shadow",
        "transform" => "transform,translate,scale,rotate",
        _ => return Answer::Refused,
    };
    Answer::Known(Utility::new([
        ("transition-property", properties.to_owned()),
        ("transition-timing-function", "cubic-bezier(.4,0,.2,1)".to_owned()),
        ("transition-duration", "150ms".to_owned()),
    ]))
}
