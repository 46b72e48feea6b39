//! What a source says when it wants a token: `WWW-Authenticate` (RFC 6750, RFC 9728 section 5.1).

/// The parts of a Bearer challenge that a client acts on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where the source's own metadata are.
    pub resource_metadata: Option<String>,
    /// What has to be asked for.
    pub scope: Option<String>,
    /// Why the token was not accepted, as `insufficient_scope`.
    pub error: Option<String>,
}

impl Challenge {
    /// Reads the Bearer challenge in a header's value, which may hold others beside it.
    pub fn read(value: &str) -> Self {
        let mut found = Self::default();
        let mut in_bearer = false;
        let mut rest = value;
        while let Some((word, after)) = next_word(rest) {
            let after = after.trim_start();
            let Some(after_sign) = after.strip_prefix('=').filter(|after| !after.starts_with('=')) else {
                in_bearer = word.eq_ignore_ascii_case("bearer");
                rest = after;
                continue;
            };
            let (text, after) = read_value(after_sign.trim_start());
            if in_bearer {
                match word.to_ascii_lowercase().as_str() {
                    "resource_metadata" => found.resource_metadata = Some(text),
                    "scope" => found.scope = Some(text).filter(|scope| !scope.trim().is_empty()),
                    "error" => found.error = Some(text),
                    _ => {}
                }
            }
            rest = after;
        }
        found
    }
}

/// Returns the next token (RFC 9110 section 5.6.2) and what follows it.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c);
    // What is no token is passed over.
    let text = text.trim_start_matches(|c| !is_part(c));
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Reads a token or a quoted string.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, character) in quoted.char_indices() {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bearer_challenge_is_found_among_others() {
        let read = Challenge::read(
            r#"Basic realm="scope=\"no\"", Bearer error="insufficient_scope", scope="a b" , resource_metadata="https://h/x?a=1,2", DPoP scope="c""#,
        );

        assert_eq!(read.scope.as_deref(), Some("a b"));
        assert_eq!(read.resource_metadata.as_deref(), Some("https://h/x?a=1,2"));
        assert_eq!(read.error.as_deref(), Some("insufficient_scope"));
    }

    #[test]
    fn a_challenge_that_says_nothing_or_nonsense_is_empty() {
        for nothing in ["", "Bearer", "Bearer realm=\"x\"", "Bearer scope=\"\"", "=,=,\"", "Bearer ==", "é"]
        {
            assert_eq!(Challenge::read(nothing), Challenge::default(), "{nothing}");
        }
        // A long one of nonsense is read through, however deep the stack.
        let long = "(".repeat(1 << 20);
        assert_eq!(Challenge::read(&long), Challenge::default());
        assert_eq!(Challenge::read("bearer Scope=read").scope.as_deref(), Some("read"));
        assert_eq!(Challenge::read("Bearer scope=\"a\\\"b").scope.as_deref(), Some("a\"b"));
    }
}
