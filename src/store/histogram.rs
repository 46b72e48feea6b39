//! A histogram of durations with fixed logarithmic buckets, so that any two can be added.

/// How many calls took how long.
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
    /// The number of buckets.
    pub const BUCKETS: usize = 40;

    /// Counts a duration in microseconds.
    pub fn record(&mut self, duration_us: i64) {
        let _ = duration_us;
        todo!()
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

    /// Returns the duration in microseconds that the share `q` (0 to 1) of calls stays below,
    /// interpolated inside its bucket; `None` if nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let _ = q;
        todo!()
    }

    /// Returns the counts, the shortest durations first.
    pub fn counts(&self) -> &[i64; Self::BUCKETS] {
        &self.counts
    }

    /// Returns the duration in microseconds that bucket `index` ends before.
    pub fn upper_us(index: usize) -> i64 {
        let _ = index;
        todo!()
    }
}
