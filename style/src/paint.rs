//! Corners, borders, outlines, rings, shadows, and everything that is coloured.

use crate::own::{Answer, Utility, all, known, one, per_side, pixels, sides};
use crate::tokens::colour;
use crate::value::{arbitrary, integer, number, trimmed};

pub(crate) fn rounded(_: &str, rest: &str, _: bool) -> Answer {
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
pub(crate) fn border(_: &str, rest: &str, _: bool) -> Answer {
    const STYLES: &[&str] = &["solid", "dashed", "dotted", "double", "hidden", "none"];
    if STYLES.contains(&rest) {
        return Answer::Known(one("border-style", rest));
    }
    let with_side = rest.split_once('-').and_then(|(letter, text)| Some((sides(letter)?, text)));
    let (endings, text) = with_side.unwrap_or((&[""], rest));
    if matches!(rest, "collapse" | "separate") {
        return Answer::Unclaimed;
    }
    let (part, value) = match pixels(text, false).filter(|value| !looks_like_colour(value)) {
        Some(width) => ("width", width),
        None => match any_colour(text) {
            Some(value) => ("color", value),
            None => return Answer::Refused,
        },
    };
    Answer::Known(per_side(endings, |ending| format!("border{ending}-{part}"), &value))
}

pub(crate) fn outline(_: &str, text: &str, _: bool) -> Answer {
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

pub(crate) fn ring(_: &str, text: &str, _: bool) -> Answer {
    if text == "inset" {
        return Answer::Known(one("--tw-ring-inset", "inset"));
    }
    match integer(text) {
        Some(width) => Answer::Known(ring_width(&format!("{width}px"), false)),
        None => known(any_colour(text).map(|value| one("--tw-ring-color", value))),
    }
}

const BOX_SHADOW: &str = "var(--tw-ring-shadow,0 0 #0000),var(--tw-shadow,0 0 #0000)";

pub(crate) fn ring_width(width: &str, _: bool) -> Utility {
    Utility::new([
        (
            "--tw-ring-shadow",
            format!("var(--tw-ring-inset,) 0 0 0 {width} var(--tw-ring-color,currentColor)"),
        ),
        ("box-shadow", BOX_SHADOW.to_owned()),
    ])
}

pub(crate) fn shadow(_: &str, text: &str, _: bool) -> Answer {
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
pub(crate) fn text(_: &str, text: &str, _: bool) -> Answer {
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

pub(crate) fn stroke(_: &str, text: &str, _: bool) -> Answer {
    match number(text) {
        Some(width) => Answer::Known(one("stroke-width", trimmed(width))),
        None => paint(&["stroke"], text),
    }
}

/// A token colour is ours; the palette is the table's.
pub(crate) fn paint(properties: &[&'static str], text: &str) -> Answer {
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
pub(crate) fn any_colour(text: &str) -> Option<String> {
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
