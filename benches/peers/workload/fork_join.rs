//! W6: tasks that wait for tasks.

use core::hint::black_box;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::ForkJoin;
use crate::sample::Figures;
use crate::work::{median, nanoseconds};

const NUMBER: u64 = 22;
/// Below this number, a plain call does the work.
pub const CUTOFF: u64 = 10;

/// The plain call.
pub fn fibonacci(n: u64) -> u64 {
    if n < 2 {
        n
    } else {
        fibonacci(black_box(n) - 1) + fibonacci(n - 2)
    }
}

pub fn fork_join<P: ForkJoin>(effort: Effort) -> Figures {
    let pool = P::start();
    pool.enter(|| fork_join_with(effort, |n| pool.fibonacci(n)))
}

/// As [`fork_join`], with any function that forks.
pub fn fork_join_with(effort: Effort, mut parallel: impl FnMut(u64) -> u64) -> Figures {
    let expected = fibonacci(NUMBER);
    let mut times = Vec::new();
    for _ in 0..effort.of(300) {
        let began = Instant::now();
        let result = parallel(black_box(NUMBER));
        times.push(nanoseconds(began.elapsed()));
        assert_eq!(result, expected);
    }
    vec![median(&mut times) / 1e3]
}
