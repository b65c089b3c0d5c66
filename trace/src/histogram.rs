//! How often values of each magnitude came.

use core::fmt;
use core::ops::RangeInclusive;

use crate::sync::{AtomicU32, Ordering};

/// A count stops here. So many threads at once cannot make it wrap.
const FULL: u32 = 1 << 31;

/// Counts values by magnitude: bucket 0 has the zeroes, bucket `n` the values from `2^(n-1)` to
/// `2^n - 1`. Values that belong to no bucket are outliers.
///
/// Each bucket is one counter of 32 bits. It stops at 2^31 instead of wrapping. With 32 buckets a
/// histogram takes 132 bytes, for ever.
///
/// # Context
///
/// All calls may come from any thread or interrupt, several at once. Nothing blocks or loops. What
/// a reader sees of several buckets is exact only while nothing is recorded.
///
/// # Cost
///
/// [`record`](Self::record) is one atomic addition. The other calls look at each bucket once.
///
/// ```
/// use slotted_trace::Histogram;
///
/// static SIZES: Histogram<8> = Histogram::new();
/// for value in [0, 5, 6, 7, 100, 128] {
///     SIZES.record(value);
/// }
/// let counts: Vec<_> = SIZES.buckets().filter(|(_, count)| *count > 0).collect();
/// assert_eq!(counts, [(0..=0, 1), (4..=7, 3), (64..=127, 1)]);
/// assert_eq!(SIZES.outliers(), 1);
/// assert_eq!(SIZES.percentile(50), Some(7));
/// assert_eq!(SIZES.percentile(99), None); // beyond the last bucket
/// ```
pub struct Histogram<const BUCKETS: usize = 32> {
    counts: [AtomicU32; BUCKETS],
    outliers: AtomicU32,
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// A histogram that has counted nothing.
    ///
    /// ```
    /// use slotted_trace::Histogram;
    ///
    /// assert_eq!(Histogram::<32>::new().count(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                BUCKETS > 0 && BUCKETS <= 65,
                "slotted-trace: a histogram has 1 to 65 buckets"
            );
        }
        Self {
            counts: [const { AtomicU32::new(0) }; BUCKETS],
            outliers: AtomicU32::new(0),
        }
    }

    /// Counts a value.
    #[inline]
    pub fn record(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        let count = self.counts.get(bucket).unwrap_or(&self.outliers);
        if count.load(Ordering::Relaxed) < FULL {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The buckets, smallest first: the values that each holds, and how many came.
    pub fn buckets(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u32)> + '_ {
        let counts = self.counts.iter().enumerate();
        counts.map(|(bucket, count)| (values(bucket), count.load(Ordering::Relaxed)))
    }

    /// How many values belonged to no bucket: those of `2^(BUCKETS-1)` and more.
    #[must_use]
    pub fn outliers(&self) -> u32 {
        self.outliers.load(Ordering::Relaxed)
    }

    /// How many values came, outliers included.
    #[must_use]
    pub fn count(&self) -> u64 {
        let inside: u64 = self.buckets().map(|(_, count)| u64::from(count)).sum();
        inside + u64::from(self.outliers())
    }

    /// The upper end of the bucket below which so many percent of the values lie. `None` if no
    /// value came, or if that one is an outlier. At most twice the true value.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<u64> {
        let wanted = (self.count() * u64::from(percent.min(100))).div_ceil(100);
        let mut seen = 0;
        let mut buckets = self.buckets();
        buckets
            .find(|(_, count)| {
                seen += u64::from(*count);
                *count > 0 && seen >= wanted
            })
            .map(|(values, _)| *values.end())
    }

    /// Sets all counts to 0. Values that other threads record meanwhile may be lost.
    pub fn clear(&self) {
        for count in self.counts.iter().chain([&self.outliers]) {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// The values that belong to a bucket.
fn values(bucket: usize) -> RangeInclusive<u64> {
    match bucket {
        0 => 0..=0,
        1..=64 => 1 << (bucket - 1)..=u64::MAX >> (64 - bucket),
        _ => unreachable!("`new` refuses so many buckets"),
    }
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A line for each bucket that has counted something.
impl<const BUCKETS: usize> fmt::Display for Histogram<BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (values, count) in self.buckets().filter(|(_, count)| *count > 0) {
            writeln!(f, "{:>20} to {:<20} {count}", values.start(), values.end())?;
        }
        match self.outliers() {
            0 => Ok(()),
            outliers => writeln!(f, "{:>44} {outliers}", "more"),
        }
    }
}

impl<const BUCKETS: usize> fmt::Debug for Histogram<BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.buckets().filter(|(_, count)| *count > 0);
        f.debug_map().entries(counted).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_bucket_and_the_last_ones_none() {
        let histogram: Histogram<65> = Histogram::new();
        let mut expected = 0;
        for (bucket, (values, _)) in histogram.buckets().enumerate() {
            assert_eq!(*values.start(), expected);
            histogram.record(*values.start());
            histogram.record(*values.end());
            assert_eq!(histogram.buckets().nth(bucket).unwrap().1, 2);
            expected = values.end().wrapping_add(1);
        }
        assert_eq!((expected, histogram.outliers()), (0, 0));
        let short: Histogram<4> = Histogram::new();
        short.record(7);
        assert_eq!(short.outliers(), 0);
        short.record(8);
        assert_eq!((short.outliers(), short.count()), (1, 2));
    }

    #[test]
    fn a_full_count_stays() {
        let histogram: Histogram<2> = Histogram::new();
        histogram.counts[1].store(FULL - 1, Ordering::Relaxed);
        histogram.record(1);
        histogram.record(1);
        assert_eq!(histogram.buckets().nth(1), Some((1..=1, FULL)));
        histogram.clear();
        assert_eq!(histogram.count(), 0);
    }

    #[test]
    fn a_percentile_is_the_end_of_its_bucket() {
        let histogram: Histogram = Histogram::new();
        assert_eq!(histogram.percentile(50), None);
        for value in 1..=100 {
            histogram.record(value);
        }
        assert_eq!(histogram.percentile(0), Some(1));
        assert_eq!(histogram.percentile(1), Some(1));
        assert_eq!(histogram.percentile(63), Some(63));
        assert_eq!(histogram.percentile(64), Some(127));
        assert_eq!(histogram.percentile(100), Some(127));
        assert_eq!(histogram.percentile(255), Some(127));
    }
}
