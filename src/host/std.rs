//! The desktop's host: std threads and the monotonic clock.

use core::cell::Cell;
use core::time::Duration;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use super::{Clock, Park};

/// Std threads. A thread spins for a microsecond or two, yields for some sixty, then parks with
/// [`std::thread::park`]. If a yield takes long, because other threads want the processor, it parks
/// at once for a while.
///
/// Its clock ticks in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdHost;

/// Rounds of pure spinning, then rounds of yielding, before a thread parks. Together they take
/// about as long as a park and an unpark. So a wait costs at most twice what the better of the two
/// would.
const SPIN_ROUNDS: u32 = 64;
const YIELD_ROUNDS: u32 = 128;
/// A yield that takes longer gave the processor to a thread that wants all of it. No unpark ends a
/// yield, but it ends a park. So the thread then parks at once for so many times.
const LONG_YIELD: Duration = Duration::from_millis(1);
const PARKS_AFTER_A_LONG_YIELD: u32 = 256;

impl Park for StdHost {
    type Thread = thread::Thread;
    type Order = crate::order::Fifo;
    const FAIR: bool = true;
    const KEEPS_TIME: bool = true;

    fn current() -> thread::Thread {
        thread::current()
    }

    #[inline]
    fn current_id() -> usize {
        // A count, not an address: a later thread could have the same address.
        static LAST: Mutex<usize> = Mutex::new(0);
        std::thread_local! {
            static ID: Cell<usize> = const { Cell::new(0) };
        }
        ID.with(|id| {
            if id.get() == 0 {
                let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
                *last += 1;
                id.set(*last);
            }
            id.get()
        })
    }

    fn park() {
        thread::park();
    }

    fn unpark(thread: &thread::Thread) {
        thread.unpark();
    }

    #[inline]
    fn spin(round: u32) -> bool {
        let spins = round < SPIN_ROUNDS;
        if spins {
            core::hint::spin_loop();
        }
        spins
    }

    fn yield_now(round: u32) -> bool {
        std::thread_local! {
            static PARKS: Cell<u32> = const { Cell::new(0) };
        }
        PARKS.with(|parks| {
            if parks.get() > 0 {
                parks.set(parks.get() - 1);
                return false;
            }
            if round == YIELD_ROUNDS {
                return false;
            }
            let before = Instant::now();
            thread::yield_now();
            if before.elapsed() > LONG_YIELD {
                parks.set(PARKS_AFTER_A_LONG_YIELD);
            }
            true
        })
    }
}

impl Clock for StdHost {
    const TICKS_PER_SECOND: u64 = 1_000_000_000;

    fn now() -> u64 {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        // 2^64 ns are 584 years after the first call.
        u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn park_until(deadline: u64) {
        let left = deadline.saturating_sub(Self::now());
        if left > 0 {
            thread::park_timeout(Duration::from_nanos(left));
        }
    }
}
