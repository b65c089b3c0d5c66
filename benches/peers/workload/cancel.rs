//! W9: tasks that the submitter cancels.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Instant;

use crate::arguments::Effort;
use crate::pool::{Cancel, WORKERS};
use crate::sample::Figures;
use crate::work::{median, nanoseconds};

/// Tasks that the submitter submits and cancels while the workers are busy. Some peers keep a
/// cancelled task until a worker takes it from the queue.
const BATCH: usize = 500;

pub fn cancel<P: Cancel>(effort: Effort) -> Figures {
    let pool = P::start();
    let ran = Arc::new(AtomicUsize::new(0));
    let mut times = Vec::new();
    pool.enter(|| {
        for _ in 0..effort.of(100) {
            let (busy, open) = (
                Arc::new(Barrier::new(WORKERS + 1)),
                Arc::new(Barrier::new(WORKERS + 1)),
            );
            let gates: Vec<_> = (0..WORKERS)
                .map(|_| {
                    let (busy, open) = (Arc::clone(&busy), Arc::clone(&open));
                    pool.submit(move || {
                        busy.wait();
                        open.wait();
                    })
                })
                .collect();
            busy.wait();
            let began = Instant::now();
            for _ in 0..BATCH {
                let ran = Arc::clone(&ran);
                let handle = pool.submit(move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                });
                pool.cancel(handle);
            }
            times.push(nanoseconds(began.elapsed()) / BATCH as f64);
            open.wait();
            gates.into_iter().for_each(|gate| pool.result(gate));
        }
    });
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    vec![median(&mut times)]
}
