//! A host for `slotted` on the cores of a Cortex-M chip, to be copied and changed.
//!
//! - A thread sleeps by `wfe` and is woken by `sev`. The permit is the core's event register:
//!   `sev`, on any core, and the return from any exception set it, `wfe` consumes it, so that no
//!   wake-up is lost between the last look and the sleep.
//! - Every exception level of every core counts as a thread of its own.
//! - The clock counts SysTick's interrupts on core 0.
//! - [`Workers`] keeps the workers. With one core: one for the super-loop, one for PendSV, which
//!   has the lowest priority of all interrupts, and as many more as the board has interrupts to
//!   spare. PendSV is requested whenever a thread is about to sleep, and by [`tick`]; the others
//!   are requested by the board.
//!
//! The critical section is the final binary's choice: `cortex-m` has one for a single core.
#![no_std]

use core::arch::asm;
use core::cell::Cell;
use core::fmt::Debug;
use core::marker::PhantomData;

use cortex_m::asm::{sev, wfe};
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use critical_section::Mutex;
use host_parts::Places;
pub use host_parts::Workers;
use slotted::{Clock, Park};

/// SysTick's interrupts on core 0 since [`start_clock`].
static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// What a host must know about its chip.
pub trait Chip: Copy + Debug + 'static {
    /// Whether PendSV runs a worker, which is to look for tasks now and then.
    const PENDSV_WORKS: bool;

    /// The number of the core that asks, from 0.
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

/// The place of the super-loop's worker in [`Workers`] of a [`SingleCore`].
pub const SUPER_LOOP: usize = 0;
/// The place of PendSV's.
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
    /// An event wakes whoever sleeps; there is nobody to tell apart.
    type Thread = ();

    fn current() {}

    fn current_id() -> usize {
        /// More than there are exceptions.
        const LEVELS: usize = 512;
        let exception: usize;
        // SAFETY: reads the number of the exception that runs, and touches nothing.
        unsafe {
            asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags))
        };
        C::core() * LEVELS + exception + 1
    }

    fn park() {
        Self::request_pendsv();
        wfe();
    }

    fn unpark((): &()) {
        sev();
    }
}

impl<C: Chip> Clock for CortexM<C> {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        critical_section::with(|section| TICKS.borrow(section).get())
    }

    /// SysTick ends the sleep before the deadline has passed by a tick.
    fn park_until(_deadline: u64) {
        Self::park();
    }
}

/// Has SysTick interrupt [`Clock::TICKS_PER_SECOND`] times a second. Each core has a SysTick of its
/// own.
pub fn start_clock(timer: &mut SYST, core_hertz: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(core_hertz / CortexM::<SingleCore>::TICKS_PER_SECOND as u32 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// To be called by the handler of SysTick: counts, and has PendSV look for tasks.
pub fn tick<C: Chip>() {
    if C::core() == 0 {
        critical_section::with(|section| {
            let ticks = TICKS.borrow(section);
            ticks.set(ticks.get() + 1);
        });
    }
    CortexM::<C>::request_pendsv();
}
