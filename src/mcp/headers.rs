//! The HTTP headers of the protocol: names, the text that may stand in them, and arguments that a
//! tool wants mirrored into them.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;
use thiserror::Error;

use crate::mcp::Raw;

/// The revision spoken.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The method, mirrored from the body.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The name of the thing asked for, mirrored from the body.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// The legacy session.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Where a legacy stream broke.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What leads the names of mirrored arguments.
pub const PARAM_PREFIX: &str = "mcp-param-";

const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// The largest whole number every reader of JSON agrees on.
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// A header appears more than once.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the header `{0}` appears more than once")]
pub struct Repeated(pub HeaderName);

/// Says what is wrong with an `x-mcp-header` of a schema, or with a header it asks for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParamHeaderError {
    /// The schema cannot be read.
    #[error("the input schema is not JSON")]
    Schema,
    /// The annotation stands where no single argument can be meant.
    #[error("`x-mcp-header` stands on something else than a named property")]
    Place,
    /// The annotation is no header name.
    #[error("`x-mcp-header` is no header name")]
    Name,
    /// The property is no string, integer or boolean.
    #[error("`x-mcp-header` stands on a property that is no string, integer or boolean")]
    Type,
    /// Two properties ask for the same header.
    #[error("two properties ask for the header `{0}`")]
    Twice(HeaderName),
    /// The header of a request and its argument are not the same.
    #[error("the header `{0}` does not match the argument")]
    Mismatch(HeaderName),
}

/// Returns the only value of a header; `Ok(None)` if it is absent.
pub fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Repeated(name.clone())),
        (value, None) => Ok(value),
    }
}

/// Returns the text as it may stand in a header: itself if it is plain visible ASCII, in Base64
/// between marks otherwise.
pub fn encode_value(text: &str) -> HeaderValue {
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !is_marked(text);
    let value = if is_plain {
        HeaderValue::from_str(text)
    } else {
        HeaderValue::from_str(&format!("{}{}{}", SENTINEL.0, STANDARD.encode(text), SENTINEL.1))
    };
    value.expect("only visible ASCII was written")
}

/// Returns the text a header stands for; `None` if it stands for none.
pub fn decode_value(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let text = value.to_str().ok()?;
    if !is_marked(text) {
        return Some(Cow::Borrowed(text));
    }
    let inner = &text[SENTINEL.0.len()..text.len() - SENTINEL.1.len()];
    String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned)
}

fn is_marked(text: &str) -> bool {
    text.len() >= SENTINEL.0.len() + SENTINEL.1.len()
        && text.starts_with(SENTINEL.0)
        && text.ends_with(SENTINEL.1)
}

/// The arguments of one tool that are mirrored into headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamHeaders(Vec<ParamHeader>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct ParamHeader {
    name: HeaderName,
    path: Vec<String>,
}

impl ParamHeaders {
    /// Reads the annotations of an input schema.
    pub fn of_schema(schema: Raw<'_>) -> Result<Self, ParamHeaderError> {
        if !schema.get().contains("x-mcp-header") && !schema.get().contains("\\u") {
            return Ok(Self::default());
        }
        let schema: Value = serde_json::from_str(schema.get()).map_err(|_| ParamHeaderError::Schema)?;
        let mut found = Vec::new();
        walk(&schema, Some(&mut Vec::new()), &mut found)?;
        Ok(Self(found))
    }

    /// Says whether no argument is mirrored.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the headers for these arguments. An argument that is absent, `null` or not of the
    /// annotated kind has none.
    pub fn for_arguments(&self, arguments: Option<Raw<'_>>) -> Vec<(HeaderName, HeaderValue)> {
        let texts = self.0.iter().filter_map(|header| {
            let text = argument_text(find(arguments?, &header.path)?)?;
            Some((header.name.clone(), encode_value(&text)))
        });
        texts.collect()
    }

    /// Checks the headers of a request against its arguments.
    pub fn check(&self, headers: &HeaderMap, arguments: Option<Raw<'_>>) -> Result<(), ParamHeaderError> {
        for header in &self.0 {
            let mismatch = || ParamHeaderError::Mismatch(header.name.clone());
            let value = single(headers, &header.name).map_err(|_| mismatch())?;
            let argument = arguments.and_then(|arguments| find(arguments, &header.path));
            let expected = argument.and_then(argument_text);
            let is_same = match (value, &expected) {
                (None, None) => true,
                (Some(value), Some(expected)) => decode_value(value).is_some_and(|text| {
                    let is_number = argument.is_some_and(Raw::is_number);
                    text == *expected || (is_number && whole_number(&text) == whole_number(expected))
                }),
                _ => false,
            };
            if !is_same {
                return Err(mismatch());
            }
        }
        Ok(())
    }
}

/// Reads a number that is whole, however it is written (`7`, `7.0`, `7e0`), and that every reader of
/// JSON agrees on; `None` for all others.
fn whole_number(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return (-INTEGER_MAX..=INTEGER_MAX).contains(&number).then_some(number);
    }
    let number: f64 = text.parse().ok()?;
    // The bound is far below the 2^63 that fits.
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within bounds")]
    (number.fract() == 0.0 && number.abs() <= INTEGER_MAX as f64).then_some(number as i64)
}

fn find<'a>(arguments: Raw<'a>, path: &[String]) -> Option<Raw<'a>> {
    path.iter().try_fold(arguments, |value, name| value.member(name))
}

fn argument_text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    match value.get() {
        "true" | "false" => Some(Cow::Borrowed(value.get())),
        _ if value.is_string() => value.as_str(),
        text if value.is_number() => whole_number(text).map(|number| Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Walks through a schema. `path` is the way of properties from the root, `None` where the way
/// leads through anything else.
fn walk(
    schema: &Value,
    path: Option<&mut Vec<String>>,
    found: &mut Vec<ParamHeader>,
) -> Result<(), ParamHeaderError> {
    /// Keywords whose values are data and no schemas.
    const DATA: &[&str] = &["const", "default", "enum", "examples", "x-mcp-header"];
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(elements) => return elements.iter().try_for_each(|element| walk(element, None, found)),
        _ => return Ok(()),
    };
    if let Some(annotation) = members.get("x-mcp-header") {
        let path = path.as_ref().filter(|path| !path.is_empty()).ok_or(ParamHeaderError::Place)?;
        found.push(param_header(annotation, members.get("type"), path, found)?);
    }
    let mut path = path;
    for (key, inner) in members {
        if key == "properties" {
            let Value::Object(properties) = inner else { continue };
            for (name, property) in properties {
                match path.as_deref_mut() {
                    Some(path) => {
                        path.push(name.clone());
                        let result = walk(property, Some(path), found);
                        path.pop();
                        result?;
                    }
                    None => walk(property, None, found)?,
                }
            }
        } else if !DATA.contains(&key.as_str()) {
            walk(inner, None, found)?;
        }
    }
    Ok(())
}

fn param_header(
    annotation: &Value,
    kind: Option<&Value>,
    path: &[String],
    found: &[ParamHeader],
) -> Result<ParamHeader, ParamHeaderError> {
    let suffix = annotation.as_str().filter(|suffix| !suffix.is_empty()).ok_or(ParamHeaderError::Name)?;
    let name = HeaderName::from_bytes(format!("{PARAM_PREFIX}{suffix}").as_bytes())
        .map_err(|_| ParamHeaderError::Name)?;
    if !matches!(kind.and_then(Value::as_str), Some("string" | "integer" | "boolean")) {
        return Err(ParamHeaderError::Type);
    }
    if found.iter().any(|other| other.name == name) {
        return Err(ParamHeaderError::Twice(name));
    }
    Ok(ParamHeader { name, path: path.to_vec() })
}

/// What forms of answer a caller takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepts {
    /// One JSON object.
    pub json: bool,
    /// A stream of events.
    pub sse: bool,
    /// A stream of events rather than one object: it is named first.
    pub sse_first: bool,
}

/// Reads `Accept` generously: absent means everything, a caller who names only one of the two forms
/// is answered in it, and one who names streams first prefers them.
pub fn accepts(headers: &HeaderMap) -> Accepts {
    let mut accepts = Accepts { json: false, sse: false, sse_first: false };
    let mut is_absent = true;
    for value in headers.get_all(header::ACCEPT) {
        is_absent = false;
        for range in value.to_str().unwrap_or_default().split(',') {
            let media = range.split(';').next().unwrap_or_default().trim();
            let is = |name: &str| media.eq_ignore_ascii_case(name);
            accepts.json |= is("application/json") || is("application/*") || is("*/*");
            accepts.sse |= is("text/event-stream") || is("text/*") || is("*/*");
            accepts.sse_first |= accepts.sse && !accepts.json;
        }
    }
    if is_absent { Accepts { json: true, sse: true, sse_first: false } } else { accepts }
}

/// Says whether the body is declared as JSON, or not declared at all.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(schema: &str) -> Result<ParamHeaders, ParamHeaderError> {
        ParamHeaders::of_schema(Raw::parse(schema).expect("JSON"))
    }

    #[test]
    fn any_text_travels_through_a_header() {
        for text in ["", "plain", "two words", " edge", "edge ", "grüße", "=?base64?eA==?=", "a\nb", "\u{7f}"]
        {
            assert_eq!(decode_value(&encode_value(text)).as_deref(), Some(text));
        }
        assert_eq!(encode_value("plain"), "plain");
        assert_eq!(decode_value(&HeaderValue::from_static("=?base64?***?=")), None);
    }

    #[test]
    fn annotated_arguments_are_mirrored() {
        let spec = spec(
            r#"{"type":"object","properties":{
                "region":{"type":"string","x-mcp-header":"Region"},
                "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
                "flag":{"type":"boolean","x-mcp-header":"Flag"}}}"#,
        )
        .expect("valid");
        let arguments = Raw::parse(r#"{"region":"Île","deep":{"n":007e0},"flag":null}"#);
        assert!(arguments.is_err(), "leading zeros are no JSON");
        let arguments = Raw::parse(r#"{"region":"Île","deep":{"n":7},"flag":null}"#).expect("JSON");

        let headers: HeaderMap = spec.for_arguments(Some(arguments)).into_iter().collect();

        assert_eq!(headers["mcp-param-region"], "=?base64?w45sZQ==?=");
        assert_eq!(headers["mcp-param-n"], "7");
        assert_eq!(headers.len(), 2);
        assert_eq!(spec.check(&headers, Some(arguments)), Ok(()));
        assert!(spec.check(&headers, None).is_err());
        assert!(spec.check(&HeaderMap::new(), Some(arguments)).is_err());
        let mut twice = headers.clone();
        twice.append("mcp-param-n", HeaderValue::from_static("7"));
        assert!(spec.check(&twice, Some(arguments)).is_err());
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let spec = spec(r#"{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}}"#).expect("valid");
        let check = |argument: &str, header: &'static str| {
            let arguments = format!(r#"{{"n":{argument}}}"#);
            let headers = [(HeaderName::from_static("mcp-param-n"), HeaderValue::from_static(header))];
            spec.check(&headers.into_iter().collect(), Some(Raw::parse(&arguments).expect("JSON"))).is_ok()
        };

        for (argument, header) in
            [("7", "7"), ("7", "7.0"), ("7.0", "7"), ("7e0", "7"), ("-0", "0"), ("\"7\"", "7")]
        {
            assert!(check(argument, header), "{argument} is {header}");
        }
        for (argument, header) in [
            ("7", "8"),
            ("7", "x"),
            ("7.5", "7.5"),
            ("\"7\"", "7.0"),
            ("9007199254740993", "9007199254740993"),
            ("7", "inf"),
        ] {
            assert!(!check(argument, header), "{argument} is not {header}");
        }
    }

    #[test]
    fn an_annotation_that_names_no_single_argument_is_refused() {
        let cases = [
            (r#"{"x-mcp-header":"A"}"#, ParamHeaderError::Place),
            (
                r#"{"properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}}"#,
                ParamHeaderError::Place,
            ),
            (r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#, ParamHeaderError::Type),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"A B"}}}"#, ParamHeaderError::Name),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#, ParamHeaderError::Name),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}}"#,
                ParamHeaderError::Twice(HeaderName::from_static("mcp-param-x")),
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(spec(schema), Err(expected), "for {schema}");
        }
        assert!(spec(r#"{"properties":{"x-mcp-header":{"type":"number"}}}"#).expect("a property").is_empty());
    }

    #[test]
    fn accept_is_read_generously() {
        let of = |text: &'static str| {
            accepts(&[(header::ACCEPT, HeaderValue::from_static(text))].into_iter().collect())
        };
        let either = Accepts { json: true, sse: true, sse_first: false };
        let stream = Accepts { json: false, sse: true, sse_first: true };
        assert_eq!(accepts(&HeaderMap::new()), either);
        assert_eq!(of("*/*"), either);
        assert_eq!(of("application/json;q=0.9, Text/Event-Stream"), either);
        assert_eq!(of("text/event-stream, application/json"), Accepts { sse_first: true, ..either });
        assert_eq!(of("text/event-stream"), stream);
        assert_eq!(of("text/html"), Accepts { json: false, sse: false, sse_first: false });
    }
}
