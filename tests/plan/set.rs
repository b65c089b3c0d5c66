//! A set of tasks in small whole numbers, as a plan and as the machine of the tests have it.

use core::time::Duration;

use proptest::prelude::*;
use slotted::plan::{Overhead, Plan, Task};

/// The most tasks of a set.
pub(crate) const MOST: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Series,
    Interrupt,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) level: usize,
    pub(crate) period: u64,
    pub(crate) cost: u64,
    pub(crate) jitter: u64,
}

/// Times are in units of which a plan takes each for a nanosecond.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) tasks: Vec<Entry>,
    /// The lowest levels that workers serve, the most urgent worker first.
    pub(crate) workers: Vec<usize>,
    pub(crate) submit: u64,
    pub(crate) run: u64,
    pub(crate) advance: u64,
    pub(crate) run_of_a_series: u64,
    pub(crate) context: u64,
    pub(crate) section: u64,
}

const NAMES: [&str; MOST] = ["a", "b", "c", "d", "e", "f"];

pub(crate) fn units(units: u64) -> Duration {
    Duration::from_nanos(units)
}

impl Set {
    /// Without overhead.
    pub(crate) fn of(tasks: Vec<Entry>, workers: &[usize]) -> Self {
        Self {
            tasks,
            workers: workers.to_vec(),
            submit: 0,
            run: 0,
            advance: 0,
            run_of_a_series: 0,
            context: 0,
            section: 0,
        }
    }

    pub(crate) fn plan(&self) -> Plan<MOST> {
        let overhead = Overhead::NONE
            .submit(units(self.submit))
            .run(units(self.run))
            .advance(units(self.advance))
            .run_of_a_series(units(self.run_of_a_series))
            .context(units(self.context))
            .section(units(self.section));
        let mut plan = Plan::on(overhead);
        for (entry, name) in self.tasks.iter().zip(NAMES) {
            let task = match entry.kind {
                Kind::Event => Task::event(name),
                Kind::Series => Task::series(name),
                Kind::Interrupt => Task::interrupt(name),
            };
            plan = plan.task(
                task.level(entry.level)
                    .every(units(entry.period))
                    .at_most(units(entry.cost))
                    .jitter(units(entry.jitter)),
            );
        }
        match *self.workers.as_slice() {
            [a] => plan.workers([a]),
            [a, b] => plan.workers([a, b]),
            [a, b, c] => plan.workers([a, b, c]),
            _ => unreachable!("a set has at most three workers"),
        }
    }

    /// What the interrupt of a task takes, and what its worker takes for one job.
    pub(crate) fn costs(&self, task: usize) -> (u64, u64) {
        let Entry { kind, cost, .. } = self.tasks[task];
        match kind {
            Kind::Event => (self.submit + self.context, cost + self.run + self.context),
            Kind::Series => (
                self.advance + self.context,
                cost + self.run_of_a_series + self.context,
            ),
            Kind::Interrupt => (cost, 0),
        }
    }
}

fn workers() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        3 => Just(vec![0]),
        2 => Just(vec![2, 0]),
        1 => Just(vec![1, 0]),
        2 => Just(vec![3, 1, 0]),
        1 => Just(vec![3, 2, 0]),
    ]
}

fn entry(with_jitter: bool) -> impl Strategy<Value = (Entry, u64)> {
    let kind = prop_oneof![
        5 => Just(Kind::Event),
        3 => Just(Kind::Series),
        1 => Just(Kind::Interrupt),
    ];
    let jitter = if with_jitter { 0..40_u64 } else { 0..1 };
    // The weight is the task's share of the processor's time.
    (kind, 0..4_usize, 8..100_u64, jitter, 1..10_u64).prop_map(
        |(kind, level, period, jitter, weight)| {
            let entry = Entry {
                kind,
                level,
                period,
                cost: 1,
                jitter,
            };
            (entry, weight)
        },
    )
}

/// Sets that take from a third to all of the processor's time.
pub(crate) fn sets(with_overhead: bool, with_jitter: bool) -> impl Strategy<Value = Set> {
    let most: u64 = if with_overhead { 3 } else { 1 };
    (
        proptest::collection::vec(entry(with_jitter), 1..=MOST),
        workers(),
        30..100_u64,
        (0..most, 0..most, 0..most, 0..most, 0..most),
        if with_overhead { 0..6_u64 } else { 0..1 },
    )
        .prop_map(|(weighted, workers, percent, overhead, section)| {
            let (submit, run, advance, run_of_a_series, context) = overhead;
            let sum: u64 = weighted.iter().map(|(_, weight)| weight).sum();
            let mut set = Set {
                submit,
                run,
                advance,
                run_of_a_series,
                context,
                section,
                ..Set::of(weighted.iter().map(|(entry, _)| *entry).collect(), &workers)
            };
            for (index, (entry, weight)) in weighted.iter().enumerate() {
                let share = entry.period * percent * weight / (100 * sum);
                // The overhead is in the share, as far as it fits.
                let (release, job) = set.costs(index);
                let around = if entry.kind == Kind::Interrupt {
                    0
                } else {
                    release + job - 1
                };
                set.tasks[index].cost = share.saturating_sub(around).max(1);
            }
            set
        })
}
