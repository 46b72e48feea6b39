//! Sentences in which names stand between backticks, as the engine writes them.

use leptos::prelude::*;

/// Draws a sentence, with what stands between two backticks as code.
pub(crate) fn prose(text: &str) -> AnyView {
    parts(text)
        .map(|part| match part {
            Part::Plain(words) => words.to_owned().into_any(),
            Part::Code(name) => view! { <code>{name.to_owned()}</code> }.into_any(),
        })
        .collect_view()
        .into_any()
}

#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Plain(&'a str),
    Code(&'a str),
}

/// Takes a sentence apart. A backtick without its second is a letter like any other.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = rest.strip_prefix('`').and_then(|inner| inner.split_once('`')) {
            rest = after;
            return Some(Part::Code(name));
        }
        let mut marks =
            rest.char_indices().skip(1).filter(|(_, letter)| *letter == '`').map(|(place, _)| place);
        let next = marks.next().filter(|_| marks.next().is_some());
        let (plain, after) = rest.split_at(next.unwrap_or(rest.len()));
        rest = after;
        Some(Part::Plain(plain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        let found: Vec<_> = parts("`add` of `home` wins").collect();

        assert_eq!(found, [Part::Code("add"), Part::Plain(" of "), Part::Code("home"), Part::Plain(" wins")]);
    }

    #[test]
    fn a_lone_backtick_is_a_letter() {
        assert_eq!(parts("it`s").collect::<Vec<_>>(), [Part::Plain("it`s")]);
        assert_eq!(parts("`").collect::<Vec<_>>(), [Part::Plain("`")]);
        assert_eq!(
            parts("ü `a` `b").collect::<Vec<_>>(),
            [Part::Plain("ü "), Part::Code("a"), Part::Plain(" `b")]
        );
    }
}
