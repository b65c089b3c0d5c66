//! W1, W1i: a task at a time.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::Pool;
use crate::sample::Figures;
use crate::work::{median, nanoseconds, spin};

pub const PAUSE: Duration = Duration::from_micros(200);

pub fn one<P: Pool>(effort: Effort) -> Figures {
    measure::<P>(effort.of(200), effort.of(4000), Duration::ZERO)
}

pub fn one_after_pause<P: Pool>(effort: Effort) -> Figures {
    measure::<P>(5, effort.of(400), PAUSE)
}

fn measure<P: Pool>(warm_up: usize, count: usize, pause: Duration) -> Figures {
    let pool = P::start();
    pool.enter(|| {
        let mut times = Vec::with_capacity(warm_up + count);
        for number in 0..(warm_up + count) as u64 {
            spin(pause);
            let began = Instant::now();
            let handle = pool.submit(move || black_box(number) + 1);
            let result = pool.result(handle);
            times.push(nanoseconds(began.elapsed()));
            assert_eq!(result, number + 1);
        }
        vec![median(&mut times[warm_up..])]
    })
}
