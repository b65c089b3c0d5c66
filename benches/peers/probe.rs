//! Measures how far apart the processors are now: the round trip of a cache line between two
//! threads.
//!
//! Virtual machines move their processors, and other programs take them. A sample taken then says
//! little about a peer.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::work::{median, nanoseconds};

const BATCHES: usize = 15;
const TRIPS: usize = 64;
/// Bounds a measurement while other programs have a processor. It then has fewer batches, since a
/// trip takes as long as the scheduler runs the others.
const BOUND: Duration = Duration::from_millis(10);
/// A value that is never the number of a trip.
const END: usize = usize::MAX;

/// Nanoseconds of a round trip: the median of a few batches.
pub fn round_trip() -> f64 {
    let ball = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = 0;
            while last != END {
                last = wait_for(&ball, |number| {
                    number != last && (number == END || number % 2 == 1)
                });
                // After `END` no thread reads the ball.
                if last != END {
                    ball.store(last + 1, Ordering::Release);
                }
            }
        });
        let mut batches = Vec::with_capacity(BATCHES);
        let (mut trip, began) = (0, Instant::now());
        while batches.len() < BATCHES && (batches.is_empty() || began.elapsed() < BOUND) {
            let (first, began_batch) = (trip, Instant::now());
            for _ in 0..TRIPS {
                ball.store(2 * trip + 1, Ordering::Release);
                wait_for(&ball, |number| number == 2 * trip + 2);
                trip += 1;
                // Reads the clock every 16 trips only: a reading takes as long as a trip.
                if trip % 16 == 0 && began.elapsed() > BOUND {
                    break;
                }
            }
            batches.push(nanoseconds(began_batch.elapsed()) / (trip - first) as f64);
        }
        ball.store(END, Ordering::Release);
        median(&mut batches)
    })
}

fn wait_for(ball: &AtomicUsize, wanted: impl Fn(usize) -> bool) -> usize {
    let mut looks = 0_u32;
    loop {
        let number = ball.load(Ordering::Acquire);
        if wanted(number) {
            return number;
        }
        looks += 1;
        // If both threads share a processor, the other thread needs it now.
        if looks.is_multiple_of(4096) {
            thread::yield_now()
        } else {
            core::hint::spin_loop()
        }
    }
}
