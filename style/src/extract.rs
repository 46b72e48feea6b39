//! Finds the classes that Rust sources use.
//!
//! Looked at are string literals in `class="…"` and `class=expression`, the name in `class:name=…`, the first part
//! of `class=("name", condition)`, and everything inside `tw!(…)`, which marks class lists that stand elsewhere
//! (`const ROW: &str = tw!("flex gap-2")`). Inside an expression, literals that are compared with or handed to a
//! function are not classes. A class must stand in one piece: `text-{size}` is reported as unknown.

/// A class and the line it stands on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// One class, variants included.
    pub class: String,
    /// The line of the literal's beginning.
    pub line: usize,
}

/// Returns the classes of one source file, in their order.
pub fn classes_in(source: &str) -> Vec<Found> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = match (&tokens[at].kind, tokens.get(at + 1).map(|token| &token.kind)) {
            (Kind::Word(word), Some(Kind::Mark('='))) if word == "class" && !is(&tokens, at + 2, '=') => {
                attribute(&tokens, at + 2, &mut found)
            }
            (Kind::Word(word), Some(Kind::Mark(':'))) if word == "class" && !is(&tokens, at + 2, ':') => {
                name(&tokens, at + 2, &mut found)
            }
            (Kind::Word(word), Some(Kind::Mark('!'))) if word == "tw" && opens(&tokens, at + 2) => {
                marked(&tokens, at + 2, &mut found)
            }
            _ => at + 1,
        };
    }
    found
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Word(String),
    Text(String),
    Mark(char),
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
    /// Whether white space stands before it.
    spaced: bool,
}

fn is(tokens: &[Token], at: usize, mark: char) -> bool {
    tokens.get(at).is_some_and(|token| token.kind == Kind::Mark(mark))
}

fn opens(tokens: &[Token], at: usize) -> bool {
    ['(', '{', '['].iter().any(|mark| is(tokens, at, *mark))
}

/// `class=` …: a literal, or an expression that ends with the attribute.
fn attribute(tokens: &[Token], start: usize, found: &mut Vec<Found>) -> usize {
    if let Some(Token { kind: Kind::Text(text), line, .. }) = tokens.get(start) {
        push(text, *line, found);
        return start + 1;
    }
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match &token.kind {
            Kind::Mark('(' | '[') if is_call(tokens, at) && at > start => {
                at = closing(tokens, at);
            }
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') if depth == 0 => return at,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            Kind::Mark('>')
                if depth == 0
                    && !is(tokens, at.wrapping_sub(1), '=')
                    && !is(tokens, at.wrapping_sub(1), '-') =>
            {
                return at;
            }
            Kind::Mark(',' | ';') if depth == 0 => return at,
            Kind::Word(_)
                if depth == 0 && at > start && is(tokens, at + 1, '=') && !is(tokens, at + 2, '=') =>
            {
                return at;
            }
            Kind::Text(text) if !is_compared(tokens, at) => push(text, token.line, found),
            _ => {}
        }
        at += 1;
    }
    at
}

/// Whether the bracket at `at` holds the arguments of a function or of a macro that does not build class lists.
fn is_call(tokens: &[Token], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &tokens[before]) else { return false };
    match &before.kind {
        Kind::Word(word) => !matches!(
            word.as_str(),
            "if" | "else"
                | "match"
                | "return"
                | "move"
                | "in"
                | "and"
                | "or"
                | "then"
                | "then_some"
                | "unwrap_or"
                | "Some"
        ),
        Kind::Mark('!') => {
            let name = at.checked_sub(2).map(|name| &tokens[name].kind);
            !matches!(name, Some(Kind::Word(word)) if matches!(word.as_str(), "tw" | "format" | "concat"))
        }
        _ => false,
    }
}

/// Whether a literal is one side of a comparison or the pattern of a match arm.
fn is_compared(tokens: &[Token], at: usize) -> bool {
    let before = at >= 2 && is(tokens, at - 1, '=') && (is(tokens, at - 2, '=') || is(tokens, at - 2, '!'));
    let after = is(tokens, at + 1, '=') || is(tokens, at + 1, '!') && is(tokens, at + 2, '=');
    let pattern = is(tokens, at + 1, '|') || at >= 1 && is(tokens, at - 1, '|') && is(tokens, at + 1, '=');
    before || after || pattern
}

/// `class:name=…`, where the name may hold `-`, `:`, `/` and brackets.
fn name(tokens: &[Token], start: usize, found: &mut Vec<Found>) -> usize {
    let mut class = String::new();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        if token.spaced {
            break;
        }
        match &token.kind {
            Kind::Mark('=' | '>') => break,
            Kind::Mark(mark) => class.push(*mark),
            Kind::Word(word) => class.push_str(word),
            Kind::Text(_) => break,
        }
        at += 1;
    }
    if is(tokens, at, '=') && !class.is_empty() {
        found.push(Found { class, line: tokens[start].line });
    }
    at
}

fn marked(tokens: &[Token], start: usize, found: &mut Vec<Found>) -> usize {
    let end = closing(tokens, start);
    for token in &tokens[start..end] {
        if let Kind::Text(text) = &token.kind {
            push(text, token.line, found);
        }
    }
    end
}

/// Returns the place of the bracket that closes the one at `start`.
fn closing(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Takes a literal apart; what is only a placeholder of `format!` is left to the place that fills it.
fn push(text: &str, line: usize, found: &mut Vec<Found>) {
    for class in text.split_whitespace() {
        let placeholder = class.starts_with('{') && class.ends_with('}');
        if !placeholder {
            found.push(Found { class: class.to_owned(), line });
        }
    }
}

fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line, mut spaced) = (0, 1, false);
    while at < chars.len() {
        let c = chars[at];
        let begin = at;
        let begun_on = line;
        let kind = match c {
            '/' if chars.get(at + 1) == Some(&'/') => {
                at = (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len());
                None
            }
            '/' if chars.get(at + 1) == Some(&'*') => {
                at = end_of_comment(&chars, at);
                None
            }
            '"' => {
                let (text, end) = quoted(&chars, at);
                at = end;
                Some(Kind::Text(text))
            }
            'r' if raw_hashes(&chars, at).is_some() && !in_word(&chars, at) => {
                let (text, end) = raw(&chars, at);
                at = end;
                Some(Kind::Text(text))
            }
            '\'' => {
                at = end_of_char(&chars, at);
                None
            }
            _ if c.is_alphanumeric() || c == '_' => {
                at = (at..chars.len())
                    .find(|i| !(chars[*i].is_alphanumeric() || chars[*i] == '_'))
                    .unwrap_or(chars.len());
                Some(Kind::Word(chars[begin..at].iter().collect()))
            }
            _ if c.is_whitespace() => {
                at += 1;
                None
            }
            _ => {
                at += 1;
                Some(Kind::Mark(c))
            }
        };
        line += chars[begin..at].iter().filter(|c| **c == '\n').count();
        match kind {
            Some(kind) => {
                tokens.push(Token { kind, line: begun_on, spaced });
                spaced = false;
            }
            None => spaced = true,
        }
    }
    tokens
}

fn in_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn quoted(chars: &[char], start: usize) -> (String, usize) {
    let mut text = String::new();
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        if chars[at] == '\\' {
            at += 1;
            match chars.get(at) {
                // A continued line: the break and the indentation are not part of the text.
                Some('\n') => text.push(' '),
                Some(other) => text.push(*other),
                None => break,
            }
        } else {
            text.push(chars[at]);
        }
        at += 1;
    }
    (text, at + 1)
}

fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw(chars: &[char], start: usize) -> (String, usize) {
    let hashes = raw_hashes(chars, start).unwrap_or_default();
    let begin = start + hashes + 2;
    let ends =
        |at: usize| chars[at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    let end = (begin..chars.len()).find(|at| ends(*at)).unwrap_or(chars.len());
    (chars[begin..end].iter().collect(), end + hashes + 1)
}

/// Passes a character literal, or the tick of a lifetime.
fn end_of_char(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        return (at + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(chars.len(), |end| end + 1);
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        classes_in(source).into_iter().map(|found| found.class).collect()
    }

    #[test]
    fn a_literal_gives_its_classes() {
        assert_eq!(names(r#"view! { <p class="flex gap-2">"Not mine"</p> }"#), ["flex", "gap-2"]);
    }

    #[test]
    fn both_arms_of_an_expression_are_taken() {
        let source = r#"<p class=move || if tab == "tools" { "a" } else { "b" } id="c">"no"</p>"#;
        assert_eq!(names(source), ["a", "b"]);
    }

    #[test]
    fn match_patterns_and_arguments_are_not_classes() {
        let source = r#"<p class={match kind { "x" | "y" => "a", _ => label("z") }}>"no"</p>"#;
        assert_eq!(names(source), ["a"]);
    }

    #[test]
    fn conditional_names_are_classes() {
        assert_eq!(names(r#"<p class:md:w-1/2=wide class=("b", c)>"#), ["md:w-1/2", "b"]);
    }

    #[test]
    fn marked_lists_are_taken_wherever_they_stand() {
        assert_eq!(names(r#"const ROW: &str = tw!("flex items-center");"#), ["flex", "items-center"]);
    }

    #[test]
    fn filled_in_lists_keep_their_fixed_classes() {
        assert_eq!(names(r#"<p class=format!("flex {tone} {}", x)>"#), ["flex"]);
        assert_eq!(names(r#"<p class=format!("text-{size}")>"#), ["text-{size}"]);
    }

    #[test]
    fn comments_and_other_attributes_are_passed_over() {
        assert_eq!(names("// class=\"a\"\n/* class=\"b\" */ <p title=\"c\" class=\"d\">'\"' 'x"), ["d"]);
    }

    #[test]
    fn lines_are_counted_through_strings() {
        let found = classes_in("let a = \"x\ny\";\n<p class=\"z\">");
        assert_eq!(found, [Found { class: "z".to_owned(), line: 3 }]);
    }
}
