//! Utilities that are ours: the families where the table is wrong, loose or silent.
//!
//! A family claimed here is never passed on, so that `max-w-banana` is unknown and not `max-width: banana`.
//! Sides are physical where the crate's are, so that both kinds mix in one rule order.

use crate::tokens::colour;
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
    fn new(declarations: impl IntoIterator<Item = (&'static str, String)>) -> Self {
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

fn known(utility: Option<Utility>) -> Answer {
    utility.map_or(Answer::Refused, Answer::Known)
}

fn one(property: &'static str, value: impl Into<String>) -> Utility {
    Utility::new([(property, value.into())])
}

fn all(properties: &[&'static str], value: &str) -> Utility {
    Utility::new(properties.iter().map(|property| (*property, value.to_owned())))
}

/// `[property:value]`
fn arbitrary_property(rest: &str) -> Option<Utility> {
    let (property, value) = rest.strip_suffix(']')?.split_once(':')?;
    let named = !property.is_empty() && property.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let value = arbitrary(&format!("[{value}]"))?;
    named.then(|| Utility { declarations: vec![(property.to_owned(), value)], inner: None })
}

/// Classes without a value part that the table has wrong or not at all.
fn fixed(base: &str) -> Option<Vec<(&'static str, String)>> {
    let pairs: &[(&'static str, &str)] = match base {
        "rounded" => &[("border-radius", "0.25rem")],
        "blur-none" => &[("filter", "none")],
        "border" => &[("border-width", "1px")],
        "border-x" => &[("border-left-width", "1px"), ("border-right-width", "1px")],
        "border-y" => &[("border-top-width", "1px"), ("border-bottom-width", "1px")],
        "border-t" => &[("border-top-width", "1px")],
        "border-r" => &[("border-right-width", "1px")],
        "border-b" => &[("border-bottom-width", "1px")],
        "border-l" => &[("border-left-width", "1px")],
        "font-sans" => &[("font-family", "var(--font-sans)")],
        "font-mono" => &[("font-family", "var(--font-mono)")],
        "outline" => &[("outline-style", "solid"), ("outline-width", "1px")],
        "outline-none" => &[("outline-style", "none")],
        "outline-hidden" => &[("outline", "2px solid transparent"), ("outline-offset", "2px")],
        "grow" | "flex-grow" => &[("flex-grow", "1")],
        "shrink" | "flex-shrink" => &[("flex-shrink", "1")],
        "flex-1" => &[("flex", "1 1 0%")],
        "flex-auto" => &[("flex", "1 1 auto")],
        "flex-initial" => &[("flex", "0 1 auto")],
        "flex-none" => &[("flex", "none")],
        "items-start" => &[("align-items", "flex-start")],
        "items-end" => &[("align-items", "flex-end")],
        "self-start" => &[("align-self", "flex-start")],
        "self-end" => &[("align-self", "flex-end")],
        "justify-start" => &[("justify-content", "flex-start")],
        "justify-end" => &[("justify-content", "flex-end")],
        "content-start" => &[("align-content", "flex-start")],
        "content-end" => &[("align-content", "flex-end")],
        "content-none" => &[("content", "none")],
        "text-balance" => &[("text-wrap", "balance")],
        "text-pretty" => &[("text-wrap", "pretty")],
        "text-wrap" => &[("text-wrap", "wrap")],
        "text-nowrap" => &[("text-wrap", "nowrap")],
        "wrap-anywhere" => &[("overflow-wrap", "anywhere")],
        "wrap-break-word" | "break-words" => &[("overflow-wrap", "break-word")],
        "break-normal" => &[("overflow-wrap", "normal"), ("word-break", "normal")],
        "line-clamp-none" => &[
            ("overflow", "visible"),
            ("display", "block"),
            ("-webkit-box-orient", "horizontal"),
            ("-webkit-line-clamp", "unset"),
        ],
        "animate-none" => &[("animation", "none")],
        "animate-spin" => &[("animation", "spin 1s linear infinite")],
        "animate-pulse" => &[("animation", "pulse 2s cubic-bezier(.4,0,.6,1) infinite")],
        "stroke-current" => &[("stroke", "currentColor")],
        "fill-none" => &[("fill", "none")],
        "stroke-none" => &[("stroke", "none")],
        "transition-none" => &[("transition-property", "none")],
        "touch-none" => &[("touch-action", "none")],
        "touch-manipulation" => &[("touch-action", "manipulation")],
        "list-item" => &[("display", "list-item")],
        "collapse" => &[("visibility", "collapse")],
        "caption-top" => &[("caption-side", "top")],
        "caption-bottom" => &[("caption-side", "bottom")],
        "text-ellipsis" => &[("text-overflow", "ellipsis")],
        "text-clip" => &[("text-overflow", "clip")],
        "justify-self-start" => &[("justify-self", "flex-start")],
        "justify-self-end" => &[("justify-self", "flex-end")],
        "ease-linear" => &[("transition-timing-function", "linear")],
        "ease-in" => &[("transition-timing-function", "cubic-bezier(.4,0,1,1)")],
        "ease-out" => &[("transition-timing-function", "cubic-bezier(0,0,.2,1)")],
        "ease-in-out" => &[("transition-timing-function", "cubic-bezier(.4,0,.2,1)")],
        "bg-center" => &[("background-position", "center")],
        "bg-top" => &[("background-position", "top")],
        "bg-bottom" => &[("background-position", "bottom")],
        "bg-left" => &[("background-position", "left")],
        "bg-right" => &[("background-position", "right")],
        "bg-none" => &[("background-image", "none")],
        "blur-sm" | "backdrop-blur-sm" => {
            let property = if base.starts_with("back") { "backdrop-filter" } else { "filter" };
            return Some(vec![(property, "blur(8px)".to_owned())]);
        }
        "list-inside" => &[("list-style-position", "inside")],
        "list-outside" => &[("list-style-position", "outside")],
        "field-sizing-content" => &[("field-sizing", "content")],
        "scrollbar-thin" => &[("scrollbar-width", "thin")],
        "scheme-light" => &[("color-scheme", "light")],
        "scheme-dark" => &[("color-scheme", "dark")],
        "sr-only" => &[
            ("position", "absolute"),
            ("width", "1px"),
            ("height", "1px"),
            ("padding", "0"),
            ("margin", "-1px"),
            ("overflow", "hidden"),
            ("clip-path", "inset(50%)"),
            ("white-space", "nowrap"),
            ("border-width", "0"),
        ],
        "not-sr-only" => &[
            ("position", "static"),
            ("width", "auto"),
            ("height", "auto"),
            ("padding", "0"),
            ("margin", "0"),
            ("overflow", "visible"),
            ("clip-path", "none"),
            ("white-space", "normal"),
        ],
        "container" => {
            &[("width", "100%"), ("max-width", "80rem"), ("margin-left", "auto"), ("margin-right", "auto")]
        }
        "@container" => &[("container-type", "inline-size")],
        "leading-none" => &[("line-height", "1")],
        "aspect-square" => &[("aspect-ratio", "1 / 1")],
        "aspect-video" => &[("aspect-ratio", "16 / 9")],
        "min-w-0" => &[("min-width", "0")],
        "min-h-0" => &[("min-height", "0")],
        "tabular-nums" => &[("font-variant-numeric", "tabular-nums")],
        "antialiased" => {
            &[("-webkit-font-smoothing", "antialiased"), ("-moz-osx-font-smoothing", "grayscale")]
        }
        _ => return None,
    };
    Some(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
}

type Read = fn(&str, &str, bool) -> Answer;

/// Families that may begin with `-`.
const NEGATIVE: &[&str] = &[
    "m-",
    "mx-",
    "my-",
    "mt-",
    "mr-",
    "mb-",
    "ml-",
    "ms-",
    "me-",
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
    ("p-", |_, v, _| edges(&["padding"], v, false, false)),
    ("px-", |_, v, _| edges(&["padding-left", "padding-right"], v, false, false)),
    ("py-", |_, v, _| edges(&["padding-top", "padding-bottom"], v, false, false)),
    ("pt-", |_, v, _| edges(&["padding-top"], v, false, false)),
    ("pr-", |_, v, _| edges(&["padding-right"], v, false, false)),
    ("pb-", |_, v, _| edges(&["padding-bottom"], v, false, false)),
    ("pl-", |_, v, _| edges(&["padding-left"], v, false, false)),
    ("ps-", |_, v, _| edges(&["padding-inline-start"], v, false, false)),
    ("pe-", |_, v, _| edges(&["padding-inline-end"], v, false, false)),
    ("m-", |_, v, n| edges(&["margin"], v, n, true)),
    ("mx-", |_, v, n| edges(&["margin-left", "margin-right"], v, n, true)),
    ("my-", |_, v, n| edges(&["margin-top", "margin-bottom"], v, n, true)),
    ("mt-", |_, v, n| edges(&["margin-top"], v, n, true)),
    ("mr-", |_, v, n| edges(&["margin-right"], v, n, true)),
    ("mb-", |_, v, n| edges(&["margin-bottom"], v, n, true)),
    ("ml-", |_, v, n| edges(&["margin-left"], v, n, true)),
    ("ms-", |_, v, n| edges(&["margin-inline-start"], v, n, true)),
    ("me-", |_, v, n| edges(&["margin-inline-end"], v, n, true)),
    ("gap-x-", |_, v, _| edges(&["column-gap"], v, false, false)),
    ("gap-y-", |_, v, _| edges(&["row-gap"], v, false, false)),
    ("gap-", |_, v, _| edges(&["gap"], v, false, false)),
    ("inset-x-", |_, v, n| place(&["left", "right"], v, n)),
    ("inset-y-", |_, v, n| place(&["top", "bottom"], v, n)),
    ("inset-", |_, v, n| place(&["inset"], v, n)),
    ("top-", |_, v, n| place(&["top"], v, n)),
    ("right-", |_, v, n| place(&["right"], v, n)),
    ("bottom-", |_, v, n| place(&["bottom"], v, n)),
    ("left-", |_, v, n| place(&["left"], v, n)),
    ("start-", |_, v, n| place(&["inset-inline-start"], v, n)),
    ("end-", |_, v, n| place(&["inset-inline-end"], v, n)),
    ("scroll-m", |_, v, n| scroll("scroll-margin", v, n)),
    ("scroll-p", |_, v, _| scroll("scroll-padding", v, false)),
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

fn edges(properties: &[&'static str], text: &str, negative: bool, auto: bool) -> Answer {
    let value =
        if auto && !negative && text == "auto" { Some("auto".to_owned()) } else { spacing(text, negative) };
    known(value.map(|value| all(properties, &value)))
}

fn place(properties: &[&'static str], text: &str, negative: bool) -> Answer {
    let value = if text == "auto" { Some("auto".to_owned()) } else { length_or_part(text, negative) };
    known(value.map(|value| all(properties, &value)))
}

/// `scroll-mt-4`, `scroll-px-2` and so on; the family's last letter is already gone.
fn scroll(property: &'static str, rest: &str, negative: bool) -> Answer {
    let Some((sides, text)) = rest.split_once('-') else { return Answer::Unclaimed };
    let names: &[&str] = match sides {
        "" => &[""],
        "x" => &["-left", "-right"],
        "y" => &["-top", "-bottom"],
        "t" => &["-top"],
        "r" => &["-right"],
        "b" => &["-bottom"],
        "l" => &["-left"],
        _ => return Answer::Unclaimed,
    };
    known(spacing(text, negative).map(|value| Utility {
        declarations: names.iter().map(|name| (format!("{property}{name}"), value.clone())).collect(),
        inner: None,
    }))
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

fn pixels(text: &str, negative: bool) -> Option<String> {
    let sign = if negative { "-" } else { "" };
    integer(text).map(|width| format!("{sign}{width}px")).or_else(|| arbitrary(text))
}

fn rounded(_: &str, rest: &str, _: bool) -> Answer {
    const CORNERS: &[(&str, &[&str])] = &[
        ("tl", &["border-top-left-radius"]),
        ("tr", &["border-top-right-radius"]),
        ("br", &["border-bottom-right-radius"]),
        ("bl", &["border-bottom-left-radius"]),
        ("t", &["border-top-left-radius", "border-top-right-radius"]),
        ("r", &["border-top-right-radius", "border-bottom-right-radius"]),
        ("b", &["border-bottom-right-radius", "border-bottom-left-radius"]),
        ("l", &["border-top-left-radius", "border-bottom-left-radius"]),
    ];
    let (side, text) = rest.split_once('-').unwrap_or((rest, ""));
    if let Some((_, corners)) = CORNERS.iter().find(|(name, _)| *name == side) {
        return known(radius(text).map(|value| all(corners, &value)));
    }
    known(radius(rest).map(|value| one("border-radius", value)))
}

fn radius(text: &str) -> Option<String> {
    Some(match text {
        "" => "0.25rem".to_owned(),
        "none" => "0".to_owned(),
        "xs" => "0.125rem".to_owned(),
        "sm" => "0.25rem".to_owned(),
        "md" => "0.375rem".to_owned(),
        "lg" => "0.5rem".to_owned(),
        "xl" => "0.75rem".to_owned(),
        "2xl" => "1rem".to_owned(),
        "3xl" => "1.5rem".to_owned(),
        "full" => "9999px".to_owned(),
        _ => return arbitrary(text),
    })
}

/// `border-2`, `border-t-2`, `border-line`, `border-t-line`; styles and `border-collapse` are the table's.
fn border(_: &str, rest: &str, _: bool) -> Answer {
    const STYLES: &[&str] = &["solid", "dashed", "dotted", "double", "hidden", "none"];
    if STYLES.contains(&rest) {
        return Answer::Known(one("border-style", rest));
    }
    let (side, text) = rest.split_once('-').unwrap_or((rest, ""));
    let sides: &[&str] = match side {
        "x" => &["-left", "-right"],
        "y" => &["-top", "-bottom"],
        "t" => &["-top"],
        "r" => &["-right"],
        "b" => &["-bottom"],
        "l" => &["-left"],
        _ => &[""],
    };
    let text = if sides == [""] { rest } else { text };
    if sides == [""] && matches!(text, "collapse" | "separate") {
        return Answer::Unclaimed;
    }
    let (property, value) = match pixels(text, false).filter(|value| !looks_like_colour(value)) {
        Some(width) => ("width", width),
        None => match any_colour(text) {
            Some(value) => ("color", value),
            None => return Answer::Refused,
        },
    };
    Answer::Known(Utility {
        declarations: sides.iter().map(|side| (format!("border{side}-{property}"), value.clone())).collect(),
        inner: None,
    })
}

fn outline(_: &str, text: &str, _: bool) -> Answer {
    if matches!(text, "dashed" | "dotted" | "double") {
        return Answer::Known(one("outline-style", text));
    }
    match pixels(text, false).filter(|value| !looks_like_colour(value)) {
        Some(width) => {
            Answer::Known(Utility::new([("outline-style", "solid".to_owned()), ("outline-width", width)]))
        }
        None => paint(&["outline-color"], text),
    }
}

fn ring(_: &str, text: &str, _: bool) -> Answer {
    if text == "inset" {
        return Answer::Known(one("--tw-ring-inset", "inset"));
    }
    match integer(text) {
        Some(width) => Answer::Known(ring_width(&format!("{width}px"), false)),
        None => known(any_colour(text).map(|value| one("--tw-ring-color", value))),
    }
}

const BOX_SHADOW: &str = "var(--tw-ring-shadow,0 0 #0000),var(--tw-shadow,0 0 #0000)";

fn ring_width(width: &str, _: bool) -> Utility {
    Utility::new([
        (
            "--tw-ring-shadow",
            format!("var(--tw-ring-inset,) 0 0 0 {width} var(--tw-ring-color,currentColor)"),
        ),
        ("box-shadow", BOX_SHADOW.to_owned()),
    ])
}

fn shadow(_: &str, text: &str, _: bool) -> Answer {
    let value = match text {
        "none" => "0 0 #0000",
        "2xs" => "0 1px rgb(0 0 0/.05)",
        "xs" => "0 1px 2px 0 rgb(0 0 0/.05)",
        "sm" => "0 1px 3px 0 rgb(0 0 0/.1),0 1px 2px -1px rgb(0 0 0/.1)",
        "md" => "0 4px 6px -1px rgb(0 0 0/.1),0 2px 4px -2px rgb(0 0 0/.1)",
        "lg" => "0 10px 15px -3px rgb(0 0 0/.1),0 4px 6px -4px rgb(0 0 0/.1)",
        "xl" => "0 20px 25px -5px rgb(0 0 0/.1),0 8px 10px -6px rgb(0 0 0/.1)",
        _ => return Answer::Refused,
    };
    Answer::Known(Utility::new([("--tw-shadow", value.to_owned()), ("box-shadow", BOX_SHADOW.to_owned())]))
}

/// Font sizes and colours; alignment, transforms and the palette are the table's.
fn text(_: &str, text: &str, _: bool) -> Answer {
    const SIZES: &[(&str, &str, &str)] = &[
        ("xs", "0.75rem", "1rem"),
        ("sm", "0.875rem", "1.25rem"),
        ("base", "1rem", "1.5rem"),
        ("lg", "1.125rem", "1.75rem"),
        ("xl", "1.25rem", "1.75rem"),
        ("2xl", "1.5rem", "2rem"),
        ("3xl", "1.875rem", "2.25rem"),
        ("4xl", "2.25rem", "2.5rem"),
    ];
    if let Some((_, size, line)) = SIZES.iter().find(|(name, ..)| *name == text) {
        return Answer::Known(Utility::new([
            ("font-size", (*size).to_owned()),
            ("line-height", (*line).to_owned()),
        ]));
    }
    if let Some(value) = arbitrary(text) {
        let property = if looks_like_colour(&value) { "color" } else { "font-size" };
        return Answer::Known(one(property, value));
    }
    paint(&["color"], text)
}

fn stroke(_: &str, text: &str, _: bool) -> Answer {
    match number(text) {
        Some(width) => Answer::Known(one("stroke-width", trimmed(width))),
        None => paint(&["stroke"], text),
    }
}

/// A token colour is ours; the palette is the table's.
fn paint(properties: &[&'static str], text: &str) -> Answer {
    if let Some(value) = token_colour(text) {
        return Answer::Known(all(properties, &value));
    }
    match arbitrary(text) {
        Some(value) if looks_like_colour(&value) => Answer::Known(all(properties, &value)),
        Some(_) => Answer::Refused,
        None => Answer::Unclaimed,
    }
}

fn token_colour(text: &str) -> Option<String> {
    match text.split_once('/') {
        None => colour(text, None),
        Some((name, percent)) => {
            let percent = integer(percent).filter(|value| *value <= 100)?;
            colour(name, Some(&percent.to_string()))
        }
    }
}

/// A token colour, one of the palette, or an arbitrary one.
fn any_colour(text: &str) -> Option<String> {
    token_colour(text).or_else(|| arbitrary(text).filter(|value| looks_like_colour(value))).or_else(|| {
        let found = crate::table::declarations(&format!("bg-{text}"))?;
        found.into_iter().find(|(property, _)| property == "background-color").map(|(_, value)| value)
    })
}

fn looks_like_colour(value: &str) -> bool {
    const STARTS: &[&str] =
        &["#", "rgb", "hsl", "oklch", "oklab", "color-mix(", "light-dark(", "currentColor"];
    STARTS.iter().any(|start| value.starts_with(start))
        || value.starts_with("var(--") && !value.contains("size")
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
