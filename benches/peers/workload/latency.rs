//! W8: how long tasks wait under a steady load, and what the workers' readiness costs.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::Pool;
use crate::processor::time_of_others;
use crate::sample::Figures;
use crate::work::{nanoseconds, quantile};

const INTERVAL: Duration = Duration::from_micros(20);
/// The submitter takes results this many tasks later, so it does not wait for them.
const BEHIND: usize = 512;

pub fn latency<P: Pool>(effort: Effort) -> Figures {
    let pool = P::start();
    let count = effort.of(50_000);
    let mut times: Vec<f64> = Vec::with_capacity(count);
    let (began, busy_before) = (Instant::now(), time_of_others());
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
    let busy = time_of_others()
        .zip(busy_before)
        .map(|(after, before)| after - before);
    let share = busy.map_or(f64::NAN, |busy| {
        100.0 * busy.as_secs_f64() / began.elapsed().as_secs_f64()
    });
    assert_eq!(times.len(), count);
    let quantiles = [0.5, 0.99, 0.999, 1.0].map(|share| quantile(&mut times, share));
    quantiles.into_iter().chain([share]).collect()
}
