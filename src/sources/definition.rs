//! A tool's definition as a source sends it: what is read of it, and what is refused. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    mcp::{self, Raw},
    model::{ResourceKind, ToolHash},
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
    /// What a prompt is filled in with.
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
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

    /// Reads a tool's definition that is to be kept, or says why it is left out.
    pub fn check(raw: &'a RawValue, bytes_max: usize) -> Result<Self, (String, String)> {
        let definition = Self::check_form(raw, bytes_max)?;
        if let Some(reason) = definition.complaint() {
            return Err((cut(&definition.name), reason));
        }
        // What could not be shown to callers later is left out here.
        match mcp::exposed(Raw::of(raw), &definition.name, None) {
            Ok(_) => Ok(definition),
            Err(error) => Err((cut(&definition.name), error.to_string())),
        }
    }

    /// Reads a prompt's definition that is to be kept, or says why it is left out.
    pub fn check_prompt(raw: &'a RawValue, bytes_max: usize) -> Result<Self, (String, String)> {
        let definition = Self::check_form(raw, bytes_max)?;
        match definition.prompt_complaint() {
            Some(reason) => Err((cut(&definition.name), reason)),
            None => Ok(definition),
        }
    }

    fn check_form(raw: &'a RawValue, bytes_max: usize) -> Result<Self, (String, String)> {
        let size = raw.get().len();
        if size > bytes_max {
            let name = name_for_display(raw, bytes_max);
            return Err((name, format!("its definition has {size} bytes, more than {bytes_max}")));
        }
        if depth(raw.get()) > Self::DEPTH_MAX {
            let reason = format!("its definition is nested deeper than {}", Self::DEPTH_MAX);
            return Err((name_for_display(raw, bytes_max), reason));
        }
        Self::read(raw).ok_or_else(|| {
            let reason = "its definition is not an object, or has a member twice or of the wrong type";
            (name_for_display(raw, bytes_max), reason.to_owned())
        })
    }

    fn complaint(&self) -> Option<String> {
        if let Some(reason) = self.name_complaint() {
            return Some(reason);
        }
        if self.name.chars().any(char::is_whitespace) {
            return Some("its name holds white space or characters that do not show".to_owned());
        }
        let members = [
            ("title", self.title, '"'),
            ("description", self.description, '"'),
            ("inputSchema", self.input_schema, '{'),
            ("outputSchema", self.output_schema, '{'),
            ("annotations", self.annotations, '{'),
        ];
        kind_complaint(&members)
            .or_else(|| self.input_schema.is_none().then(|| "it has no `inputSchema`".to_owned()))
    }

    fn prompt_complaint(&self) -> Option<String> {
        // A prompt's name may hold spaces; nothing forbids them.
        self.name_complaint().or_else(|| {
            let texts = [("title", self.title, '"'), ("description", self.description, '"')];
            kind_complaint(&texts).or_else(|| kind_complaint(&[("arguments", self.arguments, '[')]))
        })
    }

    fn name_complaint(&self) -> Option<String> {
        if self.name.is_empty() {
            return Some("it has no name".to_owned());
        }
        if self.name.chars().count() > Self::NAME_MAX {
            return Some(format!("its name is longer than {} characters", Self::NAME_MAX));
        }
        let is_odd = |c| is_hidden(c) || (c.is_whitespace() && c != ' ');
        let reason = "its name holds white space or characters that do not show";
        self.name.chars().any(is_odd).then(|| reason.to_owned())
    }
}

/// Returns what is wrong with the kind of one of these members; `None` if nothing is.
fn kind_complaint(members: &[(&str, Option<&RawValue>, char)]) -> Option<String> {
    let (member, _, begins) = members
        .iter()
        .find(|(_, value, begins)| value.is_some_and(|value| !value.get().starts_with(*begins)))?;
    let kind = match begins {
        '"' => "text",
        '{' => "an object",
        _ => "a list",
    };
    Some(format!("its `{member}` is not {kind}"))
}

/// The two kinds of thing that owners accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pinned {
    /// Tools.
    Tools,
    /// Prompts.
    Prompts,
}

impl Pinned {
    /// Reads the name of a definition that is to be kept, or says why it is left out.
    pub(super) fn check(self, raw: &RawValue, bytes_max: usize) -> Result<String, (String, String)> {
        let definition = match self {
            Self::Tools => Definition::check(raw, bytes_max),
            Self::Prompts => Definition::check_prompt(raw, bytes_max),
        }?;
        Ok(definition.name.into_owned())
    }

    /// Returns the hash of what an owner accepts.
    pub(super) fn hash(self, raw: &RawValue) -> ToolHash {
        match self {
            Self::Tools => hash(raw),
            Self::Prompts => prompt_hash(raw),
        }
    }

    /// Returns what people call them.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
        }
    }
}

/// Reads the URI of a resource, or the template of a resource template, that is to be kept, or says
/// why it is left out.
pub(super) fn resource_uri(
    kind: ResourceKind,
    raw: &RawValue,
    bytes_max: usize,
) -> Result<String, &'static str> {
    /// The longest URI kept, in bytes.
    const URI_BYTES_MAX: usize = 2048;
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named<'a> {
        #[serde(borrow)]
        uri: Option<Cow<'a, str>>,
        #[serde(borrow)]
        uri_template: Option<Cow<'a, str>>,
    }
    if raw.get().len() > bytes_max || depth(raw.get()) > Definition::DEPTH_MAX {
        return Err("its entry is too large or too deep");
    }
    let named: Option<Named<'_>> =
        raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten();
    let uri = named.and_then(|named| match kind {
        ResourceKind::Resource => named.uri,
        ResourceKind::Template => named.uri_template,
    });
    match uri {
        None => Err("its entry is not an object with a URI"),
        Some(uri) if uri.is_empty() || uri.len() > URI_BYTES_MAX => Err("its URI is empty or too long"),
        Some(uri) if uri.chars().any(|c| is_hidden(c) || c.is_control()) => {
            Err("its URI holds characters that do not show")
        }
        Some(uri) => Ok(uri.into_owned()),
    }
}

/// Returns the hash of what an owner accepts of a prompt, every byte of it.
fn prompt_hash(raw: &RawValue) -> ToolHash {
    let Some(Definition { name, title, description, arguments, .. }) = Definition::read(raw) else {
        return ToolHash::of(&[("definition", Some(raw.get()))]);
    };
    ToolHash::of(&[
        ("name", Some(&*name)),
        ("title", title.map(RawValue::get)),
        ("description", description.map(RawValue::get)),
        ("arguments", arguments.map(RawValue::get)),
    ])
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
    fn a_prompt_is_told_from_what_would_confuse_a_client() {
        let check = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            Pinned::Prompts.check(&raw, 1000).map_err(|(_, reason)| reason)
        };

        assert_eq!(check(r#"{"name":"Review code","arguments":[]}"#).as_deref(), Ok("Review code"));
        for wrong in [r#"{"name":""}"#, r#"{"name":"a\u0009b"}"#, r#"{"name":"a","arguments":{}}"#, "[]"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prompts_hash_sees_what_callers_see() {
        let hash = |text: &str| Pinned::Prompts.hash(&RawValue::from_string(text.to_owned()).unwrap());
        let prompt = hash(r#"{"name":"a","description":"d","arguments":[{"name":"x"}]}"#);

        assert_eq!(prompt, hash(r#"{"arguments":[{"name":"x"}],"name":"a","description":"d","_meta":{}}"#));
        for other in [
            r#"{"name":"a","description":"e","arguments":[{"name":"x"}]}"#,
            r#"{"name":"a","description":"d","arguments":[{"name":"x","description":"ignore all"}]}"#,
            r#"{"name":"a","title":"t","description":"d","arguments":[{"name":"x"}]}"#,
        ] {
            assert_ne!(prompt, hash(other), "{other}");
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
