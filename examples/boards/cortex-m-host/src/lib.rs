//! A host for `slotted` on the cores of a Cortex-M chip, to be copied and changed.
//!
//! - A thread sleeps by `wfe`; `sev` wakes it. The permit is the core's event register. `sev` on
//!   any core sets it, and so does the return from any exception. `wfe` consumes it, so no wake-up
//!   is lost between the last look and the sleep.
//! - Every exception level of every core counts as a thread.
//! - The clock counts SysTick's interrupts on core 0.
//! - [`Workers`] keeps the workers. With one core, the super-loop has one and PendSV has one.
//!   PendSV has the lowest priority of all interrupts. [`Park::ready`] requests it, so that a task
//!   begins as soon as no other interrupt runs. The board may give further workers to spare
//!   interrupts, and requests those itself.
//!
//! The final binary chooses the critical section: `cortex-m` has one for a single core.
#![no_std]

use core::arch::asm;
use core::cell::Cell;
use core::fmt::Debug;
use core::marker::PhantomData;

use cortex_m::asm::{dsb, sev, wfe};
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use critical_section::Mutex;
use host_parts::Places;
pub use host_parts::Workers;
use slotted::{Clock, Park};

/// SysTick's interrupts on core 0 since [`start_clock`].
static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// What the host must know about the chip.
pub trait Chip: Copy + Debug + 'static {
    /// True if PendSV runs a worker: it is requested when there is work.
    const PENDSV_WORKS: bool;

    /// The number of the calling core, from 0.
    fn core() -> usize;
}

/// One core, whose super-loop and PendSV run workers.
#[derive(Clone, Copy, Debug)]
pub struct SingleCore;

impl Chip for SingleCore {
    const PENDSV_WORKS: bool = true;

    fn core() -> usize {
        0
    }
}

/// The place of the super-loop's worker in the [`Workers`] of a [`SingleCore`].
pub const SUPER_LOOP: usize = 0;
/// The place of PendSV's worker.
pub const PENDSV: usize = 1;

/// The host: cores and their exceptions.
#[derive(Clone, Copy, Debug)]
pub struct CortexM<C: Chip = SingleCore>(PhantomData<C>);

impl<C: Chip> CortexM<C> {
    fn request_pendsv() {
        if C::PENDSV_WORKS {
            SCB::set_pendsv();
        }
    }
}

impl<C: Chip> Places for CortexM<C> {
    fn thread(_place: usize) {}
}

impl<C: Chip> Park for CortexM<C> {
    /// An event wakes every sleeping thread, so threads need no names.
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        /// More than there are exceptions.
        const LEVELS: usize = 512;
        let exception: usize;
        // SAFETY: it reads the number of the running exception, and touches nothing.
        unsafe {
            asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags))
        };
        C::core() * LEVELS + exception + 1
    }

    /// What is waited for may be that PendSV's worker leaves, or a task from before the start. Both
    /// need PendSV, and no call of [`Park::ready`] requested it.
    fn park() {
        Self::request_pendsv();
        wfe();
    }

    fn unpark((): &()) {
        // A core that the event wakes sees what was written before it.
        dsb();
        sev();
    }

    fn ready() {
        Self::request_pendsv();
    }
}

impl<C: Chip> Clock for CortexM<C> {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        critical_section::with(|section| TICKS.borrow(section).get())
    }

    /// SysTick ends the sleep before the deadline is one tick in the past.
    fn park_until(_deadline: u64) {
        Self::park();
    }
}

/// Makes SysTick interrupt [`Clock::TICKS_PER_SECOND`] times a second. Each core has its own
/// SysTick.
pub fn start_clock(timer: &mut SYST, core_hertz: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(core_hertz / CortexM::<SingleCore>::TICKS_PER_SECOND as u32 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Counts a tick. The handler of SysTick calls it.
pub fn tick<C: Chip>() {
    if C::core() == 0 {
        critical_section::with(|section| {
            let ticks = TICKS.borrow(section);
            ticks.set(ticks.get() + 1);
        });
    }
}
