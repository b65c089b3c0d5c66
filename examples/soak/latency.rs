//! Two histograms of fixed size: from submit to start, and from submit to result.

use hdrhistogram::Histogram;

use crate::task::{Value, now};

/// A minute, in nanoseconds: the last bucket. What takes longer counts as this.
const LONGEST: u64 = 60_000_000_000;
/// The buckets tell times apart that differ by a hundredth.
const DIGITS: u8 = 2;

#[derive(Clone)]
pub(crate) struct Latency {
    pub(crate) start: Histogram<u64>,
    pub(crate) result: Histogram<u64>,
}

impl Latency {
    pub(crate) fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("good bounds");
        Self {
            start: histogram(),
            result: histogram(),
        }
    }

    /// Counts a task whose value has just come.
    pub(crate) fn record(&mut self, value: &Value) {
        self.start.saturating_record(value.wait.max(1));
        let result = now().saturating_sub(value.born);
        self.result.saturating_record(result.max(1));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.start.add(&other.start).expect("equal bounds");
        self.result.add(&other.result).expect("equal bounds");
    }
}
