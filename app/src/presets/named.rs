//! Naming several things in a sentence.

/// How many are named; the others are counted.
const NAMED_MAX: usize = 10;

/// Returns the names as a part of a sentence, as in `a, b, and 2 more`.
pub(super) fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let mut named: Vec<String> = names.take(NAMED_MAX).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}
