//! Sleeping, waking and time, by the core-local interruptor.
//!
//! - A hart sleeps by `wfi` and is woken by its software interrupt. The permit is the CLINT's
//!   `msip` bit of that hart. It is enabled only while the hart sleeps, with interrupts off, so
//!   that it ends the `wfi` and never traps.
//! - The clock is the CLINT's `mtime`. A hart's timer is for its own deadlines, until somebody has
//!   it tick: a periodic interrupt is early enough for any deadline.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, Ordering};

use host_parts::Places;
use riscv::register::{mhartid, mie};
use slotted::{Clock, Park};

use crate::HARTS;

/// Where the CLINT is; each hart's `msip` is the first thing in it.
pub(crate) const CLINT: usize = 0x0200_0000;
const MTIMECMP: usize = 0x4000;
const MTIME: usize = 0xbff8;

/// How long it is from one periodic interrupt to the next.
const PERIOD: u64 = Clint::TICKS_PER_SECOND / 1000;
/// The end of time.
const NEVER: u64 = u64::MAX;

/// Writes a register of the CLINT, after all that was written before.
fn write(offset: usize, value: u32) {
    // SAFETY: orders memory and devices, and touches nothing.
    unsafe { asm!("fence iorw, iorw", options(nostack, preserves_flags)) };
    // SAFETY: the callers name registers of the CLINT, which are not memory to Rust.
    unsafe { with_exposed_provenance_mut::<u32>(CLINT + offset).write_volatile(value) };
    // SAFETY: as above.
    unsafe { asm!("fence iorw, iorw", options(nostack, preserves_flags)) };
}

fn read(offset: usize) -> u32 {
    // SAFETY: the callers name registers of the CLINT, and reading them changes nothing.
    unsafe { with_exposed_provenance_mut::<u32>(CLINT + offset).read_volatile() }
}

fn set_software_interrupt(hart: usize, pending: bool) {
    write(4 * hart, u32::from(pending));
}

/// Has the timer interrupt of a hart pend from `time` on.
fn set_timer(hart: usize, time: u64) {
    let register = MTIMECMP + 8 * hart;
    // Never earlier than meant: the upper half is at its end while the lower half changes.
    write(register + 4, u32::MAX);
    write(register, time as u32);
    write(register + 4, (time >> 32) as u32);
}

/// Which harts are in an interrupt handler.
static INTERRUPTED: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

/// Which harts have a periodic interrupt.
static TICKING: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

/// Gives a hart a periodic interrupt, from now on. Called from any hart, while that one does not
/// wait for a deadline.
pub fn begin_ticking(hart: usize) {
    TICKING[hart].store(true, Ordering::Relaxed); // before the interrupt that looks for it: `write` has fences
    set_timer(hart, 0);
}

/// To be called by the handler of the timer interrupt: if the hart is ticking, calls `handle` with
/// its number, as a thread of its own.
pub fn tick(handle: impl FnOnce(usize)) {
    let hart = mhartid::read();
    // First of all, so that a hart that begins to tick meanwhile is interrupted again.
    set_timer(hart, NEVER);
    if !TICKING[hart].load(Ordering::Relaxed) {
        return; // a deadline, which nobody sleeps for any more
    }
    INTERRUPTED[hart].store(true, Ordering::Relaxed); // read by this hart alone
    set_timer(hart, Clint::now() + PERIOD);
    handle(hart);
    INTERRUPTED[hart].store(false, Ordering::Relaxed); // as above
}

/// To be called by each hart, with interrupts off, before it may be given deadlines.
pub(crate) fn enable_timer() {
    // SAFETY: there is a handler for it.
    unsafe { mie::set_mtimer() };
}

/// Has no timer interrupt come.
pub(crate) fn stop_timer(hart: usize) {
    set_timer(hart, NEVER);
}

/// Sleeps until the software interrupt of this hart pends, or its timer, which `prepare` may set.
fn sleep(prepare: impl FnOnce(usize)) {
    riscv::interrupt::free(|| {
        let hart = mhartid::read();
        prepare(hart);
        // SAFETY: interrupts are off: it ends the `wfi`, but does not trap.
        unsafe { mie::set_msoft() };
        riscv::asm::wfi();
        set_software_interrupt(hart, false);
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
    });
}

/// The host: harts and their CLINT.
#[derive(Clone, Copy, Debug)]
pub struct Clint;

impl Places for Clint {
    fn thread(hart: usize) -> usize {
        hart
    }
}

impl Park for Clint {
    /// The number of a hart.
    type Thread = usize;

    fn current() -> usize {
        mhartid::read()
    }

    fn current_id() -> usize {
        let hart = mhartid::read();
        let interrupted = INTERRUPTED[hart].load(Ordering::Relaxed); // this hart's own store
        1 + hart + if interrupted { HARTS } else { 0 }
    }

    fn park() {
        sleep(|_| ());
    }

    fn unpark(&hart: &usize) {
        set_software_interrupt(hart, true);
    }
}

impl Clock for Clint {
    const TICKS_PER_SECOND: u64 = 10_000_000;

    fn now() -> u64 {
        loop {
            let high = read(MTIME + 4);
            let low = read(MTIME);
            // Bound: the lower half goes over its end once in seven minutes.
            if high == read(MTIME + 4) {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    fn park_until(deadline: u64) {
        sleep(|hart| {
            // The periodic interrupt ends the sleep less than a period after the deadline.
            if !TICKING[hart].load(Ordering::Relaxed) {
                set_timer(hart, deadline);
            }
        });
    }
}
