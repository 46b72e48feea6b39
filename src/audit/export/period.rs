//! Hours and days, in UTC.

use std::time::Duration;

use crate::{clock::Ms, model::words};

/// How long one period of an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Every {
    /// An hour.
    Hour,
    /// A day.
    #[default]
    Day,
}
words!(Every { Hour = "hour", Day = "day" });

impl Every {
    fn length(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(3600),
            Self::Day => Duration::from_secs(86_400),
        }
    }

    /// Returns when the period of this time began.
    pub(super) fn begin(self, at: Ms) -> Ms {
        let length = i64::try_from(self.length().as_millis()).unwrap_or(i64::MAX);
        Ms(at.0.div_euclid(length) * length)
    }

    /// Returns when a period that began then ends.
    pub(super) fn end(self, begin: Ms) -> Ms {
        begin.plus(self.length())
    }

    /// Names a period: `2026-11-22`, or `2026-11-22T06`.
    pub(super) fn name(self, begin: Ms) -> String {
        let text = begin.to_string();
        let letters = match self {
            Self::Hour => "2026-11-22T06".len(),
            Self::Day => "2026-11-22".len(),
        };
        text.chars().take(letters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_ends_and_is_named_in_utc() {
        let at = Ms(1_795_233_963_183);
        for (every, begin, end, name) in [
            (Every::Hour, "2026-11-21T04:00:00Z", "2026-11-21T05:00:00Z", "2026-11-21T04"),
            (Every::Day, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-21"),
        ] {
            let found = every.begin(at);
            assert_eq!((found.to_string().as_str(), every.end(found).to_string().as_str()), (begin, end));
            assert_eq!(every.name(found), name);
        }
    }
}
