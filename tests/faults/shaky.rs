//! A host of simulated threads with bad habits, and chance that a seed decides.

use core::marker::PhantomData;

use slotted::{Clock, Fifo, Park, SimHost, Step, sim::SimThread};

/// What a host does instead of what [`SimHost`] does.
pub(crate) trait Habits: 'static {
    fn park() {
        SimHost::park();
    }

    fn park_until(deadline: u64) {
        SimHost::park_until(deadline);
    }

    fn unpark(thread: &SimThread) {
        SimHost::unpark(thread);
    }

    fn now() -> u64 {
        SimHost::now()
    }

    /// Called at each further function of the host, with its name.
    fn pass(function: &'static str) {
        let _ = function;
    }
}

/// A host with these habits.
#[derive(Debug)]
pub(crate) struct Shaky<B>(PhantomData<B>);

impl<B: Habits> Park for Shaky<B> {
    type Thread = SimThread;
    type Order = Fifo;
    const KEEPS_TIME: bool = true;

    fn current() -> SimThread {
        B::pass("current");
        SimHost::current()
    }

    fn current_id() -> usize {
        SimHost::current_id()
    }

    fn park() {
        B::park();
    }

    fn unpark(thread: &SimThread) {
        B::unpark(thread);
    }

    fn ready() {
        B::pass("ready");
        SimHost::ready();
    }

    fn note(step: impl FnOnce() -> Step) {
        B::pass("note");
        SimHost::note(step);
    }

    fn spin(round: u32) -> bool {
        B::pass("spin");
        SimHost::spin(round)
    }

    fn yield_now(round: u32) -> bool {
        B::pass("yield_now");
        SimHost::yield_now(round)
    }
}

impl<B: Habits> Clock for Shaky<B> {
    const TICKS_PER_SECOND: u64 = 1_000_000_000;

    fn now() -> u64 {
        B::now()
    }

    fn park_until(deadline: u64) {
        B::park_until(deadline);
    }

    fn set_alarm(date: Option<u64>) {
        B::pass("set_alarm");
        SimHost::set_alarm(date);
    }
}

/// Numbers that a seed decides: xorshift.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// Returns true in `percent` of a hundred cases.
    pub(crate) fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
