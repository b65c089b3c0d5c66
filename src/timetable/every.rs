//! When the runs of a series are due, and what each of them is told.
#![forbid(unsafe_code)]

use core::time::Duration;

use crate::host::{Clock, ticks};

/// The dates of a series: the first, and the distance between two.
///
/// ```
/// use core::time::Duration;
/// use slotted::Every;
///
/// const CONTROL: Every = Every::new(Duration::from_millis(10));
/// const BLINK: Every = Every::ticks(32_768).first_at(0); // exactly so many ticks
/// # let _ = (CONTROL, BLINK);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until it is given to `submit_every`"]
pub struct Every {
    period: Period,
    first: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Ticks(u64),
    Time(Duration),
}

impl Every {
    /// A run each `period`. The first one is due one period after the submission.
    ///
    /// The period is a whole number of ticks of the host's clock, rounded up. Where that is not
    /// exact, [`ticks`](Self::ticks) says what is meant.
    ///
    /// # Panics
    ///
    /// If `period` is zero; in a `const`, that is a compile error.
    pub const fn new(period: Duration) -> Self {
        assert!(
            !period.is_zero(),
            "slotted: a series needs a period that is not zero"
        );
        Self {
            period: Period::Time(period),
            first: None,
        }
    }

    /// A run each `period` ticks of the host's clock.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    ///
    /// ```
    /// # use slotted::Every;
    /// const EACH_TICK: Every = Every::ticks(1);
    /// # let _ = EACH_TICK;
    /// ```
    pub const fn ticks(period: u64) -> Self {
        assert!(
            period != 0,
            "slotted: a series needs a period that is not zero"
        );
        Self {
            period: Period::Ticks(period),
            first: None,
        }
    }

    /// The first run is due at `tick`.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Clock, Every, StdHost};
    /// let at_once = Every::new(Duration::from_secs(1)).first_at(StdHost::now());
    /// # let _ = at_once;
    /// ```
    pub const fn first_at(self, tick: u64) -> Self {
        Self {
            first: Some(tick),
            ..self
        }
    }

    /// The first date, and the period in ticks.
    pub(super) fn resolve<H: Clock>(self) -> (u64, u64) {
        let period = match self.period {
            Period::Ticks(period) => period,
            Period::Time(period) => ticks::<H>(period),
        };
        let first = self
            .first
            .unwrap_or_else(|| H::now().saturating_add(period));
        (first, period)
    }
}

/// What a run of a series is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Release {
    /// The date of this run, in ticks.
    pub date: u64,
    /// How many ticks after its date it begins.
    pub late: u64,
    /// How many dates passed without a run since the last one: the series was running or queued.
    /// At most `u32::MAX`.
    pub missed: u32,
}

/// The dates `first + n × period` that are still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// The date that the next run stands for.
    point: u64,
    period: u64,
}

impl Grid {
    pub(super) const fn new(first: u64, period: u64) -> Self {
        Self {
            point: first,
            period,
        }
    }

    /// Goes on to the next date that has not passed. Returns how many have.
    pub(super) fn go_on(&mut self, now: u64) -> u32 {
        let next = self.point.saturating_add(self.period);
        let behind = now.saturating_sub(next);
        let missed = if behind == 0 {
            0
        } else {
            behind.div_ceil(self.period)
        };
        self.point = next.saturating_add(missed.saturating_mul(self.period));
        u32::try_from(missed).unwrap_or(u32::MAX)
    }

    /// The date that the next run stands for.
    pub(super) fn point(&self) -> u64 {
        self.point
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The next date, and how many passed before it.
    fn go_on(grid: &mut Grid, now: u64) -> (u64, u32) {
        let missed = grid.go_on(now);
        (grid.point(), missed)
    }

    #[test]
    fn a_date_that_is_now_is_not_missed() {
        let mut grid = Grid::new(10, 10);
        assert_eq!(go_on(&mut grid, 30), (30, 1));
        assert_eq!(go_on(&mut grid, 31), (40, 0));
        assert_eq!(go_on(&mut grid, 61), (70, 2));
    }

    #[test]
    fn a_thousand_million_dates_have_no_drift() {
        let (period, first) = (7, 3);
        let mut grid = Grid::new(first, period);
        let (mut now, mut runs, mut missed) = (first, 1_u64, 0_u64);
        let rounds = if cfg!(miri) { 1000 } else { 1_000_000_u64 };
        for round in 0..rounds {
            // Each run takes another time: from nothing to two thousand periods.
            let passed;
            (now, passed) = go_on(&mut grid, now + (round * 7919) % (2000 * period));
            runs += 1;
            missed += u64::from(passed);
            assert_eq!((now - first) % period, 0);
        }
        assert_eq!((now - first) / period + 1, runs + missed);
        assert!(runs + missed > 900 * rounds);
    }

    #[test]
    fn the_end_of_time_is_a_date_like_another() {
        let mut grid = Grid::new(u64::MAX - 5, 10);
        assert_eq!(go_on(&mut grid, u64::MAX - 3), (u64::MAX, 0));
        assert_eq!(go_on(&mut grid, u64::MAX), (u64::MAX, 0));
        let mut often = Grid::new(0, 1);
        assert_eq!(go_on(&mut often, u64::MAX), (u64::MAX, u32::MAX));
    }
}
