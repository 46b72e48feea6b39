//! Checking arguments against a tool's input schema before its source is asked.
//!
//! Compiling and checking are bounded: the schema by its size and depth when it was kept, patterns
//! by an engine that takes linear time, and nothing is ever fetched.

use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;
use thiserror::Error;

use crate::mcp::Raw;

/// Says why arguments were not passed on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArgumentError {
    /// They break the schema.
    #[error("the arguments do not fit the tool's input schema: {reasons}")]
    Mismatch {
        /// Where and why, for the first few places.
        reasons: String,
    },
    /// The schema itself cannot be used, so nothing can be checked and nothing is passed on.
    #[error("the arguments cannot be checked, because the tool's input schema is not usable: {reason}")]
    Schema {
        /// Why.
        reason: String,
    },
}

/// A compiled input schema.
#[derive(Debug)]
pub struct ArgumentCheck(Result<Validator, String>);

impl ArgumentCheck {
    /// The largest schema that is compiled, in bytes.
    pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
    /// How many places that do not fit are named.
    const REASONS_MAX: usize = 5;
    /// How long one of them may be, in characters: a value that does not fit is part of it.
    const REASON_LENGTH_MAX: usize = 200;

    /// Compiles the input schema of a tool's definition. One that cannot be used lets no arguments
    /// pass.
    pub(super) fn compile(definition: Raw<'_>) -> Self {
        let schema = definition.member("inputSchema").ok_or_else(|| "it is missing".to_owned());
        Self(schema.and_then(|schema| compile(schema.get())))
    }

    /// Returns why nothing can be checked; `None` if the schema can be used.
    pub fn unusable(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    /// Says whether these arguments fit; absent ones count as `{}`.
    pub fn check(&self, arguments: Option<Raw<'_>>) -> Result<(), ArgumentError> {
        let validator = self.0.as_ref().map_err(|reason| ArgumentError::Schema { reason: reason.clone() })?;
        let value: Value = serde_json::from_str(arguments.map_or("{}", Raw::get))
            .map_err(|error| ArgumentError::Mismatch { reasons: error.to_string() })?;
        if validator.is_valid(&value) {
            return Ok(());
        }
        let reasons: Vec<String> =
            validator.iter_errors(&value).take(Self::REASONS_MAX).map(|error| reason(&error)).collect();
        Err(ArgumentError::Mismatch { reasons: reasons.join("; ") })
    }
}

fn compile(schema: &str) -> Result<Validator, String> {
    if schema.len() > ArgumentCheck::SCHEMA_BYTES_MAX {
        return Err(format!("it has more than {} bytes", ArgumentCheck::SCHEMA_BYTES_MAX));
    }
    let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    jsonschema::options()
        .with_retriever(Nowhere)
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map_err(|error| reason(&error))
}

fn reason(error: &jsonschema::ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    let mut text = error.to_string();
    if let Some((end, _)) = text.char_indices().nth(ArgumentCheck::REASON_LENGTH_MAX) {
        text.truncate(end);
        text.push('…');
    }
    if place.is_empty() { text } else { format!("{place}: {text}") }
}

/// Fetches nothing: a schema that refers to another address cannot be used.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("it refers to {uri}, and nothing is fetched").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_break_the_schema_are_named() {
        let check = compiled(r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#);

        assert_eq!(check.check(Some(raw(r#"{"n":1}"#))), Ok(()));
        let wrong = check.check(Some(raw(r#"{"n":"one"}"#))).unwrap_err().to_string();
        assert!(wrong.contains("/n") && wrong.contains("integer"), "{wrong}");
        assert!(check.check(None).is_err());
    }

    #[test]
    fn a_schema_that_refers_elsewhere_lets_nothing_pass() {
        for reference in ["http://169.254.169.254/x", "file:///etc/passwd", "other.json"] {
            let check = compiled(&format!(r#"{{"properties":{{"a":{{"$ref":"{reference}"}}}}}}"#));

            assert!(check.unusable().is_some(), "{reference} was fetched");
            assert!(matches!(check.check(None), Err(ArgumentError::Schema { .. })));
        }
    }

    #[test]
    fn a_pattern_made_to_take_for_ever_takes_no_time() {
        let check = compiled(r#"{"properties":{"a":{"type":"string","pattern":"^(a+)+$"}}}"#);
        let long = format!(r#"{{"a":"{}!"}}"#, "a".repeat(50_000));

        assert!(check.check(Some(raw(&long))).is_err());
    }

    #[test]
    fn a_reference_inside_the_schema_works() {
        let check =
            compiled(r##"{"$defs":{"n":{"type":"integer"}},"properties":{"n":{"$ref":"#/$defs/n"}}}"##);

        assert_eq!(check.unusable(), None);
        assert!(check.check(Some(raw(r#"{"n":true}"#))).is_err());
    }

    fn compiled(schema: &str) -> ArgumentCheck {
        ArgumentCheck::compile(raw(&format!(r#"{{"name":"a","inputSchema":{schema}}}"#)))
    }

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).unwrap()
    }
}
