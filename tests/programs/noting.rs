//! A host that keeps each step it is told.

use core::marker::PhantomData;

use slotted::{Clock, Fifo, Order, Park, Step};

use crate::told::tell;
use crate::world::look;

/// `P`, and keeps what it is told. If it `LOOKS`, it takes the executor's locks then: a step that
/// is told inside one of them waits for itself. `O` is the order of its executors.
pub(crate) struct Noting<P, const LOOKS: bool = false, O = Fifo>(PhantomData<fn() -> (P, O)>);

impl<P: Park, const LOOKS: bool, O: Order> Park for Noting<P, LOOKS, O> {
    type Thread = P::Thread;
    type Order = O;
    const FAIR: bool = P::FAIR;
    const KEEPS_TIME: bool = P::KEEPS_TIME;

    fn current() -> Self::Thread {
        P::current()
    }

    fn current_id() -> usize {
        P::current_id()
    }

    fn park() {
        P::park();
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

    fn note(step: impl FnOnce() -> Step) {
        tell(step());
        if LOOKS {
            look();
        }
    }
}

impl<P: Clock, const LOOKS: bool, O: Order> Clock for Noting<P, LOOKS, O> {
    const TICKS_PER_SECOND: u64 = P::TICKS_PER_SECOND;

    fn now() -> u64 {
        P::now()
    }

    fn park_until(date: u64) {
        P::park_until(date);
    }
}
