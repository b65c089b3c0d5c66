//! W10: how soon a worker polls a woken future.

use core::future::poll_fn;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use futures::task::AtomicWaker;

use crate::arguments::Effort;
use crate::pool::Polls;
use crate::sample::Figures;
use crate::work::{median, spin};
use crate::workload::one::PAUSE;

/// Connects the thread that calls the waker with the future.
struct Bell {
    began: Instant,
    waker: AtomicWaker,
    /// When the caller rang, in nanoseconds after `began`. 0: it has not rung since the last
    /// answer.
    rung: AtomicU64,
    answers: AtomicU64,
    /// The delay of the last answer, in ns.
    delay: AtomicU64,
}

impl Bell {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

pub fn wake<P: Polls>(effort: Effort) -> Figures {
    let pool = P::start();
    pool.enter(|| {
        [(4000, Duration::from_micros(1)), (400, PAUSE)]
            .map(|(count, pause)| median(&mut delays(&pool, effort.of(count) as u64, pause)))
            .to_vec()
    })
}

/// Pauses before each call of the waker and measures the time until the poll.
fn delays<P: Polls>(pool: &P, count: u64, pause: Duration) -> Vec<f64> {
    let bell = Arc::new(Bell {
        began: Instant::now(),
        waker: AtomicWaker::new(),
        rung: AtomicU64::new(0),
        answers: AtomicU64::new(0),
        delay: AtomicU64::new(0),
    });
    let hears = Arc::clone(&bell);
    let handle = pool.spawn(poll_fn(move |context| {
        let polled = hears.now();
        hears.waker.register(context.waker());
        match hears.rung.swap(0, Ordering::AcqRel) {
            0 => Poll::Pending,
            rung => {
                hears
                    .delay
                    .store(polled.saturating_sub(rung), Ordering::Relaxed);
                // Release: publishes the delay.
                let answers = hears.answers.fetch_add(1, Ordering::Release) + 1;
                if answers == count {
                    Poll::Ready(answers)
                } else {
                    Poll::Pending
                }
            }
        }
    }));
    let delays = (1..=count)
        .map(|number| {
            spin(pause);
            bell.rung.store(bell.now().max(1), Ordering::Release);
            bell.waker.wake();
            let mut looks = 0_u32;
            while bell.answers.load(Ordering::Acquire) < number {
                looks += 1;
                // The worker may need this processor now.
                if looks.is_multiple_of(4096) {
                    thread::yield_now()
                } else {
                    core::hint::spin_loop()
                }
            }
            bell.delay.load(Ordering::Relaxed) as f64
        })
        .collect();
    assert_eq!(pool.result(handle), count);
    delays
}
