//! The table at the end.

use core::time::Duration;

use hdrhistogram::Histogram;

use crate::arguments::Arguments;
use crate::latency::Latency;
use crate::operations::OPERATIONS;
use crate::progress;
use crate::tally::Tally;

/// What a run has seen.
pub(crate) struct Summary {
    pub(crate) arguments: Arguments,
    pub(crate) took: Duration,
    pub(crate) tally: Tally,
    pub(crate) latency: Latency,
    pub(crate) counts: [u64; OPERATIONS.len()],
    /// What `memory` says.
    pub(crate) memory: String,
}

impl Summary {
    /// Prints it to the standard output stream.
    pub(crate) fn print(&self) {
        let (tally, seconds) = (&self.tally, self.took.as_secs_f64());
        let rate = tally.ended() as f64 / seconds;
        println!("| what | figure |\n| --- | --- |");
        row("seed", self.arguments.seed);
        row("submitters", self.arguments.submitters);
        row("seconds", format_args!("{seconds:.1}"));
        row("lives", progress::lives());
        row("tasks ended", tally.ended());
        row("tasks per second", format_args!("{rate:.0}"));
        row("closures and futures that ran", tally.ran);
        row("that panicked", tally.panicked);
        row("that were cancelled", tally.cancelled);
        row("that were refused", tally.refused);
        let items = &tally.items;
        row(
            "items: ran; panicked; dropped",
            format_args!("{}; {}; {}", items.ran, items.panicked, items.dropped),
        );
        let items = &tally.loose_items;
        row(
            "loose items: ran; panicked; dropped",
            format_args!("{}; {}; {}", items.ran, items.panicked, items.dropped),
        );
        let promises = &tally.promises;
        row(
            "promises: completed; cancelled; broken",
            format_args!(
                "{}; {}; {}",
                promises.completed, promises.cancelled, promises.broken
            ),
        );
        let callbacks = &tally.callbacks;
        row(
            "callbacks: ran; panicked; refused",
            format_args!(
                "{}; {}; {}",
                callbacks.ran, callbacks.panicked, callbacks.refused
            ),
        );
        print_latency("submit to start", &self.latency.start);
        print_latency("submit to result", &self.latency.result);
        row("resident memory", &self.memory);
        for (operation, count) in OPERATIONS.iter().zip(self.counts) {
            row(&format!("operation `{}`", operation.name), count);
        }
    }
}

fn row(what: &str, figure: impl core::fmt::Display) {
    println!("| {what} | {figure} |");
}

fn print_latency(what: &str, histogram: &Histogram<u64>) {
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let [half, most, nearly_all] =
        [0.5, 0.99, 0.999].map(|part| micros(histogram.value_at_quantile(part)));
    row(
        &format!("{what}: p50; p99; p99.9; max, in µs"),
        format_args!(
            "{half:.1}; {most:.1}; {nearly_all:.1}; {:.1}",
            micros(histogram.max())
        ),
    );
}
