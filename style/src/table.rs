//! The utility table: tailwind-rs, through the fork that lives on.
//!
//! The crate prints, panics on odd input and turns unknown words into values (`max-width: banana`), so it is asked for one
//! bare class at a time, behind `catch_unwind`, never for a variant, and its answer counts only when every word of
//! every value is one that CSS has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tailwind_rs::TailwindBuilder;

/// Returns the declarations of a bare utility such as `flex`, or `None` where the crate knows none.
pub(crate) fn declarations(base: &str) -> Option<Vec<(String, String)>> {
    // Arbitrary values and variables are read by `own`; the crate copies them without looking.
    if base.contains(['[', '(', ':', '!', ' ']) {
        return None;
    }
    quiet_panics();
    let sheet = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = TailwindBuilder::default();
        builder.preflight.disable = true;
        builder.trace(base, false).ok()?;
        builder.bundle().ok()
    }))
    .ok()??;
    let body = sheet.split_once('{')?.1.rsplit_once('}')?.0;
    let declarations: Vec<_> = body
        .split(';')
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once(':'))
        .map(|pair| pair.map(|(property, value)| (property.trim().to_owned(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let sound =
        declarations.iter().all(|(property, value)| is_property(property) && is_value(property, value));
    (sound && !declarations.is_empty()).then_some(declarations)
}

fn is_property(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// Whether every word of the value is a number, a function or a keyword that the property has.
fn is_value(property: &str, value: &str) -> bool {
    // What the crate answers for a colour it does not know; the true `current` is read by `own`.
    if value.is_empty() || value.contains(['{', '}', '<']) || value.contains("currentColor") {
        return false;
    }
    if let Some((_, allowed)) = OF_PROPERTY.iter().find(|(properties, _)| properties.contains(&property)) {
        return allowed.contains(&value);
    }
    let words = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '/'));
    words.filter(|word| !word.is_empty()).all(|word| {
        let start = word.trim_start_matches(['-', '+', '.']);
        start.starts_with(|c: char| c.is_ascii_digit()) || word.starts_with('#') || KEYWORDS.contains(&word)
    })
}

/// Whole values of properties for which the crate takes any word.
const OF_PROPERTY: &[(&[&str], &[&str])] = &[
    (
        &[
            "align-content",
            "align-items",
            "align-self",
            "justify-content",
            "justify-items",
            "justify-self",
            "place-content",
            "place-items",
            "place-self",
        ],
        &[
            "auto",
            "baseline",
            "center",
            "end",
            "normal",
            "space-around",
            "space-between",
            "space-evenly",
            "start",
            "stretch",
        ],
    ),
    (&["white-space"], &["break-spaces", "normal", "nowrap", "pre", "pre-line", "pre-wrap"]),
];

/// The words that values of the table's utilities may hold, functions included.
const KEYWORDS: &[&str] = &[
    "absolute",
    "all",
    "all-scroll",
    "alternate",
    "anywhere",
    "auto",
    "avoid",
    "balance",
    "baseline",
    "blink",
    "block",
    "blur",
    "border-box",
    "both",
    "bottom",
    "break-all",
    "break-spaces",
    "break-word",
    "brightness",
    "capitalize",
    "cell",
    "center",
    "clip",
    "clone",
    "collapse",
    "col-resize",
    "color",
    "color-burn",
    "color-dodge",
    "column",
    "column-reverse",
    "contain",
    "content-box",
    "contents",
    "context-menu",
    "contrast",
    "copy",
    "cover",
    "crosshair",
    "currentColor",
    "darken",
    "dashed",
    "decimal",
    "default",
    "dense",
    "diagonal-fractions",
    "difference",
    "disc",
    "dotted",
    "double",
    "drop-shadow",
    "e-resize",
    "ellipsis",
    "end",
    "evenodd",
    "ew-resize",
    "exclusion",
    "fill",
    "fit-content",
    "fixed",
    "flex",
    "flex-end",
    "flex-start",
    "flow-root",
    "grab",
    "grabbing",
    "grayscale",
    "grid",
    "hard-light",
    "help",
    "hidden",
    "horizontal",
    "hue",
    "hue-rotate",
    "inherit",
    "initial",
    "inline",
    "inline-block",
    "inline-flex",
    "inline-grid",
    "inline-table",
    "inset",
    "inside",
    "invert",
    "isolate",
    "italic",
    "justify",
    "keep-all",
    "left",
    "lighten",
    "lining-nums",
    "list-item",
    "local",
    "lowercase",
    "luminosity",
    "mandatory",
    "manipulation",
    "manual",
    "max-content",
    "middle",
    "min-content",
    "minmax",
    "move",
    "multiply",
    "n-resize",
    "ne-resize",
    "nesw-resize",
    "no-drop",
    "no-repeat",
    "none",
    "normal",
    "not-allowed",
    "nowrap",
    "ns-resize",
    "nw-resize",
    "nwse-resize",
    "oldstyle-nums",
    "opacity",
    "ordinal",
    "outside",
    "overlay",
    "padding-box",
    "page",
    "paint",
    "pan-x",
    "pan-y",
    "pinch-zoom",
    "pointer",
    "pre",
    "pre-line",
    "pre-wrap",
    "pretty",
    "progress",
    "proportional-nums",
    "proximity",
    "relative",
    "repeat",
    "repeat-x",
    "repeat-y",
    "revert",
    "rgb",
    "rgba",
    "right",
    "round",
    "row",
    "row-resize",
    "row-reverse",
    "s-resize",
    "saturate",
    "saturation",
    "scale-down",
    "screen",
    "scroll",
    "scroll-position",
    "se-resize",
    "separate",
    "sepia",
    "slashed-zero",
    "slice",
    "smooth",
    "soft-light",
    "solid",
    "space",
    "space-around",
    "space-between",
    "space-evenly",
    "span",
    "stacked-fractions",
    "start",
    "static",
    "sticky",
    "stretch",
    "sub",
    "super",
    "sw-resize",
    "table",
    "table-caption",
    "table-cell",
    "table-column",
    "table-column-group",
    "table-footer-group",
    "table-header-group",
    "table-row",
    "table-row-group",
    "tabular-nums",
    "text",
    "text-bottom",
    "text-top",
    "thin",
    "top",
    "transform",
    "transparent",
    "unset",
    "uppercase",
    "vertical",
    "vertical-text",
    "visible",
    "w-resize",
    "wait",
    "wavy",
    "wrap",
    "wrap-reverse",
    "x",
    "y",
    "zoom-in",
    "zoom-out",
    "cubic-bezier",
    "linear",
    "ease",
    "line-through",
    "underline",
    "overline",
    "subpixel-antialiased",
    "antialiased",
];

/// Keeps the crate's panics, which are answers here, out of the build's output.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let inner = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let inside = info.location().is_some_and(|place| place.file().contains("tailwind"));
            if !inside {
                inner(info);
            }
        }));
    });
}
