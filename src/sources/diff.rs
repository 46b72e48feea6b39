//! What is different between two definitions of one tool, for people. Pure.

use serde_json::value::RawValue;

use crate::sources::definition::Definition;

/// What is different between the definition an owner accepted and the one the source sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDiff {
    /// The parts that differ, in a fixed order.
    pub parts: Vec<PartDiff>,
}

/// One part that differs. Characters that do not show are written as escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartDiff {
    /// The part.
    pub part: ToolPart,
    /// The text accepted; `None` if there was none.
    pub old: Option<String>,
    /// The text sent; `None` if there is none.
    pub new: Option<String>,
}

/// The parts of a definition that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolPart {
    /// What people call it.
    Title,
    /// What it does.
    Description,
    /// What it takes.
    InputSchema,
    /// What it gives.
    OutputSchema,
    /// What it says of itself: read-only, destructive, …
    Annotations,
    /// What a prompt is filled in with.
    Arguments,
}

impl ToolPart {
    /// Every part, in the order they are shown.
    pub const ALL: &'static [Self] = &[
        Self::Title,
        Self::Description,
        Self::InputSchema,
        Self::OutputSchema,
        Self::Annotations,
        Self::Arguments,
    ];

    /// Returns what people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Description => "description",
            Self::InputSchema => "input schema",
            Self::OutputSchema => "output schema",
            Self::Annotations => "annotations",
            Self::Arguments => "arguments",
        }
    }

    fn of<'a>(self, definition: &Definition<'a>) -> Option<&'a RawValue> {
        match self {
            Self::Title => definition.title,
            Self::Description => definition.description,
            Self::InputSchema => definition.input_schema,
            Self::OutputSchema => definition.output_schema,
            Self::Annotations => definition.annotations,
            Self::Arguments => definition.arguments,
        }
    }
}

impl ToolDiff {
    /// Compares the parts byte for byte. A definition that cannot be read has no parts.
    pub fn between(old: &RawValue, new: &RawValue) -> Self {
        let (old, new) =
            (Definition::read(old).unwrap_or_default(), Definition::read(new).unwrap_or_default());
        let parts = ToolPart::ALL
            .iter()
            .filter_map(|&part| {
                let (old, new) = (part.of(&old), part.of(&new));
                let differs = old.map(RawValue::get) != new.map(RawValue::get);
                differs.then(|| PartDiff { part, old: old.map(readable), new: new.map(readable) })
            })
            .collect();
        Self { parts }
    }
}

/// Returns a JSON string's text, or any other JSON value on indented lines.
pub(super) fn readable(raw: &RawValue) -> String {
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => visible(&text),
        Err(_) => visible(&indented(raw.get())),
    }
}

/// Lays JSON out on indented lines, every token as it was written.
pub fn indented(json: &str) -> String {
    // Deeper levels are not indented further, so that a hostile schema cannot make the text grow
    // with the square of its depth.
    const INDENT_MAX: usize = 24;
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut opened = false;
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth.min(INDENT_MAX)));
    };
    for c in json.chars() {
        if in_string {
            text.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if opened && !closes {
            line(&mut text, depth);
        }
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !opened {
                    line(&mut text, depth);
                }
            }
            '"' => in_string = true,
            _ => {}
        }
        text.push(c);
        match c {
            ',' => line(&mut text, depth),
            ':' => text.push(' '),
            _ => {}
        }
        opened = matches!(c, '{' | '[');
    }
    text
}

/// Writes characters that do not show, or that reorder text, as escapes like `\u{200b}`, so that
/// nobody accepts an instruction they could not see.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Says whether a character does not show, or reorders text.
pub(super) fn is_hidden(c: char) -> bool {
    if matches!(c, '\n' | '\t') {
        return false;
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_the_parts_that_differ_and_only_those() {
        let old = raw(r#"{"name":"send","description":"Sends.","inputSchema":{"type":"object"}}"#);
        let new = raw(
            r#"{"name":"send","description":"Sends.\u200b And copies.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
        );

        let diff = ToolDiff::between(&old, &new);

        assert_eq!(
            diff.parts,
            [
                PartDiff {
                    part: ToolPart::Description,
                    old: Some("Sends.".into()),
                    new: Some("Sends.\\u{200b} And copies.".into()),
                },
                PartDiff {
                    part: ToolPart::Annotations,
                    old: None,
                    new: Some("{\n  \"readOnlyHint\": true\n}".into()),
                },
            ]
        );
    }

    #[test]
    fn json_is_laid_out_without_touching_a_token() {
        assert_eq!(
            indented(r#"{"a":[1.0,{}, []],"b":"x\":{"}"#),
            "{\n  \"a\": [\n    1.0,\n    {},\n    []\n  ],\n  \"b\": \"x\\\":{\"\n}"
        );
    }

    #[test]
    fn a_deep_schema_does_not_grow_with_the_square_of_its_depth() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));

        assert!(indented(&deep).len() < 1_200_000);
    }

    #[test]
    fn what_does_not_show_is_written_as_an_escape() {
        assert_eq!(visible("a\u{202e}b\u{e0041}\n\u{7}"), "a\\u{202e}b\\u{e0041}\n\\u{7}");
        assert_eq!(visible("naïve 日本 🎉"), "naïve 日本 🎉");
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }
}
