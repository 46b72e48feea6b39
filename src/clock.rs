//! Time: the only room that asks the machine for it.
//!
//! Everything else takes a [`Clock`] or a [`Ms`], so that tests move time by hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Ms(pub i64);

impl Ms {
    /// Returns the time this much later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns the time this much earlier.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns how long after `earlier` this is, zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the calendar fields in UTC.
    pub fn civil(self) -> Civil {
        // Days to year, month, day in the proleptic Gregorian calendar, counting years from March
        // so that the leap day is the last of the year.
        let seconds = self.0.div_euclid(1000);
        let days = seconds.div_euclid(86_400) + 719_468;
        let second_of_day = seconds.rem_euclid(86_400);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Civil {
            year: i32::try_from(year_of_era + era * 400 + i64::from(month <= 2)).unwrap_or(i32::MAX),
            month: small(month),
            day: small(day_of_year - (153 * shifted_month + 2) / 5 + 1),
            hour: small(second_of_day / 3600),
            minute: small(second_of_day / 60 % 60),
            second: small(second_of_day % 60),
            millisecond: u16::try_from(self.0.rem_euclid(1000)).unwrap_or(0),
        }
    }

    /// Reads RFC 3339 in UTC with seconds, as [`Display`](fmt::Display) writes it; `None` if it is not that.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let at = Self(begin_of_day(day)?.0 + ((hour * 60 + minute) * 60 + second) * 1000);
        // What carries over into another field was no time.
        (at.to_string() == text).then_some(at)
    }

    /// Reads a day, as in `2027-01-31`, and returns the instant at which it ends in UTC; `None` if it is none.
    pub fn end_of_day(text: &str) -> Option<Self> {
        Some(begin_of_day(text)?.plus(Duration::from_secs(86_400)))
    }

    /// Returns the calendar month this lies in, in UTC.
    pub fn month(self) -> Month {
        let civil = self.civil();
        Month(civil.year * 100 + i32::from(civil.month))
    }
}

impl fmt::Display for Ms {
    /// Writes RFC 3339 in UTC with seconds, as in `2026-11-21T06:30:00Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Returns the instant at which a day begins in UTC.
fn begin_of_day(text: &str) -> Option<Ms> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    let month = i32::try_from(year * 100 + month).ok().filter(|_| (1..=12).contains(&month))?;
    // The end of the month before is the begin of this one.
    let before = if month % 100 == 1 { month - 89 } else { month - 1 };
    let at = Ms(Month(before).end().0 + (day - 1) * 86_400_000);
    at.to_string().starts_with(text).then_some(at)
}

/// Reads three numbers of so many digits each.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut read = [0; 3];
    for (number, digits) in read.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// Calendar fields in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say everything")]
pub struct Civil {
    pub year: i32,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub millisecond: u16,
}

/// A calendar month in UTC as `yyyymm`, the window of monthly quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Month(pub i32);

impl Month {
    /// Returns the instant at which it begins.
    pub fn begin(self) -> Ms {
        let (year, month) = (self.0 / 100, self.0 % 100);
        let before = if month == 1 { (year - 1) * 100 + 12 } else { self.0 - 1 };
        Self(before).end()
    }

    /// Returns the instant at which the month after this one begins.
    pub fn end(self) -> Ms {
        let (year, month) = (i64::from(self.0 / 100), i64::from(self.0 % 100));
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let shifted_year = if month <= 2 { year - 1 } else { year };
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Ms((era * 146_097 + day_of_era - 719_468) * 86_400_000)
    }
}

impl fmt::Display for Month {
    /// Writes it as RFC 3339 begins a date: `2026-11`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Tells the time; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// Returns the machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// Returns a clock that stands still until [`Clock::advance`] moves it, for tests.
    pub fn manual(start: Ms) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    /// Returns the time.
    pub fn now(&self) -> Ms {
        match &self.0 {
            Some(hand) => Ms(hand.load(Ordering::SeqCst)),
            None => system_now(),
        }
    }

    /// Moves a manual clock forward; does nothing to the machine's.
    pub fn advance(&self, duration: Duration) {
        if let Some(hand) = &self.0 {
            hand.fetch_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

/// Asks for the time of the last tick, at most a few milliseconds ago: a call asks several times, and that is a third of the
/// price of the exact time.
fn system_now() -> Ms {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    Ms(now.tv_sec * 1000 + now.tv_nsec / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_knows_leap_days_and_times_before_the_epoch() {
        assert_eq!(Ms(951_782_400_000).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(Ms(1_795_233_963_183).to_string(), "2026-11-21T04:06:03Z");
        assert_eq!(Ms(-1).to_string(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_written_is_read_and_what_is_no_time_is_not() {
        for at in [Ms(951_782_400_000), Ms(1_795_233_963_000), Ms(0), Ms(253_402_300_799_000)] {
            assert_eq!(Ms::parse(&at.to_string()), Some(at), "{at}");
        }
        let end = |day| Ms::end_of_day(day).map(|end| end.to_string());
        assert_eq!(end("2027-01-31").as_deref(), Some("2027-02-01T00:00:00Z"));
        assert_eq!(end("2028-02-29").as_deref(), Some("2028-03-01T00:00:00Z"));
        assert_eq!(end("2026-12-31").as_deref(), Some("2027-01-01T00:00:00Z"));
        for wrong in [
            "2027-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-1-01",
            "27-01-01",
            "",
            "2027-01-01-01",
            "0000-00-00",
        ] {
            assert_eq!(Ms::end_of_day(wrong), None, "{wrong}");
        }
        for wrong in [
            "2027-01-01T24:00:00Z",
            "2027-01-01T23:59:60Z",
            "2027-01-01 00:00:00Z",
            "2027-01-01T00:00:00",
            "x",
        ] {
            assert_eq!(Ms::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let end = Ms(1_795_233_963_183).month().end();

        assert_eq!(end.to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(end.month(), Month(202_612));
        assert_eq!(Month(202_612).end().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(Month(202_401).end().to_string(), "2024-02-01T00:00:00Z");
    }
}
