//! URI templates (RFC 6570): does a URI belong to one, and can two meet in one URI? Pure.
//!
//! Sources match more loosely than the RFC expands (a plain variable takes every character but a
//! slash), so this does as well: a URI that reaches a source too many is refused there.

/// A URI template of a source.
#[derive(Clone, Debug)]
pub(super) struct Template {
    tokens: Vec<Token>,
    /// The text before the first variable, which every URI of the template begins with.
    prefix: Box<str>,
    /// The text after the last variable, which every URI ends with; empty if the last one may be
    /// absent.
    suffix: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This text.
    Text(Box<str>),
    /// One character or more, none of them a slash.
    Segment,
    /// One character or more.
    Any,
    /// Nothing, or this character and then anything.
    Optional(u8),
}

impl Template {
    /// Reads a template. One whose braces do not match is text from there on.
    pub(super) fn parse(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((before, expression, after)) = next_expression(rest) {
            push_text(&mut tokens, before);
            push_expression(&mut tokens, expression);
            rest = after;
        }
        push_text(&mut tokens, rest);
        let edge = |token: Option<&Token>| match token {
            Some(Token::Text(text)) => text.clone(),
            _ => Box::default(),
        };
        Self { prefix: edge(tokens.first()), suffix: edge(tokens.last()), tokens }
    }

    /// Says whether a URI may be one of the template's.
    pub(super) fn matches(&self, uri: &str) -> bool {
        if !uri.starts_with(&*self.prefix) || !uri.ends_with(&*self.suffix) {
            return false;
        }
        // For every place in the URI: can the tokens so far end here?
        let bytes = uri.as_bytes();
        let mut reached = vec![false; bytes.len() + 1];
        reached[0] = true;
        for token in &self.tokens {
            reached = token.step(bytes, &reached);
        }
        reached[bytes.len()]
    }

    /// Says whether there may be a URI of both templates. Errs towards yes.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let prefixes = self.prefix.starts_with(&*other.prefix) || other.prefix.starts_with(&*self.prefix);
        let suffixes = self.suffix.ends_with(&*other.suffix) || other.suffix.ends_with(&*self.suffix);
        prefixes && suffixes
    }
}

impl Token {
    fn step(&self, uri: &[u8], reached: &[bool]) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        match self {
            Self::Text(text) => {
                for at in (0..reached.len()).filter(|&at| reached[at]) {
                    if uri[at..].starts_with(text.as_bytes()) {
                        next[at + text.len()] = true;
                    }
                }
            }
            Self::Segment | Self::Any => {
                let mut inside = false;
                for at in 0..uri.len() {
                    inside = (inside || reached[at]) && (*self == Self::Any || uri[at] != b'/');
                    next[at + 1] = inside;
                }
            }
            Self::Optional(first) => {
                let mut inside = false;
                for at in 0..reached.len() {
                    next[at] = inside || reached[at];
                    inside = inside || (reached[at] && uri.get(at) == Some(first));
                }
            }
        }
        next
    }
}

/// Returns the text before the next expression, the expression, and what follows.
fn next_expression(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (expression, after) = rest.split_once('}')?;
    Some((before, expression, after))
}

fn push_text(tokens: &mut Vec<Token>, text: &str) {
    if !text.is_empty() {
        tokens.push(Token::Text(text.into()));
    }
}

fn push_expression(tokens: &mut Vec<Token>, expression: &str) {
    let many = expression.contains('*');
    let variable = if many { Token::Any } else { Token::Segment };
    match expression.as_bytes().first() {
        Some(b'+') => tokens.push(Token::Any),
        Some(b'#') => tokens.push(Token::Optional(b'#')),
        Some(b'?') => tokens.push(Token::Optional(b'?')),
        Some(b'&') => tokens.push(Token::Optional(b'&')),
        Some(b';') => tokens.push(Token::Optional(b';')),
        Some(b'/') if many || expression.contains(',') => tokens.push(Token::Optional(b'/')),
        Some(operator @ (b'/' | b'.')) => {
            push_text(tokens, if *operator == b'/' { "/" } else { "." });
            tokens.push(variable);
        }
        _ => tokens.push(variable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_belongs_to_a_template_or_not() {
        let cases = [
            ("demo://item/{id}", "demo://item/7", true),
            ("demo://item/{id}", "demo://item/a%20b", true),
            ("demo://item/{id}", "demo://item/", false),
            ("demo://item/{id}", "demo://item/7/8", false),
            ("demo://item/{id}", "demo://items/7", false),
            ("test://template/{id}/data", "test://template/123/data", true),
            ("test://template/{id}/data", "test://template/123/date", false),
            ("file:///{+path}", "file:///a/b/c.txt", true),
            ("file:///{path*}", "file:///a/b/c.txt", true),
            ("file:///a{/b,c}", "file:///a/x/y", true),
            ("x:a{.ext}", "x:a.txt", true),
            ("x:a{.ext}", "x:a", false),
            ("x:a{?q,r}", "x:a", true),
            ("x:a{?q,r}", "x:a?q=1&r=/2", true),
            ("x:a{?q,r}", "x:ab", false),
            ("x:{a}{?q}{#f}", "x:1?q=2#3", true),
            ("x:{a}/{b}/{a}", "x:aa/a/aaa", true),
            ("x:plain", "x:plain", true),
            ("x:{open", "x:{open", true),
            ("x:{open", "x:1", false),
            ("x:ü{a}", "x:üé", true),
        ];
        for (template, uri, belongs) in cases {
            assert_eq!(Template::parse(template).matches(uri), belongs, "{template} and {uri}");
        }
    }

    #[test]
    fn a_hostile_template_takes_no_time() {
        let template = Template::parse(&"{a}".repeat(600));
        assert!(!template.matches(&format!("{}/", "a".repeat(2000))));
    }

    #[test]
    fn templates_that_cannot_meet_are_told_apart() {
        let meet = |one: &str, other: &str| Template::parse(one).may_meet(&Template::parse(other));

        assert!(meet("demo://{a}", "demo://x/{b}"));
        assert!(meet("{+uri}", "demo://x/{b}"));
        assert!(!meet("demo://a/{x}", "demo://b/{x}"));
        assert!(!meet("demo://a/{x}/text", "demo://a/{x}/blob"));
    }
}
