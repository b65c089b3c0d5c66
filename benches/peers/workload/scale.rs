//! W11: slotted alone, by workers and slots.

use core::hint::black_box;
use std::collections::VecDeque;
use std::time::Instant;

use slotted::{Executor, StdThreads};

use crate::arguments::Effort;
use crate::sample::Figures;
use crate::work::nanoseconds;

/// Measures one row: a figure for each number of slots.
pub fn scale<const WORKERS: usize>(effort: Effort) -> Figures {
    let count = effort.of(100_000);
    vec![
        slots::<WORKERS, 16>(count),
        slots::<WORKERS, 64>(count),
        slots::<WORKERS, 256>(count),
        slots::<WORKERS, 1024>(count),
        slots::<WORKERS, 4096>(count),
    ]
}

fn slots<const WORKERS: usize, const SLOTS: usize>(count: usize) -> f64 {
    let executor = Box::new(Executor::<WORKERS, SLOTS>::new());
    let time = executor.run(&StdThreads::new(), |pool| {
        let run = |count: usize| {
            let mut handles = VecDeque::with_capacity(SLOTS);
            let mut sum = 0;
            let began = Instant::now();
            for number in 0..count as u64 {
                if handles.len() == SLOTS {
                    let oldest: slotted::JoinHandle<'_, u64> =
                        handles.pop_front().expect("there are some");
                    sum += oldest.result().expect("a value");
                }
                handles.push_back(
                    pool.submit(move || black_box(number))
                        .expect("there is room"),
                );
            }
            sum += handles
                .into_iter()
                .map(|handle| handle.result().expect("a value"))
                .sum::<u64>();
            let time = began.elapsed();
            assert_eq!(sum, count as u64 * (count as u64 - 1) / 2);
            nanoseconds(time) / count as f64
        };
        run(count / 10);
        run(count)
    });
    time.expect("threads")
}
