//! A host for `slotted` on the cores of a Cortex-M chip, to be copied and changed.
//!
//! - Every exception level of every core counts as a thread. How it sleeps, the [`Chip`] says.
//! - The clock is a timer of the chip, without a tick. Its interrupt comes at the dates of the
//!   timetable and of waits, and now and then for the counter's sake: [`CortexM::on_timer`].
//! - [`Workers`] keeps the workers. With one core, the super-loop has one and PendSV has one.
//!   PendSV has the lowest priority of all interrupts. [`Park::ready`] requests it, so that a task
//!   begins as soon as no other interrupt runs. The board may give further workers to spare
//!   interrupts, and requests those itself.
//!
//! The final binary chooses the critical section: `cortex-m` has one for a single core.
#![no_std]

mod dual_timer;
mod nrf_timer;
mod single_core;

use core::arch::asm;
use core::fmt::Debug;
use core::marker::PhantomData;

use cortex_m::asm::isb;
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
pub use host_parts::Workers;
use host_parts::{Places, TicklessClock, Timer};
use slotted::{Clock, Park};

pub use self::dual_timer::DualTimer;
pub use self::nrf_timer::NrfTimer;
pub use self::single_core::SingleCore;

/// The most cores that a chip has.
const CORES: usize = 2;

static CLOCK: TicklessClock<CORES> = TicklessClock::new();

/// What the host must know about the chip.
pub trait Chip: Copy + Debug + 'static {
    /// The timer that is the clock.
    type Timer: Timer;

    /// True if PendSV runs a worker: it is requested when there is work.
    const PENDSV_WORKS: bool;

    /// The number of the calling core, from 0.
    fn core() -> usize;

    /// Calls `prepare`, and sleeps until the calling thread has a permit or an interrupt comes. If
    /// the permit is there, consumes it and does neither.
    fn sleep(prepare: impl FnOnce());

    /// Gives every thread its permit.
    fn wake();
}

/// The place of the super-loop's worker in the [`Workers`] of a [`SingleCore`].
pub const SUPER_LOOP: usize = 0;
/// The place of PendSV's worker.
pub const PENDSV: usize = 1;

/// A line of the interrupt controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line(pub u16);

// SAFETY: a line has one number, always the same.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

/// The number of the running exception; 0 in a thread.
fn exception() -> usize {
    let exception: usize;
    // SAFETY: it reads the number of the running exception, and touches nothing.
    unsafe { asm!("mrs {}, IPSR", out(reg) exception, options(nomem, nostack, preserves_flags)) };
    exception
}

/// The host: cores and their exceptions.
#[derive(Clone, Copy, Debug)]
pub struct CortexM<C>(PhantomData<C>);

/// The host on QEMU's mps2-an385, a Cortex-M3.
pub type Mps2 = CortexM<SingleCore<Mps2Timer>>;
/// The timer of that board, and the line of its interrupt.
pub type Mps2Timer = DualTimer<0x4000_2000, 25_000_000>;
/// As above.
pub const MPS2_TIMER: Line = Line(10);

/// The host on QEMU's microbit, a Cortex-M0.
pub type Microbit = CortexM<SingleCore<NrfTimer>>;
/// The line of its timer's interrupt.
pub const MICROBIT_TIMER: Line = nrf_timer::LINE;

impl<C: Chip> CortexM<C> {
    /// Starts the clock, whose timer runs. Its interrupt is to be enabled on one core.
    pub fn start_clock() {
        CLOCK.start::<C::Timer>();
    }

    /// Does the host's part of the timer's interrupt. The handler calls
    /// [`Timetable::advance`](slotted::Timetable::advance) after it.
    pub fn on_timer() {
        CLOCK.on_interrupt::<C::Timer>();
        C::wake();
    }

    fn request_pendsv() {
        if C::PENDSV_WORKS {
            SCB::set_pendsv();
        }
    }

    /// What is waited for may be that PendSV's worker leaves, or a task from before the start. Both
    /// need PendSV, and no call of [`Park::ready`] requested it. It comes before the sleep, which
    /// its return would end.
    fn sleep(deadline: Option<u64>) {
        Self::request_pendsv();
        isb();
        let core = C::core();
        C::sleep(|| CLOCK.set_deadline::<C::Timer>(core, deadline));
        CLOCK.set_deadline::<C::Timer>(core, None);
    }
}

impl<C: Chip> Places for CortexM<C> {
    fn thread(_place: usize) {}
}

impl<C: Chip> Park for CortexM<C> {
    /// A wake-up is for every sleeping thread, so threads need no names.
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        /// More than there are exceptions.
        const LEVELS: usize = 512;
        C::core() * LEVELS + exception() + 1
    }

    fn park() {
        Self::sleep(None);
    }

    fn unpark((): &()) {
        C::wake();
    }

    /// The super-loop that calls `run_one` may sleep.
    fn ready() {
        Self::request_pendsv();
        C::wake();
    }
}

impl<C: Chip> Clock for CortexM<C> {
    const TICKS_PER_SECOND: u64 = C::Timer::HERTZ;

    fn now() -> u64 {
        CLOCK.now::<C::Timer>()
    }

    fn park_until(deadline: u64) {
        Self::sleep(Some(deadline));
    }

    fn set_alarm(date: Option<u64>) {
        CLOCK.set_alarm::<C::Timer>(date);
    }
}

/// Makes SysTick interrupt each millisecond. It is no clock: boards take it for a device that
/// interrupts. Each core has its own.
pub fn start_systick(timer: &mut SYST, core_hertz: u32) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(core_hertz / 1000 - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}
