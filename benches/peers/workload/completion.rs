//! W4: results in the order of completion.

use core::hint::black_box;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::{Pool, WORKERS};
use crate::sample::Figures;
use crate::work::{chain, median, nanoseconds, random};

const TASKS: usize = 1000;
/// Rounds of about 2 ns: 5 µs.
const LONGEST: u64 = 2500;

pub fn completion<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    let lengths: Vec<u32> = (0..TASKS as u64)
        .map(|seed| (random(seed) % LONGEST) as u32)
        .collect();
    let (mut plain, mut times) = (Vec::new(), Vec::new());
    pool.enter(|| {
        for _ in 0..effort.of(20) {
            let began = Instant::now();
            let expected = lengths.iter().fold(0, |sum: u64, &steps| {
                sum.wrapping_add(chain(black_box(7), steps))
            });
            plain.push(nanoseconds(began.elapsed()));

            let tasks = lengths
                .iter()
                .map(|&steps| move || chain(black_box(7), steps))
                .collect();
            let (mut sum, mut count) = (0_u64, 0);
            let began = Instant::now();
            pool.each_completed(tasks, |result| {
                sum = sum.wrapping_add(result);
                count += 1;
            });
            times.push(nanoseconds(began.elapsed()));
            assert_eq!((sum, count), (expected, TASKS));
        }
    });
    vec![(median(&mut times) - median(&mut plain) / WORKERS as f64) / TASKS as f64]
}
