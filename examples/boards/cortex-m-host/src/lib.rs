//! A host for `slotted` on one Cortex-M core, to be copied or depended on.
//!
//! - A thread sleeps by `wfe` and is woken by `sev`. The permit is the core's event register: `sev` and the return from any
//!   exception set it, `wfe` consumes it, so that no wake-up is lost between the last look and the sleep.
//! - Every exception level counts as a thread of its own: its number is that of the exception.
//! - The clock counts SysTick's interrupts.
//! - [`Workers`] keeps a worker for the super-loop, one for PendSV, which has the lowest priority of all
//!   interrupts, and as many more as the board has interrupts to spare. PendSV is requested whenever a thread is about to sleep, and by
//!   [`tick`]; the others are requested by the board.
#![no_std]

use core::arch::asm;
use core::cell::Cell;
use core::convert::Infallible;

use cortex_m::asm::{sev, wfe};
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use critical_section::Mutex;
use slotted::{Clock, Park, Ran, Spawn, Worker};

/// SysTick's interrupts since [`start_clock`].
static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// The host: one core and its exceptions.
#[derive(Clone, Copy, Debug)]
pub struct CortexM;

impl Park for CortexM {
    /// An event wakes whoever sleeps; there is nobody to tell apart.
    type Thread = ();

    fn current() {}

    fn current_id() -> usize {
        let exception: usize;
        // SAFETY: reads the number of the exception that runs, and touches nothing.
        unsafe { asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags)) };
        exception + 1
    }

    fn park() {
        SCB::set_pendsv();
        wfe();
    }

    fn unpark((): &()) {
        sev();
    }
}

impl Clock for CortexM {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        critical_section::with(|section| TICKS.borrow(section).get())
    }

    /// SysTick ends the sleep before the deadline has passed by a tick.
    fn park_until(_deadline: u64) {
        Self::park();
    }
}

/// Has SysTick interrupt [`Clock::TICKS_PER_SECOND`] times a second.
pub fn start_clock(timer: &mut SYST, core_hertz: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(core_hertz / CortexM::TICKS_PER_SECOND as u32 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// To be called by the handler of SysTick: counts, and has PendSV look for tasks.
pub fn tick() {
    critical_section::with(|section| {
        let ticks = TICKS.borrow(section);
        ticks.set(ticks.get() + 1);
    });
    SCB::set_pendsv();
}

/// The workers: number 0 is the super-loop's, number 1 PendSV's, those from 2 on the board's.
pub struct Workers<const COUNT: usize = 2> {
    places: [Mutex<Cell<Option<Worker<CortexM>>>>; COUNT],
}

/// The place of the super-loop's worker in [`Workers`].
pub const SUPER_LOOP: usize = 0;
/// The place of PendSV's.
pub const PENDSV: usize = 1;

impl<const COUNT: usize> Workers<COUNT> {
    /// No worker yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: [const { Mutex::new(Cell::new(None)) }; COUNT] }
    }

    /// Has a worker run the oldest task, if there is one. To be called by the super-loop and by the handlers of the interrupts, each for its
    /// own.
    pub fn run_one(&self, place: usize) -> Ran {
        let place = &self.places[place];
        // Tasks run outside the critical section.
        let Some(mut worker) = critical_section::with(|section| place.borrow(section).take()) else { return Ran::Left };
        let ran = worker.run_one();
        if ran != Ran::Left {
            critical_section::with(|section| place.borrow(section).set(Some(worker)));
        }
        ran
    }
}

impl<const COUNT: usize> Default for Workers<COUNT> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const COUNT: usize> Spawn<CortexM> for Workers<COUNT> {
    type Error = Infallible;

    /// A worker that nobody asked for is dropped: the executor then has one less.
    fn spawn(&self, worker: Worker<CortexM>) -> Result<(), Infallible> {
        if let Some(place) = self.places.get(worker.index()) {
            drop(critical_section::with(|section| place.borrow(section).replace(Some(worker))));
        }
        Ok(())
    }
}
