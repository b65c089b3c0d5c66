//! W8: how long tasks wait under a steady load.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::Pool;
use crate::sample::Figures;
use crate::work::{nanoseconds, quantile};

const INTERVAL: Duration = Duration::from_micros(20);
/// Results are taken this much later, so that the submitter does not wait for them.
const BEHIND: usize = 512;

pub fn latency<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    let count = effort.of(50_000);
    let mut times: Vec<f64> = Vec::with_capacity(count);
    pool.enter(|| {
        let mut handles = VecDeque::with_capacity(BEHIND);
        let mut next = Instant::now();
        for _ in 0..count {
            if handles.len() == BEHIND {
                times.push(pool.result(handles.pop_front().expect("there are some")));
            }
            next += INTERVAL;
            while Instant::now() < next {
                core::hint::spin_loop();
            }
            let submitted = Instant::now();
            handles.push_back(pool.submit(move || nanoseconds(submitted.elapsed())));
        }
        times.extend(handles.into_iter().map(|handle| pool.result(handle)));
    });
    assert_eq!(times.len(), count);
    [0.5, 0.99, 0.999, 1.0].map(|share| quantile(&mut times, share)).to_vec()
}
