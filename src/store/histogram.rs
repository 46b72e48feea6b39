//! A histogram of durations with fixed logarithmic buckets, so that any two can be added.

/// How many calls took how long. Each bucket is wider than the one before by the square root of
/// two, from 128 µs to 95 s, so a quantile is off by two fifths at worst, and usually by far
/// less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: [i64; Self::BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; Self::BUCKETS] }
    }
}

impl Histogram {
    /// The number of buckets. The columns `b00` to `b39` of the metrics tables hold them.
    pub const BUCKETS: usize = 40;

    /// Counts a duration in microseconds. What is too long for every bucket is in the last.
    pub fn record(&mut self, duration_us: i64) {
        self.counts[Self::bucket_of(duration_us)] += 1;
    }

    /// Returns the bucket a duration in microseconds falls into.
    pub fn bucket_of(duration_us: i64) -> usize {
        UPPER_US.partition_point(|upper| *upper <= duration_us).min(Self::BUCKETS - 1)
    }

    /// Makes one from counts, the shortest durations first.
    pub fn from_counts(counts: [i64; Self::BUCKETS]) -> Self {
        Self { counts }
    }

    /// Returns the counts, the shortest durations first.
    pub fn counts(&self) -> &[i64; Self::BUCKETS] {
        &self.counts
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    /// Returns how many durations were counted.
    pub fn count(&self) -> i64 {
        self.counts.iter().sum()
    }

    /// Returns the duration in microseconds that bucket `index` ends before.
    pub fn upper_us(index: usize) -> i64 {
        UPPER_US[index.min(Self::BUCKETS - 1)]
    }

    /// Returns the duration in microseconds that the share `q` (0 to 1) of calls stays below,
    /// interpolated inside its bucket; `None` if nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * total as f64;
        let mut below = 0;
        for (index, count) in self.counts.iter().copied().enumerate() {
            if count > 0 && (below + count) as f64 >= rank {
                let lower = if index == 0 { 0 } else { UPPER_US[index - 1] };
                let share = (rank - below as f64) / count as f64;
                return Some(lower + ((UPPER_US[index] - lower) as f64 * share) as i64);
            }
            below += count;
        }
        Some(UPPER_US[Self::BUCKETS - 1])
    }
}

/// Where each bucket ends, in microseconds.
const UPPER_US: [i64; Histogram::BUCKETS] = {
    const SQUARE_ROOT_OF_TWO_E6: i64 = 1_414_214;
    let mut upper = [0; Histogram::BUCKETS];
    let mut index = 0;
    while index < Histogram::BUCKETS {
        let power = 128 << (index / 2);
        upper[index] = if index % 2 == 0 { power } else { power * SQUARE_ROOT_OF_TWO_E6 / 1_000_000 };
        index += 1;
    }
    upper
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_a_bucket_and_bounds_belong_to_the_next() {
        assert_eq!(Histogram::bucket_of(-5), 0);
        assert_eq!(Histogram::bucket_of(127), 0);
        assert_eq!(Histogram::bucket_of(128), 1);
        assert_eq!(Histogram::bucket_of(i64::MAX), Histogram::BUCKETS - 1);
        assert!(UPPER_US.is_sorted_by(|a, b| a < b));
        assert!(Histogram::upper_us(Histogram::BUCKETS - 1) > 90_000_000);
    }

    #[test]
    fn a_quantile_is_off_by_two_fifths_at_worst() {
        let mut histogram = Histogram::default();
        for duration in 1..=10_000 {
            histogram.record(duration * 10);
        }

        for (q, expected) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0)] {
            let found = histogram.quantile(q).unwrap() as f64;
            assert!((found - expected).abs() / expected < 0.415, "{q}: {found}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn merging_is_counting_both() {
        let (mut left, mut right, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for (index, duration) in [90, 300, 5_000, 90_000, 4_000_000].into_iter().enumerate() {
            if index % 2 == 0 {
                left.record(duration)
            } else {
                right.record(duration)
            }
            both.record(duration);
        }

        left.merge(&right);

        assert_eq!(left, both);
        assert_eq!(left.count(), 5);
    }
}
