//! The generic cell rate algorithm: a token bucket that is one number. Pure.
//!
//! A bucket is remembered as the time at which it will be full again, in microseconds. What is full
//! already need not be remembered.

use crate::model::Rate;

/// A bucket that nobody has taken from.
pub(super) const FULL: i64 = i64::MIN;

/// Returns the bucket as it counts under this rate: no fuller than full and, after its rate was
/// changed, no emptier than empty.
pub(super) fn under(full_at: i64, rate: Rate, now_us: i64) -> i64 {
    full_at.clamp(now_us, now_us + rate.interval_us() * i64::from(rate.at_once()))
}

/// Takes one from a bucket as it counts [`under`] the rate: returns the time at which it will be full
/// again, or else how many microseconds later there is one to take.
pub(super) fn take(full_at: i64, rate: Rate, now_us: i64) -> Result<i64, i64> {
    let interval = rate.interval_us();
    let (after, latest) = (full_at + interval, now_us + interval * i64::from(rate.at_once()));
    if after <= latest { Ok(after) } else { Err(after - latest) }
}

/// Returns how many are free in a bucket as it counts [`under`] the rate.
pub(super) fn free(full_at: i64, rate: Rate, now_us: i64) -> u32 {
    let interval = rate.interval_us();
    let latest = now_us + interval * i64::from(rate.at_once());
    u32::try_from((latest - full_at) / interval).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_233_963_183_000;
    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_full_bucket_gives_what_may_come_at_once_and_then_one_after_the_other() {
        let rate = rate("60/minute, 3 at once");
        let mut bucket = FULL;

        let at_once = (0..5).filter(|_| takes(&mut bucket, rate, NOW)).count();
        let too_early = takes(&mut bucket, rate, NOW + SECOND - 1);
        let in_time = takes(&mut bucket, rate, NOW + SECOND);
        let again = takes(&mut bucket, rate, NOW + SECOND);

        assert_eq!((at_once, too_early, in_time, again), (3, false, true, false));
    }

    #[test]
    fn an_hour_admits_no_more_than_a_full_bucket_and_the_rate() {
        let rate = rate("7/minute, 5 at once");
        let mut bucket = FULL;

        let admitted = (0..3600 * 4).filter(|tick| takes(&mut bucket, rate, NOW + tick * SECOND / 4)).count();

        assert_eq!(admitted, 5 + 7 * 60 - 1, "the last one comes with the end of the hour");
    }

    #[test]
    fn whoever_is_refused_is_told_the_very_moment() {
        let rate = rate("2/minute");
        let mut bucket = FULL;
        while takes(&mut bucket, rate, NOW) {}

        let wait = take(bucket, rate, NOW).unwrap_err();

        assert_eq!(wait, 30 * SECOND);
        assert!(!takes(&mut bucket, rate, NOW + wait - 1));
        assert!(takes(&mut bucket, rate, NOW + wait));
    }

    #[test]
    fn what_is_free_can_be_taken() {
        let rate = rate("60/minute, 4 at once");
        let mut bucket = FULL;
        let left = |bucket, now| free(under(bucket, rate, now), rate, now);
        assert_eq!(left(bucket, NOW), 4);

        assert!(takes(&mut bucket, rate, NOW));

        assert_eq!(left(bucket, NOW), 3);
        assert_eq!(left(bucket, NOW + SECOND), 4);
        while takes(&mut bucket, rate, NOW) {}
        assert_eq!(left(bucket, NOW), 0);
    }

    #[test]
    fn a_bucket_of_a_slower_rate_does_not_hold_up_a_faster_one() {
        let (slow, fast) = (rate("1/day"), rate("60/minute"));
        let mut bucket = FULL;
        assert!(takes(&mut bucket, slow, NOW));

        let refused = takes(&mut bucket, fast, NOW);
        let in_time = takes(&mut bucket, fast, NOW + SECOND);

        assert!(!refused && in_time);
    }

    #[test]
    fn a_clock_that_goes_back_costs_no_more_than_an_empty_bucket() {
        let rate = rate("60/minute");
        let mut bucket = FULL;
        assert!(takes(&mut bucket, rate, NOW));

        let hour_before = NOW - 3600 * SECOND;
        assert!(!takes(&mut bucket, rate, hour_before));
        assert!(takes(&mut bucket, rate, hour_before + SECOND));
    }

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap()
    }

    fn takes(bucket: &mut i64, rate: Rate, now_us: i64) -> bool {
        *bucket = under(*bucket, rate, now_us);
        take(*bucket, rate, now_us).inspect(|full_at| *bucket = *full_at).is_ok()
    }
}
