//! Command lines as people type them, as the argument array they mean.
//!
//! Quotes and backslashes group as in a shell; nothing else means anything, because no shell ever
//! sees it.

/// Splits a command line into program and arguments, or says what is wrong with it.
pub(super) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(inside) => word.push(inside),
                        None => return Err("a ' is not closed"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') => match letters.next() {
                            Some(escaped @ ('"' | '\\')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => return Err("a \" is not closed"),
                        },
                        Some(inside) => word.push(inside),
                        None => return Err("a \" is not closed"),
                    }
                }
            }
            '\\' => match letters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("nothing follows the last \\"),
            },
            space if space.is_whitespace() => words.extend(word.take()),
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Writes an argument array so that [`split`] reads it back.
pub(super) fn join(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain =
        !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\\'));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Reads `NAME=value` lines. A name without `=` keeps the value it had.
pub(super) fn variables(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let mut variables = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.to_owned())),
            None => (line, None),
        };
        if name.is_empty() {
            return Err("a line begins with =; write NAME=value".to_owned());
        }
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_group_and_nothing_is_interpreted() {
        let words = split(r#"npx -y '@scope/a b' "c \"d\"" e\ f $HOME;rm ''"#).unwrap();

        assert_eq!(words, ["npx", "-y", "@scope/a b", "c \"d\"", "e f", "$HOME;rm", ""]);
        assert!(split("a 'b").is_err());
        assert!(split("").unwrap().is_empty());
    }

    #[test]
    fn an_array_survives_being_written_and_read() {
        let words = ["a", "", "it's", "b c", "\\", "\"", "$x"].map(str::to_owned);

        assert_eq!(split(&join(&words)).unwrap(), words);
    }

    #[test]
    fn a_variable_without_a_value_keeps_the_one_it_had() {
        let read = variables("TOKEN=a=b\n\n KEEP \n").unwrap();

        assert_eq!(read, [("TOKEN".to_owned(), Some("a=b".to_owned())), ("KEEP".to_owned(), None)]);
        assert!(variables("=x").is_err());
    }
}
