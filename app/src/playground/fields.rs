//! From a tool's input schema, a prompt's arguments or a template's variables to fields, and from fields to
//! arguments. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::template;

/// How many fields a form has at most; the rest is written as JSON.
const FIELDS_MAX: usize = 60;

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A line of text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// One of a list.
    Choice,
    /// Anything else, as JSON.
    Json,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    pub name: String,
    pub kind: Kind,
    pub description: String,
    pub required: bool,
    pub choices: Vec<String>,
    pub default: String,
}

/// Reads the schema of a tool's definition: a field for each property of the top level, the
/// required ones first.
pub(super) fn inputs(definition: &Value) -> Vec<Input> {
    let schema = &definition["inputSchema"];
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut inputs: Vec<_> = properties
        .take(FIELDS_MAX)
        .map(|(name, property)| input(name, property, required.contains(&name.as_str())))
        .collect();
    inputs.sort_by_key(|input| !input.required);
    inputs
}

fn input(name: &str, property: &Value, required: bool) -> Input {
    let choices: Vec<_> = property["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let kind = match property["type"].as_str() {
        Some("string") if !choices.is_empty() => Kind::Choice,
        Some("string") => Kind::Text,
        Some("integer" | "number") => Kind::Number,
        Some("boolean") => Kind::Bool,
        _ => Kind::Json,
    };
    let default = match &property["default"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let description = property["description"].as_str().unwrap_or_default().to_owned();
    Input { name: name.to_owned(), kind, description, required, choices, default }
}

/// Reads the arguments of a prompt's definition, which are texts.
pub(super) fn prompt_inputs(definition: &Value) -> Vec<Input> {
    let arguments = definition["arguments"].as_array().into_iter().flatten().take(FIELDS_MAX);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    arguments
        .map(|argument| Input {
            description: text(&argument["description"]),
            ..Input::text(text(&argument["name"]), argument["required"] == Value::Bool(true))
        })
        .collect()
}

/// Reads the variables of a URI template.
pub(super) fn template_inputs(template: &str) -> Vec<Input> {
    let variables = template::variables(template).into_iter().take(FIELDS_MAX);
    variables.map(|variable| Input::text(variable.name, !variable.optional)).collect()
}

impl Input {
    fn text(name: String, required: bool) -> Self {
        Self {
            name,
            kind: Kind::Text,
            description: String::new(),
            required,
            choices: Vec::new(),
            default: String::new(),
        }
    }
}

/// A field as the form sends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArgumentField {
    /// The argument's name.
    pub name: String,
    /// What was asked for.
    pub kind: Kind,
    /// What was typed; empty = the argument is left out.
    #[serde(default)]
    pub value: String,
}

/// What is wrong with an argument as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrongArgument {
    /// The argument.
    pub name: String,
    /// What would be right.
    pub text: String,
}

/// Puts the arguments together, or says of one what is wrong with it.
pub(super) fn arguments(fields: &[ArgumentField]) -> Result<Map<String, Value>, WrongArgument> {
    let mut arguments = Map::new();
    for ArgumentField { name, kind, value } in fields {
        if value.is_empty() {
            continue;
        }
        let wrong = |text: String| WrongArgument { name: name.clone(), text };
        let value = match kind {
            Kind::Text | Kind::Choice => Value::String(value.clone()),
            Kind::Number => value
                .trim()
                .parse::<serde_json::Number>()
                .map(Value::Number)
                .map_err(|_| wrong("this is a number, as in `12` or `0.5`".to_owned()))?,
            Kind::Bool => Value::Bool(value == "true"),
            Kind::Json => {
                serde_json::from_str(value).map_err(|error| wrong(format!("this is JSON: {error}")))?
            }
        };
        arguments.insert(name.clone(), value);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_becomes_fields_with_the_required_ones_first() {
        let definition = serde_json::json!({ "inputSchema": { "type": "object", "required": ["b"], "properties": {
            "a": { "type": "boolean" },
            "b": { "type": "integer", "default": 3 },
            "c": { "type": "string", "enum": ["x", "y"] },
            "d": { "type": "array" },
        }}});

        let kinds: Vec<_> =
            inputs(&definition).into_iter().map(|input| (input.name, input.kind, input.default)).collect();

        assert_eq!(
            kinds,
            [
                ("b".into(), Kind::Number, "3".into()),
                ("a".into(), Kind::Bool, String::new()),
                ("c".into(), Kind::Choice, String::new()),
                ("d".into(), Kind::Json, String::new()),
            ]
        );
    }

    #[test]
    fn what_is_left_empty_is_left_out_and_what_is_wrong_is_named() {
        let field =
            |name: &str, kind, value: &str| ArgumentField { name: name.into(), kind, value: value.into() };

        let good = arguments(&[
            field("a", Kind::Number, "12345678901234567890"),
            field("b", Kind::Text, ""),
            field("c", Kind::Json, "[1]"),
        ]);
        let bad = arguments(&[field("n", Kind::Number, "many")]);

        assert_eq!(
            good.map(|arguments| Value::Object(arguments).to_string()),
            Ok(r#"{"a":12345678901234567890,"c":[1]}"#.to_owned())
        );
        assert_eq!(bad.map_err(|wrong| wrong.name), Err("n".to_owned()));
    }
}
