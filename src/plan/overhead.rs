//! What the executor itself takes, for each run.
#![forbid(unsafe_code)]

use core::time::Duration;

use super::task::nanoseconds;

/// What the executor's own code takes on a core, in instructions.
///
/// Each is about a tenth more than the largest figure of the page on costs: those are maxima that
/// were observed, not proved. A program with two executors, whose compiler inlines less, and an
/// empty look at the queue are in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    submit: u64,
    run: u64,
    advance: u64,
    run_of_a_series: u64,
    context: u64,
    section: u64,
}

impl Cost {
    /// A Cortex-M3, built with `opt-level = "s"` and fat LTO, with timetables of at most 8 timers.
    ///
    /// [`Overhead::context`] is that of interrupts: 24 cycles, by the core's manual, and the
    /// handler's prologue.
    pub const CORTEX_M3: Self = Self {
        submit: 190,
        run: 310,
        advance: 520,
        run_of_a_series: 840,
        context: 40,
        section: 250,
    };

    /// As [`CORTEX_M3`](Self::CORTEX_M3), with timetables of at most 64 timers.
    pub const CORTEX_M3_WITH_64_TIMERS: Self = Self {
        advance: 670,
        run_of_a_series: 930,
        section: 460,
        ..Self::CORTEX_M3
    };

    /// The times at a clock of `mhz` MHz, with two cycles an instruction: more than the core needs
    /// from memory without wait states. For slower memory: [`at`](Self::at).
    ///
    /// # Panics
    ///
    /// If `mhz` is zero.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::plan::{Cost, Overhead};
    ///
    /// const OVERHEAD: Overhead = Cost::CORTEX_M3.at_mhz(64);
    /// # let _ = OVERHEAD;
    /// ```
    pub const fn at_mhz(self, mhz: u32) -> Overhead {
        self.at(mhz, 2)
    }

    /// The times at a clock of `mhz` MHz, with that many cycles an instruction at most.
    ///
    /// # Panics
    ///
    /// If `mhz` is zero.
    ///
    /// ```
    /// # use slotted::plan::{Cost, Overhead};
    /// // Flash with two wait states.
    /// const OVERHEAD: Overhead = Cost::CORTEX_M3.at(72, 4);
    /// # let _ = OVERHEAD;
    /// ```
    pub const fn at(self, mhz: u32, cycles_per_instruction: u32) -> Overhead {
        assert!(mhz != 0, "plan: a clock stands still at 0 MHz");
        let (mhz, cycles) = (mhz as u64, cycles_per_instruction as u64);
        Overhead {
            submit: (self.submit * cycles * 1000).div_ceil(mhz),
            run: (self.run * cycles * 1000).div_ceil(mhz),
            advance: (self.advance * cycles * 1000).div_ceil(mhz),
            run_of_a_series: (self.run_of_a_series * cycles * 1000).div_ceil(mhz),
            context: (self.context * cycles * 1000).div_ceil(mhz),
            section: (self.section * cycles * 1000).div_ceil(mhz),
        }
    }
}

/// What executor and host take on a core, in time.
///
/// [`Cost`] has the figures of a Cortex-M3. For another core, or another host, each can be set.
///
/// ```
/// use core::time::Duration;
/// use slotted::plan::{Cost, Overhead};
///
/// // Workers are tasks of an RTOS, whose kernel turns interrupts off for at most 9 microseconds.
/// const RTOS: Overhead = Cost::CORTEX_M3
///     .at_mhz(64)
///     .context(Duration::from_micros(12))
///     .section(Duration::from_micros(9));
/// # let _ = RTOS;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a plan has it"]
pub struct Overhead {
    /// All in nanoseconds.
    pub(super) submit: u64,
    pub(super) run: u64,
    pub(super) advance: u64,
    pub(super) run_of_a_series: u64,
    pub(super) context: u64,
    pub(super) section: u64,
}

impl Overhead {
    /// Nothing takes time but the tasks: for simulations, and to begin with.
    pub const NONE: Self = Self {
        submit: 0,
        run: 0,
        advance: 0,
        run_of_a_series: 0,
        context: 0,
        section: 0,
    };

    /// One `submit`, by an interrupt.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn submit(mut self, time: Duration) -> Self {
        self.submit = nanoseconds(time);
        self
    }

    /// All that a worker does around one closure, and taking or dropping its result.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn run(mut self, time: Duration) -> Self {
        self.run = nanoseconds(time);
        self
    }

    /// One `advance` of the timetable that finds one task due.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn advance(mut self, time: Duration) -> Self {
        self.advance = nanoseconds(time);
        self
    }

    /// All that a worker does around one run of a series, arming the next date included.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn run_of_a_series(mut self, time: Duration) -> Self {
        self.run_of_a_series = nanoseconds(time);
        self
    }

    /// Entering a context and leaving it again: an interrupt, or a thread of an RTOS. It counts
    /// twice for each task: for the interrupt that submits it, and for the worker that runs it.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn context(mut self, time: Duration) -> Self {
        self.context = nanoseconds(time);
        self
    }

    /// The longest time for which any code on this core holds up a more urgent context: the
    /// executor's sections, those of tasks, and those of an RTOS.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn section(mut self, time: Duration) -> Self {
        self.section = nanoseconds(time);
        self
    }
}

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::path::Path;
    use std::string::String;

    use super::*;

    /// The figures of the emulated board, by their names.
    fn figures() -> HashMap<String, u64> {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/boards/budgets/budgets.txt");
        let text = fs::read_to_string(file).expect("the figures are there");
        let lines = text
            .lines()
            .filter_map(|line| line.strip_suffix(" instructions"));
        let figures = lines.filter_map(|line| line.rsplit_once(" = "));
        figures
            .map(|(name, figure)| (name.into(), figure.parse().expect("a number")))
            .collect()
    }

    /// Not below the figures of this release, and not so far above that they say nothing.
    #[test]
    fn the_costs_cover_the_figures_of_the_board() {
        let figures = figures();
        let figure = |name: &str| *figures.get(name).unwrap_or_else(|| panic!("no `{name}`"));
        // What a second executor in the program adds to a round trip may fall on any part of it.
        let two = figure("submit, run_one, result, with two executors")
            - figure("submit, run_one, result");
        let empty_look = figure("run_one with nothing to do");
        let run = figure("submit, Worker::run_one, result") - figure("submit alone");
        // A step of the timers' heap; a table of 8 has 3, one of 64 has 6.
        let step = (figure("submit_at, before 63 others") - figure("submit_at, before 7 others"))
            .div_ceil(3);
        let series = figure("a run of a series: advance and run_one");
        let sections = |timetable: &str| {
            let other = figure("the longest, with 64 slots");
            figure(timetable).max(other)
        };
        let few = Cost::CORTEX_M3;
        let many = Cost::CORTEX_M3_WITH_64_TIMERS;
        let pairs = [
            ("submit", few.submit, figure("submit alone") + two),
            ("run", few.run, run + two + empty_look),
            (
                "advance, 8",
                few.advance,
                figure("advance with one due, before 7 others") + two,
            ),
            (
                "advance, 64",
                many.advance,
                figure("advance with one due, before 63 others") + two,
            ),
            (
                "series, 8",
                few.run_of_a_series,
                series + 3 * step + two + empty_look,
            ),
            (
                "series, 64",
                many.run_of_a_series,
                series + 6 * step + two + empty_look,
            ),
            ("section, 8", few.section, sections("a timetable of 8")),
            ("section, 64", many.section, sections("a timetable of 64")),
        ];
        for (name, cost, figure) in pairs {
            assert!(cost >= figure, "{name}: {cost} is below {figure}");
            assert!(
                cost <= figure * 3 / 2,
                "{name}: {cost} is far above {figure}"
            );
        }
        assert_eq!((many.submit, many.run), (few.submit, few.run));
    }

    #[test]
    fn times_are_rounded_up() {
        let cost = Cost {
            submit: 190,
            ..Cost::CORTEX_M3
        };
        // 190 × 3 / 64 MHz = 8906.25 ns.
        assert_eq!(cost.at(64, 3).submit, 8907);
        assert_eq!(Cost::CORTEX_M3.at(64, 2), Cost::CORTEX_M3.at_mhz(64));
    }
}
