//! URI templates (RFC 6570): their variables, and the address that comes of filling them in. Pure.
//!
//! Every value is a text: lists and maps, which the RFC knows as well, cannot be typed into a field.

use std::fmt::Write as _;

/// The characters that stand for something in an address; `+` and `#` let them through.
const RESERVED: &str = ":/?#[]@!$&'()*+,;=";

/// A variable of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub name: String,
    /// Whether the address is whole without it, as without a part of its query.
    pub optional: bool,
}

/// A piece of a template.
enum Piece<'a> {
    Text(&'a str),
    /// The operator, and the names with their modifiers.
    Expression(Option<u8>, &'a str),
}

/// Returns the variables in their order, each once.
pub(super) fn variables(template: &str) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    for piece in pieces(template) {
        let Piece::Expression(operator, names) = piece else { continue };
        for (name, _) in names.split(',').map(name_and_length) {
            if !name.is_empty() && variables.iter().all(|known| known.name != name) {
                let optional = matches!(operator, Some(b'?' | b'&' | b'#' | b';' | b'.' | b'/'));
                variables.push(Variable { name: name.to_owned(), optional });
            }
        }
    }
    variables
}

/// Fills a template in. A variable that is `None` is left out with what belongs to it.
pub(super) fn expand(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut address = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => address.push_str(text),
            Piece::Expression(operator, names) => expand_one(&mut address, operator, names, &value),
        }
    }
    address
}

fn expand_one(
    address: &mut String,
    operator: Option<u8>,
    names: &str,
    value: impl Fn(&str) -> Option<String>,
) {
    let (first, separator, is_named, passes) = match operator {
        None => ("", ",", false, ""),
        Some(b'+') => ("", ",", false, RESERVED),
        Some(b'#') => ("#", ",", false, RESERVED),
        Some(b'.') => (".", ".", false, ""),
        Some(b'/') => ("/", "/", false, ""),
        Some(b';') => (";", ";", true, ""),
        Some(b'&') => ("&", "&", true, ""),
        Some(_) => ("?", "&", true, ""),
    };
    let mut lead = first;
    for (name, length) in names.split(',').map(name_and_length) {
        let Some(value) = value(name) else { continue };
        let value: String = value.chars().take(length).collect();
        address.push_str(lead);
        lead = separator;
        if is_named {
            address.push_str(name);
            // The RFC has `;a` for an empty value, and `?a=`.
            if !(value.is_empty() && operator == Some(b';')) {
                address.push('=');
            }
        }
        push(address, &value, passes);
    }
}

/// Adds a value, escaped but for the characters that need not be and those that pass.
fn push(address: &mut String, value: &str, passes: &str) {
    for byte in value.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || "-._~".contains(character) || passes.contains(character) {
            address.push(character);
        } else {
            write!(address, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
}

/// Takes a template apart; a brace without its other half is text.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((begin, length)) = rest.find('{').and_then(|begin| Some((begin, rest[begin..].find('}')?)))
    {
        let inner = &rest[begin + 1..begin + length];
        pieces.push(Piece::Text(&rest[..begin]));
        let operator = inner.bytes().next().filter(|byte| b"+#./;?&".contains(byte));
        pieces.push(Piece::Expression(operator, inner.get(usize::from(operator.is_some())..).unwrap_or("")));
        rest = &rest[begin + length + 1..];
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Takes the modifiers off a name: `*`, and `:3` for so many characters.
fn name_and_length(text: &str) -> (&str, usize) {
    let text = text.trim();
    match text.split_once(':') {
        Some((name, length)) => (name, length.parse().unwrap_or(usize::MAX)),
        None => (text.strip_suffix('*').unwrap_or(text), usize::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> String {
        expand(template, |name| match name {
            "var" => Some("value".to_owned()),
            "hello" => Some("Hello World!".to_owned()),
            "path" => Some("/foo/bar".to_owned()),
            "empty" => Some(String::new()),
            "x" => Some("1024".to_owned()),
            "y" => Some("768".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn templates_expand_as_the_rfc_shows() {
        for (template, address) in [
            ("{var}", "value"),
            ("{hello}", "Hello%20World%21"),
            ("{+path}/here", "/foo/bar/here"),
            ("{path}", "%2Ffoo%2Fbar"),
            ("X{#hello}", "X#Hello%20World!"),
            ("map?{x,y}", "map?1024,768"),
            ("{+x,hello,y}", "1024,Hello%20World!,768"),
            ("X{.x,y}", "X.1024.768"),
            ("{/var,x}/here", "/value/1024/here"),
            ("{;x,y,empty}", ";x=1024;y=768;empty"),
            ("{?x,y,undef}", "?x=1024&y=768"),
            ("{?x,y,empty}", "?x=1024&y=768&empty="),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{var:3}", "val"),
            ("{/var:1,var}", "/v/value"),
            ("{?undef}", ""),
            ("a{b", "a{b"),
        ] {
            assert_eq!(filled(template), address, "{template}");
        }
    }

    #[test]
    fn variables_are_named_once_and_those_of_a_query_may_be_left_out() {
        let names: Vec<_> = variables("docs://{owner}/{+path}{?page,owner,size*}")
            .into_iter()
            .map(|variable| (variable.name, variable.optional))
            .collect();

        assert_eq!(
            names,
            [
                ("owner".to_owned(), false),
                ("path".to_owned(), false),
                ("page".to_owned(), true),
                ("size".to_owned(), true),
            ]
        );
    }
}
