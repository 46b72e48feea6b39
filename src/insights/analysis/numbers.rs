//! Whether a text says only numbers that another text has. Pure.
//!
//! Looks at numbers in digits with the unit behind them, at small numbers in words, and at words that are numbers by
//! stealth (`half`, `twice`). Cannot see whether a number that is there is said of the right thing.

use std::collections::BTreeSet;

use serde_json::Value;

/// Units by the ways to write them, in lower case.
const UNITS: [(&str, &[&str]); 16] = [
    ("ms", &["ms", "millisecond", "milliseconds"]),
    ("s", &["s", "sec", "secs", "second", "seconds"]),
    ("min", &["min", "mins", "minute", "minutes"]),
    ("h", &["h", "hr", "hrs", "hour", "hours"]),
    ("d", &["d", "day", "days"]),
    ("b", &["b", "byte", "bytes"]),
    ("kib", &["kib"]),
    ("mib", &["mib"]),
    ("gib", &["gib"]),
    ("tib", &["tib"]),
    ("pib", &["pib"]),
    ("kb", &["kb"]),
    ("mb", &["mb"]),
    ("gb", &["gb"]),
    ("tb", &["tb"]),
    ("%", &["percent"]),
];

/// Units in which the numbers of a report are kept that have none written behind them.
const KEPT_IN: [&str; 2] = ["ms", "b"];

/// Small numbers in words. `One` is none: it is said of anything.
const WORDS: [(&str, &str); 19] = [
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("fifteen", "15"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("eighty", "80"),
    ("ninety", "90"),
];

/// Words that say a number and cannot be computed with: the other text must have them as well.
const STEALTHY: [&str; 24] = [
    "billion",
    "billions",
    "double",
    "doubled",
    "doubles",
    "dozen",
    "dozens",
    "half",
    "halve",
    "halved",
    "hundred",
    "hundreds",
    "million",
    "millions",
    "quadruple",
    "tenfold",
    "thousand",
    "thousands",
    "threefold",
    "thrice",
    "triple",
    "tripled",
    "twice",
    "twofold",
];

/// The longest marker of a list, as `12.`, in digits.
const MARKER_DIGITS_MAX: usize = 2;

/// The numbers a text may say.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: BTreeSet<String>,
    /// With their units.
    pairs: BTreeSet<(String, &'static str)>,
    /// Kept without a unit written behind them.
    bare: BTreeSet<String>,
    words: BTreeSet<String>,
}

/// A number in a text.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// In digits or in words, with the unit behind it.
    Number { value: String, unit: Option<&'static str> },
    /// By stealth.
    Word(String),
    /// In characters that are not read here.
    Foreign(char),
}

impl Known {
    /// Collects what a text says.
    pub(super) fn of(text: &str) -> Self {
        let mut known = Self::default();
        for said in scan(text) {
            match said {
                Said::Number { value, unit } => {
                    if let Some(unit) = unit {
                        known.pairs.insert((value.clone(), unit));
                    }
                    known.values.insert(value);
                }
                Said::Word(word) => {
                    known.words.insert(word);
                }
                Said::Foreign(letter) => {
                    known.words.insert(letter.to_string());
                }
            }
        }
        known
    }

    /// Adds the numbers of a value, and those in its texts.
    pub(super) fn add(&mut self, value: &Value) {
        match value {
            Value::Number(number) => {
                let value = canonical(&number.to_string());
                self.bare.insert(value.clone());
                self.values.insert(value);
            }
            Value::String(text) => {
                let mut other = Self::of(text);
                self.values.append(&mut other.values);
                self.pairs.append(&mut other.pairs);
                self.words.append(&mut other.words);
            }
            Value::Array(values) => values.iter().for_each(|value| self.add(value)),
            Value::Object(members) => members.values().for_each(|value| self.add(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Returns what a text says that is not known, as it may be shown.
    pub(super) fn strangers(&self, text: &str) -> Vec<String> {
        scan(text)
            .into_iter()
            .filter_map(|said| match said {
                Said::Number { value, unit: None } => (!self.values.contains(&value)).then_some(value),
                Said::Number { value, unit: Some(unit) } => {
                    let is_kept_so = KEPT_IN.contains(&unit) && self.bare.contains(&value);
                    let pair = (value, unit);
                    let is_known = is_kept_so || self.pairs.contains(&pair);
                    (!is_known).then(|| format!("{} {}", pair.0, pair.1))
                }
                Said::Word(word) => (!self.words.contains(&word)).then_some(word),
                Said::Foreign(letter) => {
                    (!self.words.contains(&letter.to_string())).then(|| letter.to_string())
                }
            })
            .collect()
    }
}

/// Finds every number of a text. The markers of numbered lists and headings are none.
fn scan(text: &str) -> Vec<Said> {
    let mut said = Vec::new();
    for line in text.lines() {
        let mut rest = without_marker(line);
        while let Some(letter) = rest.chars().next() {
            if letter.is_ascii_digit() {
                let (value, behind) = number(rest);
                let (unit, behind) = unit(behind);
                said.push(Said::Number { value, unit });
                rest = behind;
            } else if letter.is_alphabetic() {
                let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                rest = behind;
                let word = word.to_lowercase();
                if let Some((_, value)) = WORDS.iter().find(|(known, _)| *known == word) {
                    let (unit, behind) = unit(behind);
                    said.push(Said::Number { value: (*value).to_owned(), unit });
                    rest = behind;
                } else if STEALTHY.contains(&word.as_str()) {
                    said.push(Said::Word(word));
                }
            } else {
                if letter.is_numeric() {
                    said.push(Said::Foreign(letter));
                }
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    said
}

/// Returns a line without the marker that it begins with: `## 3. `, `2) `.
fn without_marker(line: &str) -> &str {
    let inner = line.trim_start_matches([' ', '\t', '#', '>', '*', '-']);
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let behind = &inner[digits..];
    let is_marker =
        (1..=MARKER_DIGITS_MAX).contains(&digits) && (behind.starts_with(". ") || behind.starts_with(") "));
    if is_marker { behind } else { line }
}

/// Reads the number at the beginning of a text, and returns what follows it. A comma belongs to it between groups of
/// three digits, a point before a digit: versions (`4.3.0`) are one number.
fn number(text: &str) -> (String, &str) {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    let mut has_point = false;
    loop {
        match bytes.get(at) {
            Some(letter) if letter.is_ascii_digit() => at += 1,
            Some(b'.') if is_digit(at + 1) => {
                has_point = true;
                at += 1;
            }
            Some(b',')
                if !has_point
                    && is_digit(at + 1)
                    && is_digit(at + 2)
                    && is_digit(at + 3)
                    && !is_digit(at + 4) =>
            {
                at += 1;
            }
            _ => break,
        }
    }
    (canonical(&text[..at]), &text[at..])
}

/// Returns a number as all ways to write it are compared: without commas, and zeros that say nothing.
fn canonical(number: &str) -> String {
    let plain = number.replace(',', "");
    let plain = plain.strip_prefix('-').unwrap_or(&plain);
    let whole = plain.trim_start_matches('0');
    let whole =
        if whole.is_empty() || whole.starts_with('.') { format!("0{whole}") } else { whole.to_owned() };
    if whole.matches('.').count() == 1 {
        return whole.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    whole
}

/// Reads the unit at the beginning of a text, perhaps behind a space or a hyphen, and returns what follows it.
fn unit(text: &str) -> (Option<&'static str>, &str) {
    let inner = text.strip_prefix([' ', '\u{a0}', '\u{202f}', '-']).unwrap_or(text);
    if let Some(behind) = inner.strip_prefix('%') {
        return (Some("%"), behind);
    }
    let end = inner.find(|c: char| !c.is_alphabetic()).unwrap_or(inner.len());
    let (word, behind) = inner.split_at(end);
    let word = word.to_lowercase();
    match UNITS.iter().find(|(_, ways)| ways.contains(&word.as_str())) {
        Some((unit, _)) => (Some(unit), behind),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REPORT: &str = "## 1. Stage 3 (join at skew.py:12) is skewed (severe)\n\n\
        - Longest task: 12.50 s, median 0.4 s\n- Spill: 1,536 MiB of 200 tasks, 85.0 %\n\
        Spark 4.3.0; the longest takes 3 min 20 s, twice the rest.";

    fn strangers(text: &str) -> Vec<String> {
        let mut known = Known::of(REPORT);
        known.add(&json!({"totals": {"duration_ms": 200_000, "share": 0.25}, "name": "run 77"}));
        known.strangers(text)
    }

    #[test]
    fn numbers_of_the_report_may_be_said_in_other_ways() {
        for text in [
            "The longest task takes 12.5 seconds, against 0.40 s.",
            "It spills 1536 MiB (85 % of 200 tasks).",
            "On Spark 4.3.0, stage three needs 3 min and 20s.",
            "200000 ms, 200,000 milliseconds, a share of 0.25, run 77",
            "1. First\n2. Second\n## 9. Ninth\n- one of them is twice as slow",
            "a 12.5-second task",
        ] {
            assert_eq!(strangers(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn numbers_that_nobody_measured_are_found() {
        for (text, found) in [
            ("It takes 13 s.", "13 s"),
            ("It takes 12.5 min.", "12.5 min"),
            ("It spills 1.5 GiB.", "1.5 gib"),
            ("Spark 4.3.1", "4.3.1"),
            ("half of it", "half"),
            ("in nine stages", "9"),
            ("a ten-second task", "10 s"),
            ("it has ½ of it", "½"),
            ("it has ٣ stages", "٣"),
            ("85 tasks and 99%", "99 %"),
            ("100. is no marker", "100"),
            ("1,5360", "1"),
        ] {
            assert!(strangers(text).contains(&found.to_owned()), "{text}: {:?}", strangers(text));
        }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for (one, other) in [("1,536", "1536"), ("0.40", "0.4"), ("007", "7"), ("12.0", "12"), ("0", "0.0")] {
            assert_eq!(canonical(one), canonical(other));
        }
        assert_eq!(canonical("4.3.0"), "4.3.0");
        assert_eq!(number("12. The").0, "12");
        assert_eq!(number("1,23"), ("1".to_owned(), ",23"));
    }
}
