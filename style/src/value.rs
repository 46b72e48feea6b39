//! The part of a class behind the utility's name: numbers, fractions, `[arbitrary]`, `(--variable)`.

use crate::tokens::CONTAINERS;

/// Reads `[…]` or `(--x)`; underscores are spaces, as a class cannot hold any.
pub(crate) fn arbitrary(text: &str) -> Option<String> {
    if let Some(name) = text.strip_prefix("(").and_then(|rest| rest.strip_suffix(")")) {
        return (name.starts_with("--") && is_clean(name)).then(|| format!("var({name})"));
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() || !is_clean(inner) {
        return None;
    }
    let mut spaced = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'_') => spaced.extend(chars.next()),
            '_' => spaced.push(' '),
            other => spaced.push(other),
        }
    }
    Some(spaced_operators(&spaced))
}

/// Whether the text can stand inside a declaration without ending it.
fn is_clean(text: &str) -> bool {
    let mut depth = 0_i32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ';' | '{' | '}' | '<' => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

/// Puts the spaces around `+` and `-` that `calc()` insists on.
fn spaced_operators(value: &str) -> String {
    if !["calc(", "min(", "max(", "clamp("].iter().any(|name| value.contains(name)) {
        return value.to_owned();
    }
    let chars: Vec<char> = value.chars().collect();
    let mut out = String::with_capacity(value.len() + 4);
    let mut in_var = 0_usize;
    for (at, &c) in chars.iter().enumerate() {
        if out.ends_with("var") && c == '(' {
            in_var = 1;
        } else if in_var > 0 && c == '(' {
            in_var += 1;
        } else if in_var > 0 && c == ')' {
            in_var -= 1;
        }
        let before = at.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(at + 1).copied();
        let joins = matches!(before, Some(b) if b.is_ascii_alphanumeric() || b == '%' || b == ')')
            && matches!(after, Some(a) if a.is_ascii_alphanumeric() || a == '.' || a == '(');
        let operator = in_var == 0
            && joins
            && match c {
                '+' | '*' | '/' => true,
                '-' => matches!(after, Some(a) if a.is_ascii_digit() || a == '.' || a == '('),
                _ => false,
            };
        if operator {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}

/// Reads a length on the 4 px scale: `4`, `0.5`, `px`, or an arbitrary one. Negative when asked.
pub(crate) fn spacing(text: &str, negative: bool) -> Option<String> {
    let plain = match text {
        "px" => "1px".to_owned(),
        "0" => return Some("0".to_owned()),
        _ => match number(text) {
            Some(number) => rem(number * 0.25),
            None => arbitrary(text)?,
        },
    };
    Some(if negative { minus(&plain) } else { plain })
}

/// Reads a length, a fraction or `full`.
pub(crate) fn length_or_part(text: &str, negative: bool) -> Option<String> {
    let plain = match text {
        "full" => "100%".to_owned(),
        _ => match fraction(text) {
            Some(part) => part,
            None => return spacing(text, negative),
        },
    };
    Some(if negative { minus(&plain) } else { plain })
}

/// Reads a width or height: everything a length may be, the container names and the keywords. `unit` is `w` or `h`.
pub(crate) fn size(text: &str, unit: char) -> Option<String> {
    let named = match text {
        "auto" => "auto",
        "none" => "none",
        "min" => "min-content",
        "max" => "max-content",
        "fit" => "fit-content",
        "prose" => "65ch",
        "screen" if unit == 'w' => "100vw",
        "screen" => "100vh",
        "dvh" => "100dvh",
        "svh" => "100svh",
        "lvh" => "100lvh",
        "dvw" => "100dvw",
        _ => "",
    };
    if !named.is_empty() {
        return Some(named.to_owned());
    }
    if let Some((_, width)) = CONTAINERS.iter().find(|(name, _)| *name == text) {
        return (unit == 'w').then(|| (*width).to_owned());
    }
    length_or_part(text, false)
}

/// Reads a whole or decimal number of the scale.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Reads a whole number.
pub(crate) fn integer(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction(text: &str) -> Option<String> {
    let (part, whole) = text.split_once('/')?;
    let (part, whole) = (integer(part)?, integer(whole)?);
    if whole == 0 {
        return None;
    }
    Some(format!("{}%", trimmed(f64::from(part) * 100.0 / f64::from(whole))))
}

fn rem(amount: f64) -> String {
    if amount == 0.0 { "0".to_owned() } else { format!("{}rem", trimmed(amount)) }
}

/// Prints a number without trailing zeros.
pub(crate) fn trimmed(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn minus(value: &str) -> String {
    if value == "0" {
        value.to_owned()
    } else if value.starts_with(|c: char| c.is_ascii_digit()) {
        format!("-{value}")
    } else {
        format!("calc({value} * -1)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arbitrary_values_get_their_spaces_back() {
        assert_eq!(arbitrary("[200px_1fr]").as_deref(), Some("200px 1fr"));
        assert_eq!(arbitrary("[calc(100dvh-4rem)]").as_deref(), Some("calc(100dvh - 4rem)"));
        assert_eq!(arbitrary("[calc(var(--a-1)*2)]").as_deref(), Some("calc(var(--a-1) * 2)"));
        assert_eq!(arbitrary("(--gap)").as_deref(), Some("var(--gap)"));
    }

    #[test]
    fn a_value_cannot_leave_its_declaration() {
        for text in ["[red;color:blue]", "[a}b]", "[)]", "[]", "(gap)"] {
            assert_eq!(arbitrary(text), None, "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_size() {
        for text in ["banana", "1/0", "-3", "4px", "[", "/2"] {
            assert_eq!(size(text, 'w'), None, "{text}");
        }
    }
}
