//! Every colour that is written with stands out from every ground it stands on, in light and in dark.

use std::collections::BTreeMap;

/// The least contrast of text (WCAG 2.2, AA).
const TEXT: f64 = 4.5;

/// The least contrast of what bounds a control or draws a line of a chart.
const SHAPE: f64 = 3.0;

/// Which colours stand on which grounds.
const PAIRS: &[(&[&str], &[&str], f64)] = &[
    (&["ink", "muted", "subtle"], &["canvas", "surface", "sunken", "hover"], TEXT),
    (&["accent", "accent-strong"], &["canvas", "surface", "sunken", "hover", "accent-soft"], TEXT),
    (&["accent-ink"], &["accent", "accent-strong"], TEXT),
    (&["good"], &["canvas", "surface", "hover", "good-soft"], TEXT),
    (&["warn"], &["canvas", "surface", "hover", "warn-soft"], TEXT),
    (&["bad"], &["canvas", "surface", "hover", "bad-soft"], TEXT),
    (&["held"], &["canvas", "surface", "hover", "held-soft"], TEXT),
    (&["off"], &["canvas", "surface", "hover", "off-soft"], TEXT),
    (&["state-ink"], &["good", "warn", "bad", "held", "off"], TEXT),
    (
        &["ink", "muted"],
        &["accent-soft", "good-soft", "warn-soft", "bad-soft", "held-soft", "off-soft"],
        TEXT,
    ),
    (&["line-strong", "chart-1", "chart-2", "chart-3", "chart-4"], &["surface"], SHAPE),
];

#[test]
fn every_text_colour_is_readable_on_its_grounds() {
    let colours = colours();
    let mut weak = Vec::new();
    for (fronts, grounds, least) in PAIRS {
        for (front, ground) in
            fronts.iter().flat_map(|front| grounds.iter().map(move |ground| (front, ground)))
        {
            for (theme, name) in [(0, "light"), (1, "dark")] {
                let ratio = contrast(colours[*front][theme], colours[*ground][theme]);
                if ratio < *least {
                    weak.push(format!("{front} on {ground}, {name}: {ratio:.2} is less than {least}"));
                }
            }
        }
    }
    assert!(weak.is_empty(), "{}", weak.join("\n"));
}

#[test]
fn every_token_has_a_value() {
    let colours = colours();
    let missing: Vec<_> =
        style::tokens::COLOURS.iter().filter(|name| !colours.contains_key(**name)).collect();
    assert!(missing.is_empty(), "no value in base.css: {missing:?}");
}

type Rgb = [f64; 3];

/// The values of `--name: light-dark(#…, #…)` in the base sheet.
fn colours() -> BTreeMap<String, [Rgb; 2]> {
    let mut colours = BTreeMap::new();
    for line in style::BASE.lines() {
        let Some((name, value)) =
            line.trim().strip_prefix("--").and_then(|line| line.split_once(": light-dark("))
        else {
            continue;
        };
        let (light, dark) = value.trim_end_matches(");").split_once(", ").expect("two colours");
        colours.insert(name.to_owned(), [rgb(light), rgb(dark)]);
    }
    colours
}

fn rgb(hex: &str) -> Rgb {
    let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits"));
    [part(1), part(3), part(5)]
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(colour: Rgb) -> f64 {
    let linear = colour.map(|channel| {
        let channel = channel / 255.0;
        if channel <= 0.03928 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}
