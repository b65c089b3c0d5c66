//! The workloads, their columns, and how each runs on any pool.

mod array;
mod cancel;
mod completion;
mod footprint;
mod fork_join;
mod latency;
mod one;
mod scale;
mod stream;
mod wake;

pub use array::{array, array_with};
pub use cancel::cancel;
pub use completion::completion;
pub use footprint::footprint;
pub use fork_join::{CUTOFF, fibonacci, fork_join, fork_join_with};
pub use latency::latency;
pub use one::{one, one_after_pause};
pub use scale::scale;
pub use stream::{several_streams, stream};
pub use wake::wake;

use Better::{Less, More};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    One,
    OneAfterPause,
    Stream,
    SeveralStreams,
    Completion,
    Array,
    ForkJoin,
    Footprint,
    Latency,
    Cancel,
    Wake,
    Scale,
}

pub const WORKLOADS: [Workload; 12] = [
    Workload::One,
    Workload::OneAfterPause,
    Workload::Stream,
    Workload::SeveralStreams,
    Workload::Completion,
    Workload::Array,
    Workload::ForkJoin,
    Workload::Footprint,
    Workload::Latency,
    Workload::Cancel,
    Workload::Wake,
    Workload::Scale,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Less,
    More,
}

/// One figure of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub better: Better,
}

const fn less(name: &'static str) -> Column {
    Column { name, better: Less }
}

const fn more(name: &'static str) -> Column {
    Column { name, better: More }
}

impl Workload {
    pub fn named(name: &str) -> Option<Self> {
        WORKLOADS
            .into_iter()
            .find(|workload| workload.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "W1",
            Self::OneAfterPause => "W1i",
            Self::Stream => "W2",
            Self::SeveralStreams => "W3",
            Self::Completion => "W4",
            Self::Array => "W5",
            Self::ForkJoin => "W6",
            Self::Footprint => "W7",
            Self::Latency => "W8",
            Self::Cancel => "W9",
            Self::Wake => "W10",
            Self::Scale => "W11",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::One => "submit a trivial closure, block on its result, one at a time",
            Self::OneAfterPause => "the same after a pause of 200 µs, in which workers fall asleep",
            Self::Stream => "one submitter keeps 64 or 1024 tasks outstanding",
            Self::SeveralStreams => "2 or 4 submitters keep 64 tasks outstanding each",
            Self::Completion => {
                "1000 tasks of 0 to 5 µs, results in the order of completion: \
                 beyond half the time of a plain loop"
            }
            Self::Array => "out[i] = f(in[i]): a million items, and 1024",
            Self::ForkJoin => "fork-join fib(22), sequential from 10 on: nested submit and wait",
            Self::Footprint => "heap allocations for each task; the process's largest memory",
            Self::Latency => "from submit to start, one task every 20 µs",
            Self::Cancel => "submit and cancel, while the workers are busy",
            Self::Wake => "from a waker's call to the poll, at once and after a pause of 200 µs",
            Self::Scale => "slotted alone: all slots outstanding, by workers and slots",
        }
    }

    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::One | Self::OneAfterPause => const { &[less("ns p50")] },
            Self::Stream => const { &[less("64: ns/task"), less("1024: ns/task")] },
            Self::SeveralStreams => const { &[less("2: ns/task"), less("4: ns/task")] },
            Self::Completion => const { &[less("ns/task")] },
            Self::Array => const { &[more("million: speed-up"), less("1024: µs")] },
            Self::ForkJoin => const { &[less("µs")] },
            Self::Footprint => const { &[less("allocations/task"), less("KiB")] },
            Self::Latency => {
                const {
                    &[
                        less("p50 ns"),
                        less("p99 ns"),
                        less("p99.9 ns"),
                        less("max ns"),
                        less("workers' % of a processor"),
                    ]
                }
            }
            Self::Cancel => const { &[less("ns/cancel")] },
            Self::Wake => const { &[less("ns p50"), less("idle: ns p50")] },
            Self::Scale => {
                const {
                    &[
                        less("16: ns/task"),
                        less("64: ns/task"),
                        less("256: ns/task"),
                        less("1024: ns/task"),
                        less("4096: ns/task"),
                    ]
                }
            }
        }
    }

    /// Returns true if the suite measures slotted in the world of boards too (W12).
    pub const fn is_in_both_worlds(self) -> bool {
        !matches!(self, Self::Scale)
    }
}
