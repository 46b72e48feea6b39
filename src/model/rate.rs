//! Rates: how fast something may come.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How fast something may come: so many in so long on average, and so many at once. Written as
/// `600/minute`, or as `600/minute, 20 at once`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    count: NonZeroU32,
    per: Per,
    at_once: NonZeroU32,
}

/// How long a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Per {
    Second,
    Minute,
    Hour,
    Day,
}

/// Says what would have been a rate.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "a rate is a number from 1 to 1000000 with `/second`, `/minute`, `/hour` or `/day` behind it, as \
     600/minute, and if fewer may come at once, their number, as in `600/minute, 20 at once`"
)]
pub struct RateError;

impl Per {
    const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    fn word(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        })
    }
}

impl Rate {
    /// The most that may come in any of the times.
    pub const COUNT_MAX: u32 = 1_000_000;

    /// Reads a rate.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let (rate, at_once) = match text.split_once(',') {
            Some((rate, rest)) => (rate, Some(rest.trim().strip_suffix("at once").ok_or(RateError)?)),
            None => (text, None),
        };
        let (count, per) = rate.split_once('/').ok_or(RateError)?;
        let per = Per::ALL.into_iter().find(|known| known.word() == per.trim()).ok_or(RateError)?;
        let count = number(count)?;
        let at_once = at_once.map_or(Ok(count), number)?;
        Ok(Self { count, per, at_once })
    }

    /// Returns how many may come at once.
    pub fn at_once(self) -> u32 {
        self.at_once.get()
    }

    /// Returns how many microseconds one takes on average, rounded up, so that never more come than
    /// is said.
    pub fn interval_us(self) -> i64 {
        let us = self.per.duration().as_micros().div_ceil(u128::from(self.count.get()));
        i64::try_from(us).unwrap_or(i64::MAX)
    }
}

fn number(text: &str) -> Result<NonZeroU32, RateError> {
    let number: NonZeroU32 = text.trim().parse().map_err(|_| RateError)?;
    if number.get() > Rate::COUNT_MAX { Err(RateError) } else { Ok(number) }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.count, self.per.word())?;
        if self.at_once == self.count { Ok(()) } else { write!(formatter, ", {} at once", self.at_once) }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        Self::parse(&text)
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        for text in ["1/second", "600/minute", "600/minute, 20 at once", "5/hour, 10 at once", "1000000/day"]
        {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Rate::parse(" 600 / minute ,20 at once ").unwrap().to_string(), "600/minute, 20 at once");
        assert_eq!(Rate::parse("7/minute, 7 at once").unwrap().to_string(), "7/minute");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "600", "0/minute", "-1/minute", "1000001/day", "6/week", "6/minute, 0 at once"] {
            assert_eq!(Rate::parse(text), Err(RateError), "{text}");
        }
        assert_eq!(Rate::parse("6/minute, often"), Err(RateError));
        assert_eq!(Rate::parse("6/minute, 2 at once, 3 at once"), Err(RateError));
    }

    #[test]
    fn what_does_not_divide_is_rounded_to_fewer() {
        assert_eq!(Rate::parse("7/second").unwrap().interval_us(), 142_858);
        assert_eq!(Rate::parse("1000000/second").unwrap().interval_us(), 1);
    }
}
