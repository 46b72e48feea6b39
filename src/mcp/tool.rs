//! Tool definitions: what they are called, whether they changed, and how callers of each era see
//! them.

use std::borrow::Cow;

use bytes::Bytes;
use thiserror::Error;

use crate::{
    mcp::{
        Raw, edit,
        headers::{ParamHeaderError, ParamHeaders},
        write,
    },
    model::ToolHash,
};

/// Says why a tool cannot be shown to callers.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ToolError {
    /// The definition is not an object with a name and an input schema that is an object.
    #[error("the definition lacks `{0}`")]
    Lacks(&'static str),
    /// The mirrored headers it asks for cannot be sent.
    #[error(transparent)]
    ParamHeaders(#[from] ParamHeaderError),
}

/// Returns the name; `None` if it has none.
pub fn tool_name(definition: Raw<'_>) -> Option<Cow<'_, str>> {
    definition.member("name")?.as_str()
}

/// Returns the description, empty if there is none.
pub fn tool_description(definition: Raw<'_>) -> Cow<'_, str> {
    definition.member("description").and_then(Raw::as_str).unwrap_or_default()
}

/// Hashes what an owner accepts: name, description, schemas and annotations. The order of keys and
/// white space do not matter; where a member appears twice, every byte does, because readers
/// differ in which one they see.
pub fn tool_hash(definition: Raw<'_>) -> ToolHash {
    const PARTS: [&str; 5] = ["name", "description", "inputSchema", "outputSchema", "annotations"];
    let mut texts: [Option<String>; PARTS.len()] = Default::default();
    for member in definition.members() {
        if let Some(index) = PARTS.iter().position(|part| member.is(part)) {
            let mut text = String::new();
            if texts[index].is_some() || !canonical(member.value, &mut text) {
                return ToolHash::of(&[("definition", Some(definition.get()))]);
            }
            texts[index] = Some(text);
        }
    }
    let parts: Vec<_> = PARTS.iter().zip(&texts).map(|(part, text)| (*part, text.as_deref())).collect();
    ToolHash::of(&parts)
}

/// Writes a value with sorted keys and without white space; `false` if a key appears twice.
fn canonical(value: Raw<'_>, out: &mut String) -> bool {
    if value.is_object() {
        let mut members: Vec<_> = value.members().map(|member| (member.name(), member.value)).collect();
        members.sort_by(|left, right| left.0.cmp(&right.0));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return false;
        }
        out.push('{');
        for (name, value) in members {
            out.push_str(&write::quoted(&name));
            out.push(':');
            if !canonical(value, out) {
                return false;
            }
            out.push(',');
        }
        out.push('}');
    } else if value.is_array() {
        out.push('[');
        for element in value.elements() {
            if !canonical(element, out) {
                return false;
            }
            out.push(',');
        }
        out.push(']');
    } else {
        match value.as_str() {
            Some(text) => out.push_str(&write::quoted(&text)),
            None => out.push_str(value.get()),
        }
    }
    true
}

/// A tool as callers see it, ready to be put into a list.
#[derive(Clone, Debug)]
pub struct ExposedTool {
    /// For callers of 2026-07-28.
    pub modern: Bytes,
    /// For callers before that.
    pub legacy: Bytes,
    /// Whether legacy callers were given an output schema that wraps the source's, so that their
    /// structured results are wrapped alike.
    pub wraps_output: bool,
    /// The arguments mirrored into headers.
    pub param_headers: ParamHeaders,
}

/// Returns a definition as callers see it, under this name and, if given, this description.
/// Everything else keeps its bytes, except: `execution` is of no use to modern callers, and legacy
/// ones take only objects as structured results.
pub fn exposed(definition: Raw<'_>, name: &str, description: Option<&str>) -> Result<ExposedTool, ToolError> {
    let own_name = tool_name(definition).ok_or(ToolError::Lacks("name"))?;
    let input = definition.member("inputSchema").filter(|schema| schema.is_object());
    let param_headers = ParamHeaders::of_schema(input.ok_or(ToolError::Lacks("inputSchema"))?)?;
    let mut text = definition.get().to_owned();
    if own_name != name {
        text = edit::set_member(Raw::checked(&text), "name", &write::quoted(name));
    }
    if let Some(description) = description {
        text = edit::set_member(Raw::checked(&text), "description", &write::quoted(description));
    }
    let base = Raw::checked(&text);
    let modern = match base.member("execution") {
        Some(_) => edit::remove_member(base, "execution").into(),
        None => Bytes::from(text.clone()),
    };
    let wrapped = base.member("outputSchema").filter(|schema| !is_object_schema(*schema)).map(wrap_schema);
    let wraps_output = wrapped.is_some();
    let legacy = match wrapped {
        Some(schema) => edit::set_member(base, "outputSchema", &schema).into(),
        None => Bytes::from(text),
    };
    Ok(ExposedTool { modern, legacy, wraps_output, param_headers })
}

fn is_object_schema(schema: Raw<'_>) -> bool {
    schema.member("type").is_some_and(|kind| kind.get() == "\"object\"")
}

fn wrap_schema(schema: Raw<'_>) -> String {
    let mut out = String::from(r#"{"type":"object","properties":{"result":"#);
    if schema.get().contains("$ref") {
        reroot(schema, &mut out);
    } else {
        out.push_str(schema.get());
    }
    out.push_str(r#"},"required":["result"]}"#);
    out
}

/// Copies a schema that moves from the root to `#/properties/result`, so that its references to
/// itself still meet what they meant. A schema with an `$id` is its own root wherever it stands.
fn reroot(schema: Raw<'_>, out: &mut String) {
    if schema.is_array() {
        out.push('[');
        for (index, element) in schema.elements().enumerate() {
            if index > 0 {
                out.push(',');
            }
            reroot(element, out);
        }
        out.push(']');
        return;
    }
    if !schema.is_object() || schema.member("$id").is_some() {
        out.push_str(schema.get());
        return;
    }
    out.push('{');
    for (index, member) in schema.members().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let name = member.name();
        out.push_str(&write::quoted(&name));
        out.push(':');
        match (&*name, member.value.as_str()) {
            ("$ref", Some(target)) if target == "#" || target.starts_with("#/") => {
                out.push_str(&write::quoted(&format!("#/properties/result{}", &target[1..])));
            }
            ("const" | "default" | "enum" | "examples", _) => out.push_str(member.value.get()),
            _ => reroot(member.value, out),
        }
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).expect("JSON")
    }

    #[test]
    fn the_hash_sees_content_and_not_its_order() {
        let tool = raw(r#"{"name":"a","inputSchema":{"type":"object","x":[1.0,2]},"description":"d"}"#);
        let same = raw(
            r#"{ "description":"\u0064","name":"a","inputSchema":{"x":[1.0,2],"type":"object"},"_meta":1}"#,
        );
        let other = raw(r#"{"name":"a","inputSchema":{"type":"object","x":[2,1.0]},"description":"d"}"#);
        let twice = raw(
            r#"{"name":"a","description":"evil","inputSchema":{"type":"object","x":[1.0,2]},"description":"d"}"#,
        );

        assert_eq!(tool_hash(tool), tool_hash(same));
        assert_ne!(tool_hash(tool), tool_hash(other));
        assert_ne!(tool_hash(tool), tool_hash(twice));
    }

    #[test]
    fn an_exposed_tool_keeps_every_byte_that_nobody_edits() {
        let text =
            r#"{"name":"a", "x":1.0,"inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}}"#;

        let tool = exposed(raw(text), "b", Some("says \"b\"")).expect("a tool");

        assert_eq!(
            tool.modern,
            r#"{"name":"b", "x":1.0,"inputSchema":{"type":"object"},"description":"says \"b\""}"#
        );
        assert!(!tool.wraps_output);
        assert_eq!(exposed(raw(text), "a", None).expect("a tool").legacy, text);
    }

    #[test]
    fn legacy_callers_see_an_object_where_the_output_is_none() {
        let text = r##"{"name":"a","inputSchema":{},"outputSchema":{"type":"array","items":{"$ref":"#/$defs/a"},"$defs":{"a":{"enum":[{"$ref":"#/x"}],"b":{"$id":"u","$ref":"#/y"}}}}}"##;

        let tool = exposed(raw(text), "a", None).expect("a tool");

        assert!(tool.wraps_output);
        assert_eq!(tool.modern, text);
        assert_eq!(
            tool.legacy,
            r##"{"name":"a","inputSchema":{},"outputSchema":{"type":"object","properties":{"result":{"type":"array","items":{"$ref":"#/properties/result/$defs/a"},"$defs":{"a":{"enum":[{"$ref":"#/x"}],"b":{"$id":"u","$ref":"#/y"}}}}},"required":["result"]}}"##
        );
    }
}
