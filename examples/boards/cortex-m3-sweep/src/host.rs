//! The host: the thread sleeps until an interrupt wakes it. A sleep without a reason to end fails
//! the sweep.

use core::arch::asm;
use core::cell::Cell;
use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m::interrupt::{Mutex, free};
use slotted::{Clock, Levels, Ordered, Park, Ran, Spawn, Worker};

use crate::shot;

/// The permit of the thread, the only one that parks.
pub(crate) static PERMIT: AtomicBool = AtomicBool::new(false);

/// One core. A thread that sleeps requests PendSV. PendSV checks that the thread has a reason to
/// sleep, and ends the sleep.
pub(crate) struct Swept;

impl Park for Swept {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        let exception: usize;
        // SAFETY: it reads the number of the running exception, and touches nothing.
        unsafe {
            asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags))
        };
        exception + 1
    }

    fn park() {
        // Bound: PendSV gives the permit or panics.
        while !PERMIT.swap(false, Ordering::Relaxed) {
            shot::pend();
        }
    }

    fn unpark((): &()) {
        PERMIT.store(true, Ordering::Relaxed);
    }
}

/// The same core, with levels.
pub(crate) type SweptLevels = Ordered<Swept, Levels<3>>;

/// The time of tasks with dates, which only a scene moves.
static CLOCK: AtomicU32 = AtomicU32::new(0);
/// The date of the alarm, or `NO_ALARM`.
static ALARM: AtomicU32 = AtomicU32::new(NO_ALARM);
const NO_ALARM: u32 = u32::MAX;

pub(crate) fn set_clock(ticks: u32) {
    CLOCK.store(ticks, Ordering::Relaxed);
}

pub(crate) fn alarm() -> Option<u64> {
    let date = ALARM.load(Ordering::Relaxed);
    (date != NO_ALARM).then_some(date.into())
}

impl Clock for Swept {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        CLOCK.load(Ordering::Relaxed).into()
    }

    fn park_until(_: u64) {
        Self::park();
    }

    fn set_alarm(date: Option<u64>) {
        // The dates of the scenes are small.
        ALARM.store(date.map_or(NO_ALARM, |date| date as u32), Ordering::Relaxed);
    }
}

/// The thread's worker.
pub(crate) const THREAD: usize = 0;
/// The interrupts' worker.
pub(crate) const INTERRUPT: usize = 1;

/// The workers. Their lock is not the critical section under test.
pub(crate) struct Workers<H: Park + 'static> {
    places: [Mutex<Cell<Option<Worker<'static, H>>>>; 2],
}

pub(crate) static WORKERS: Workers<Swept> = Workers::new();
pub(crate) static LEVEL_WORKERS: Workers<SweptLevels> = Workers::new();

impl<H: Park> Workers<H> {
    const fn new() -> Self {
        Self {
            places: [const { Mutex::new(Cell::new(None)) }; 2],
        }
    }

    /// Takes the worker, if it is here and has not left.
    pub(crate) fn take(&self, place: usize) -> Option<Worker<'static, H>> {
        free(|section| self.places[place].borrow(section).take())
    }

    /// Keeps the worker, unless it has left.
    pub(crate) fn put(&self, place: usize, worker: Worker<'static, H>, ran: Ran) {
        if ran != Ran::Left {
            free(|section| self.places[place].borrow(section).set(Some(worker)));
        }
    }

    /// Makes a worker run the oldest task.
    pub(crate) fn run_one(&self, place: usize) -> Ran {
        let Some(mut worker) = self.take(place) else {
            return Ran::Left;
        };
        let ran = worker.run_one();
        self.put(place, worker, ran);
        ran
    }
}

impl<H: Park> Spawn<H> for Workers<H> {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), Infallible> {
        let place = worker.index();
        self.put(place, worker, Ran::Nothing);
        Ok(())
    }
}
