//! The arguments of a tool: what they are called, what they may be, and what was given. Pure.

use serde_json::{Map, Value, json};

use super::SparkError;

type Result<T, E = SparkError> = std::result::Result<T, E>;

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Number,
    Numbers,
    Switch,
}

/// An argument of a tool. A name that ends with `*` is required.
pub(super) type Argument = (&'static str, Kind, &'static str);

/// Returns the schema of arguments.
pub(super) fn schema(arguments: &[Argument]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, kind, meaning) in arguments {
        let plain = name.trim_end_matches('*');
        if plain != *name {
            required.push(plain);
        }
        let mut property = match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Number => json!({ "type": "integer" }),
            Kind::Numbers => json!({ "type": "array", "items": { "type": "number" } }),
            Kind::Switch => json!({ "type": "boolean" }),
        };
        if !meaning.is_empty() {
            property["description"] = (*meaning).into();
        }
        properties.insert(plain.to_owned(), property);
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// What was given.
#[derive(Debug)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Checks what was given against what may be. `server`, by which other servers for Spark choose one
    /// of several, is taken and means nothing: a source is one history server.
    pub(super) fn read(given: Map<String, Value>, known: &[Argument]) -> Result<Self> {
        let given: Map<String, Value> = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let plain = |name: &'static str| name.trim_end_matches('*');
        for (name, value) in &given {
            let Some((_, kind, _)) = known.iter().find(|(known, ..)| plain(known) == name) else {
                if name == "server" {
                    continue;
                }
                let names: Vec<_> = known.iter().map(|(name, ..)| plain(name)).collect();
                return Err(wrong(format!("there is no argument `{name}`; there are: {}", names.join(", "))));
            };
            let (fits, what) = match kind {
                Kind::Text => (value.is_string() || value.is_i64(), "a text"),
                Kind::Texts => (texts(value).is_some(), "a list of texts"),
                Kind::Number => (number(value).is_some(), "a whole number that is not negative"),
                Kind::Numbers => (numbers(value).is_some(), "a list of numbers"),
                Kind::Switch => (value.is_boolean(), "true or false"),
            };
            if !fits {
                return Err(wrong(format!("`{name}` must be {what}")));
            }
        }
        let missing = known.iter().map(|(name, ..)| *name).find(|name| {
            let plain = name.trim_end_matches('*');
            plain != *name && !given.contains_key(plain)
        });
        match missing {
            Some(name) => Err(wrong(format!("`{}` is missing", plain(name)))),
            None => Ok(Self(given)),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Returns a text that is required; its absence was refused before.
    pub(super) fn required(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// Returns texts, in capitals, as Spark writes its states.
    pub(super) fn states(&self, name: &str) -> Vec<String> {
        let states = self.0.get(name).and_then(texts).unwrap_or_default();
        states.into_iter().map(|state| state.to_uppercase()).collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(number)
    }

    /// Returns a number of things, at most this many.
    pub(super) fn length(&self, name: &str, usual: usize, max: usize) -> usize {
        let asked = self.number(name).and_then(|length| usize::try_from(length).ok());
        asked.filter(|length| *length > 0).unwrap_or(usual).min(max)
    }

    pub(super) fn offset(&self) -> usize {
        self.number("offset").and_then(|offset| usize::try_from(offset).ok()).unwrap_or_default()
    }

    pub(super) fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        self.0.get(name).and_then(numbers)
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// Returns whether something is wanted that is on unless it is switched off.
    pub(super) fn is_not_unset(&self, name: &str) -> bool {
        self.0.get(name) != Some(&Value::Bool(false))
    }
}

pub(super) fn wrong(text: impl Into<String>) -> SparkError {
    SparkError::Argument(text.into())
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .filter(|number| *number >= 0)
}

/// Reads a list of texts; one text alone is a list of it.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(items) => items.iter().map(Value::as_f64).collect(),
        Value::String(text) => text.split(',').map(|item| item.trim().parse().ok()).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Argument] = &[
        ("app_id*", Kind::Text, ""),
        ("status", Kind::Texts, "which"),
        ("length", Kind::Number, ""),
        ("with_summaries", Kind::Switch, ""),
    ];

    fn read(given: Value) -> Result<Arguments> {
        let Value::Object(given) = given else { panic!("an object") };
        Arguments::read(given, KNOWN)
    }

    #[test]
    fn what_was_given_is_checked_against_what_may_be() {
        let good =
            read(json!({"app_id":"a","status":"failed","length":"5","server":"x","with_summaries":null}));
        let good = good.unwrap();
        assert_eq!(
            (good.required("app_id"), good.states("status")),
            ("a".to_owned(), vec!["FAILED".to_owned()])
        );
        assert_eq!((good.length("length", 20, 3), good.is_set("with_summaries")), (3, false));

        for (wrong, says) in [
            (json!({}), "`app_id` is missing"),
            (json!({"app_id":"a","appId":"b"}), "no argument `appId`; there are: app_id, status"),
            (json!({"app_id":{}}), "`app_id` must be a text"),
            (json!({"app_id":"a","length":-1}), "not negative"),
            (json!({"app_id":"a","with_summaries":"yes"}), "true or false"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_schema_names_what_is_required() {
        let schema = schema(KNOWN);
        assert_eq!(schema["required"], json!(["app_id"]));
        assert_eq!(schema["properties"]["status"]["items"]["type"], "string");
        assert_eq!(schema["properties"]["status"]["description"], "which");
    }
}
