//! A host whose park returns early.

use core::cell::Cell;
use core::marker::PhantomData;

use slotted::{Clock, Fifo, Park};

use crate::world::thread;

/// `P`, but every second park of a thread returns at once, and leaves the permit where it is.
pub(crate) struct Early<P>(PhantomData<fn() -> P>);

#[cfg(not(shuttle))]
std::thread_local! {
    static PARKS: Cell<bool> = const { Cell::new(false) };
}

#[cfg(shuttle)]
shuttle::thread_local! {
    static PARKS: Cell<bool> = Cell::new(false);
}

/// Returns true if this park of the thread sleeps.
fn sleeps() -> bool {
    PARKS.with(|parks| {
        let sleeps = parks.get();
        parks.set(!sleeps);
        sleeps
    })
}

impl<P: Park> Park for Early<P> {
    type Thread = P::Thread;
    type Order = Fifo;
    const FAIR: bool = P::FAIR;
    const KEEPS_TIME: bool = P::KEEPS_TIME;

    fn current() -> Self::Thread {
        P::current()
    }

    fn current_id() -> usize {
        P::current_id()
    }

    fn park() {
        if sleeps() {
            P::park();
        } else {
            thread::yield_now();
        }
    }

    fn unpark(thread: &Self::Thread) {
        P::unpark(thread);
    }

    fn ready() {
        P::ready();
    }

    fn spin(round: u32) -> bool {
        P::spin(round)
    }

    fn yield_now(round: u32) -> bool {
        P::yield_now(round)
    }
}

impl<P: Clock> Clock for Early<P> {
    const TICKS_PER_SECOND: u64 = P::TICKS_PER_SECOND;

    fn now() -> u64 {
        P::now()
    }

    fn park_until(date: u64) {
        if sleeps() {
            P::park_until(date);
        } else {
            thread::yield_now();
        }
    }
}
