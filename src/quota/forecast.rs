//! What a month comes to if it goes on as it began. Pure.

use std::time::Duration;

use crate::clock::Ms;

/// How much of a month must be over before it says anything about the rest.
const ENOUGH: Duration = Duration::from_secs(24 * 3600);

/// Returns how many there will be at the end of the month if they go on coming as they came so far; `None` on its
/// first day.
pub fn forecast(used: i64, now: Ms) -> Option<i64> {
    let month = now.month();
    let (passed, whole) = (now.since(month.begin()), month.end().since(month.begin()));
    if passed < ENOUGH {
        return None;
    }
    let expected = i128::from(used) * i128::try_from(whole.as_millis()).ok()?
        / i128::try_from(passed.as_millis()).ok()?;
    i64::try_from(expected).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn a_month_goes_on_as_it_began_once_a_day_of_it_is_over() {
        // November 2026 has 30 days.
        let begin = Ms(1_793_491_200_000);
        assert_eq!((begin.month().begin(), begin.month().end()), (begin, begin.plus(DAY * 30)));
        assert_eq!(forecast(100, begin.plus(DAY - Duration::from_millis(1))), None);
        assert_eq!(forecast(100, begin.plus(DAY)), Some(3_000));
        assert_eq!(forecast(100, begin.plus(DAY * 15)), Some(200));
        assert_eq!(forecast(0, begin.plus(DAY * 29)), Some(0));
        assert_eq!(forecast(i64::MAX, begin.plus(DAY)), None);
        // January, whose month before is in another year.
        let january = begin.plus(DAY * 61);
        assert_eq!((january.month().begin(), january.month().to_string()), (january, "2027-01".to_owned()));
    }
}
