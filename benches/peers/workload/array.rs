//! W5: a function over an array.

use std::sync::Arc;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::Pool;
use crate::sample::Figures;
use crate::work::{median, nanoseconds, work};

const LARGE: usize = 1_000_000;
const SMALL: usize = 1024;
/// Enough chunks to balance workers of unequal speed.
const LARGE_CHUNK: usize = LARGE / 64;
const SMALL_CHUNK: usize = SMALL / 8;

pub fn array<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    pool.enter(|| {
        array_with(effort, |input, output, chunk| {
            pool.fill(input, output, chunk)
        })
    })
}

/// As [`array`], with any function that fills an array.
pub fn array_with(effort: Effort, fill: impl Fn(&Arc<[u64]>, &mut [u64], usize)) -> Figures {
    let (speed_up, _) = measure(&fill, effort.of(LARGE), LARGE_CHUNK, 1);
    let (_, time) = measure(&fill, SMALL, SMALL_CHUNK, effort.of(200));
    vec![speed_up, time / 1e3]
}

/// The speed-up over a plain loop, and the time itself in ns.
fn measure(
    fill: &impl Fn(&Arc<[u64]>, &mut [u64], usize),
    items: usize,
    chunk: usize,
    rounds: usize,
) -> (f64, f64) {
    let input: Arc<[u64]> = (0..items as u64).collect();
    let (mut expected, mut output) = (vec![0; items], vec![0; items]);
    let (mut plain, mut times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        for (place, &item) in expected.iter_mut().zip(input.iter()) {
            *place = work(item);
        }
        plain.push(nanoseconds(began.elapsed()));
        output.fill(0);
        let began = Instant::now();
        fill(&input, &mut output, chunk);
        times.push(nanoseconds(began.elapsed()));
        assert!(output == expected);
    }
    (median(&mut plain) / median(&mut times), median(&mut times))
}
