//! A tool's definition as a source sends it: what is read of it, and what is refused. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    mcp::{self, Raw},
    model::ToolHash,
    sources::diff::{is_hidden, visible},
};

/// The members of a definition that are looked at; everything else is kept and not looked at.
#[derive(Default, Deserialize)]
pub(crate) struct Definition<'a> {
    /// The name the source knows it by.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// What people call it.
    #[serde(borrow, default)]
    pub title: Option<&'a RawValue>,
    /// What it does.
    #[serde(borrow, default)]
    pub description: Option<&'a RawValue>,
    /// What it takes.
    #[serde(borrow, default, rename = "inputSchema")]
    pub input_schema: Option<&'a RawValue>,
    /// What it gives.
    #[serde(borrow, default, rename = "outputSchema")]
    pub output_schema: Option<&'a RawValue>,
    /// What it says of itself.
    #[serde(borrow, default)]
    pub annotations: Option<&'a RawValue>,
}

impl<'a> Definition<'a> {
    /// The longest name the protocol allows.
    pub const NAME_MAX: usize = 128;
    /// How deep a definition may be nested.
    pub const DEPTH_MAX: usize = 64;

    /// Reads a definition; `None` if it is not an object with these members, each at most once.
    pub fn read(raw: &'a RawValue) -> Option<Self> {
        // A sequence would be read as the members in order.
        raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
    }

    /// Reads a definition that is to be kept, or says why it is left out.
    pub fn check(raw: &'a RawValue, bytes_max: usize) -> Result<Self, (String, String)> {
        let size = raw.get().len();
        if size > bytes_max {
            let name = name_for_display(raw, bytes_max);
            return Err((name, format!("its definition has {size} bytes, more than {bytes_max}")));
        }
        if depth(raw.get()) > Self::DEPTH_MAX {
            let reason = format!("its definition is nested deeper than {}", Self::DEPTH_MAX);
            return Err((name_for_display(raw, bytes_max), reason));
        }
        let Some(definition) = Self::read(raw) else {
            let reason = "its definition is not an object, or has a member twice or of the wrong type";
            return Err((name_for_display(raw, bytes_max), reason.to_owned()));
        };
        if let Some(reason) = definition.complaint() {
            return Err((cut(&definition.name), reason));
        }
        // What could not be shown to callers later is left out here.
        match mcp::exposed(Raw::of(raw), &definition.name, None) {
            Ok(_) => Ok(definition),
            Err(error) => Err((cut(&definition.name), error.to_string())),
        }
    }

    fn complaint(&self) -> Option<String> {
        if self.name.is_empty() {
            return Some("it has no name".to_owned());
        }
        if self.name.chars().count() > Self::NAME_MAX {
            return Some(format!("its name is longer than {} characters", Self::NAME_MAX));
        }
        if self.name.chars().any(|c| is_hidden(c) || c.is_whitespace()) {
            return Some("its name holds white space or characters that do not show".to_owned());
        }
        let members = [
            ("title", self.title, '"'),
            ("description", self.description, '"'),
            ("inputSchema", self.input_schema, '{'),
            ("outputSchema", self.output_schema, '{'),
            ("annotations", self.annotations, '{'),
        ];
        for (member, value, begins) in members {
            if value.is_some_and(|value| !value.get().starts_with(begins)) {
                let kind = if begins == '"' { "text" } else { "an object" };
                return Some(format!("its `{member}` is not {kind}"));
            }
        }
        self.input_schema.is_none().then(|| "it has no `inputSchema`".to_owned())
    }
}

/// Returns the hash of what an owner accepts: what the protocol's hash covers, and the title, which
/// clients show in place of the name.
pub(crate) fn hash(raw: &RawValue) -> ToolHash {
    let title = Definition::read(raw).and_then(|definition| definition.title);
    ToolHash::of(&[
        ("definition", Some(&mcp::tool_hash(Raw::of(raw)).0)),
        ("title", title.map(RawValue::get)),
    ])
}

/// Returns the text of a JSON string; empty for anything else.
pub(crate) fn text(raw: Option<&RawValue>) -> String {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn name_for_display(raw: &RawValue, bytes_max: usize) -> String {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    // Reading is linear, but a megabyte of nonsense is not worth it.
    let readable = raw.get().len() <= bytes_max.saturating_mul(16);
    let named = readable.then(|| serde_json::from_str::<Named>(raw.get()).ok()).flatten();
    named.map_or_else(|| "(no name)".to_owned(), |named| cut(&named.name))
}

fn cut(name: &str) -> String {
    visible(&name.chars().take(Definition::NAME_MAX).collect::<String>())
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_that_would_confuse_a_client_is_left_out() {
        let wrong = [
            (r#"[]"#, "not an object"),
            (r#"{"name":"a","name":"b","inputSchema":{}}"#, "twice"),
            (r#"{"inputSchema":{}}"#, "no name"),
            (r#"{"name":"a b","inputSchema":{}}"#, "white space"),
            (r#"{"name":"a\u200b","inputSchema":{}}"#, "do not show"),
            (r#"{"name":"a"}"#, "no `inputSchema`"),
            (r#"{"name":"a","inputSchema":true}"#, "`inputSchema` is not an object"),
            (r#"{"name":"a","inputSchema":{},"description":{}}"#, "`description` is not text"),
        ];
        for (definition, reason) in wrong {
            let raw = RawValue::from_string(definition.to_owned()).unwrap();
            let refused = Definition::check(&raw, 1000).err();
            assert!(
                refused.as_ref().is_some_and(|(_, why)| why.contains(reason)),
                "{definition}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_large_or_deep_definition_is_left_out() {
        let large = format!(r#"{{"name":"large","inputSchema":{{"x":"{}"}}}}"#, "x".repeat(1000));
        let deep = format!(
            r#"{{"name":"deep","inputSchema":{}{}}}"#,
            r#"{"a":"#.repeat(70),
            "1".to_owned() + &"}".repeat(70)
        );
        for (text, name) in [(large, "large"), (deep, "deep")] {
            let raw = RawValue::from_string(text).unwrap();
            assert_eq!(Definition::check(&raw, 900).err().map(|(name, _)| name).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_bracket_in_a_text_is_no_nesting() {
        assert_eq!(depth(r#"{"a":"[[[\"[[","b":[{}]}"#), 3);
    }
}
