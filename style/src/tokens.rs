//! The names of the design tokens. Their values stand in `base.css`, for light and dark.

/// Colours, used as `bg-surface`, `text-muted`, `border-line` and so on, also with `/50` for half of it.
///
/// Every name is a custom property `--name` in `base.css`.
pub const COLOURS: &[&str] = &[
    // Where things stand.
    "canvas",
    "surface",
    "sunken",
    "hover",
    "line",
    "line-strong",
    // What is written.
    "ink",
    "muted",
    "subtle",
    // The one accent.
    "accent",
    "accent-strong",
    "accent-soft",
    "accent-ink",
    // States: the colour of the word or shape, its quiet ground, its hairline.
    "good",
    "good-soft",
    "good-line",
    "warn",
    "warn-soft",
    "warn-line",
    "bad",
    "bad-soft",
    "bad-line",
    "held",
    "held-soft",
    "held-line",
    "off",
    "off-soft",
    "off-line",
    // The colour of text on a ground of the state's colour.
    "state-ink",
    // Charts.
    "chart-1",
    "chart-2",
    "chart-3",
    "chart-4",
];

/// Breakpoints: the name of the variant and the least width.
pub const BREAKPOINTS: &[(&str, &str)] =
    &[("sm", "40rem"), ("md", "48rem"), ("lg", "64rem"), ("xl", "80rem"), ("2xl", "96rem")];

/// Widths of containers, for `max-w-…`, `w-…`, `columns-…` and `@…:` variants.
pub const CONTAINERS: &[(&str, &str)] = &[
    ("3xs", "16rem"),
    ("2xs", "18rem"),
    ("xs", "20rem"),
    ("sm", "24rem"),
    ("md", "28rem"),
    ("lg", "32rem"),
    ("xl", "36rem"),
    ("2xl", "42rem"),
    ("3xl", "48rem"),
    ("4xl", "56rem"),
    ("5xl", "64rem"),
    ("6xl", "72rem"),
    ("7xl", "80rem"),
];

/// Returns the CSS of a token colour, with `percent` of it when given; `None` when no token has the name.
pub(crate) fn colour(name: &str, percent: Option<&str>) -> Option<String> {
    let plain = match name {
        "transparent" => "transparent".to_owned(),
        "current" => "currentColor".to_owned(),
        "inherit" => "inherit".to_owned(),
        _ if COLOURS.contains(&name) => format!("var(--{name})"),
        _ => return None,
    };
    Some(match percent {
        None => plain,
        Some(percent) => format!("color-mix(in oklab,{plain} {percent}%,transparent)"),
    })
}
