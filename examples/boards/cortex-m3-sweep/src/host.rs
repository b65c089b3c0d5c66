//! The host: the thread sleeps until an interrupt wakes it. A sleep without a reason to end fails
//! the sweep.

use core::arch::asm;
use core::cell::Cell;
use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::interrupt::{Mutex, free};
use slotted::{Park, Ran, Spawn, Worker};

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

/// The thread's worker.
pub(crate) const THREAD: usize = 0;
/// The interrupts' worker.
pub(crate) const INTERRUPT: usize = 1;

/// The workers. Their lock is not the critical section under test.
pub(crate) struct Workers {
    places: [Mutex<Cell<Option<Worker<'static, Swept>>>>; 2],
}

pub(crate) static WORKERS: Workers = Workers {
    places: [const { Mutex::new(Cell::new(None)) }; 2],
};

impl Workers {
    /// Takes the worker, if it is here and has not left.
    pub(crate) fn take(&self, place: usize) -> Option<Worker<'static, Swept>> {
        free(|section| self.places[place].borrow(section).take())
    }

    /// Keeps the worker, unless it has left.
    pub(crate) fn put(&self, place: usize, worker: Worker<'static, Swept>, ran: Ran) {
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

impl Spawn<Swept> for Workers {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, Swept>) -> Result<(), Infallible> {
        let place = worker.index();
        self.put(place, worker, Ran::Nothing);
        Ok(())
    }
}
