//! W2, W3: tasks in flight.

use core::hint::black_box;
use std::collections::VecDeque;
use std::thread;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::Pool;
use crate::sample::Figures;
use crate::work::nanoseconds;

pub fn stream<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    pool.enter(|| {
        [64, 1024]
            .map(|outstanding| {
                keep(&pool, outstanding, effort.of(10_000));
                let count = effort.of(100_000);
                let began = Instant::now();
                keep(&pool, outstanding, count);
                nanoseconds(began.elapsed()) / count as f64
            })
            .to_vec()
    })
}

pub fn several_streams<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    let all = effort.of(100_000);
    [2, 4]
        .map(|submitters| {
            let run = |each| {
                let began = Instant::now();
                thread::scope(|scope| {
                    for _ in 0..submitters {
                        scope.spawn(|| pool.enter(|| keep(&pool, 64, each)));
                    }
                });
                nanoseconds(began.elapsed()) / (each * submitters) as f64
            };
            run(1000);
            run(all / submitters)
        })
        .to_vec()
}

/// Submits `count` tasks and keeps `outstanding` of them unfinished. Checks the sum of their
/// results.
pub fn keep<P: Pool>(pool: &P, outstanding: usize, count: usize) {
    let mut handles = VecDeque::with_capacity(outstanding);
    let mut sum = 0;
    for number in 0..count as u64 {
        if handles.len() == outstanding {
            sum += pool.result(handles.pop_front().expect("there are some"));
        }
        handles.push_back(pool.submit(move || black_box(number)));
    }
    for handle in handles {
        sum += pool.result(handle);
    }
    let count = count as u64;
    assert_eq!(sum, count * (count - 1) / 2);
}
