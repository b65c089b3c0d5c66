//! Sleep, wake-ups and time, by the core-local interruptor (CLINT).
//!
//! - A hart sleeps by `wfi`; its software interrupt wakes it. The permit is the hart's `msip` bit
//!   in the CLINT. The hart enables that interrupt only while it sleeps, with interrupts off. So it
//!   ends the `wfi` and never traps.
//! - The clock is the CLINT's `mtime`. A hart's timer serves its own deadlines, or ticks after
//!   [`begin_ticking`]. A periodic interrupt is early enough for any deadline.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, Ordering};

use host_parts::Places;
use riscv::register::{mhartid, mie};
use slotted::{Clock, Park};

use crate::HARTS;

/// The address of the CLINT, which begins with each hart's `msip`.
pub(crate) const CLINT: usize = 0x0200_0000;
const MTIMECMP: usize = 0x4000;
const MTIME: usize = 0xbff8;

/// The time between two periodic interrupts.
const PERIOD: u64 = Clint::TICKS_PER_SECOND / 1000;
/// The largest time, which never comes.
const NEVER: u64 = u64::MAX;

/// Writes a register of the CLINT, after all earlier writes.
fn write(offset: usize, value: u32) {
    // SAFETY: it orders memory and devices, and touches nothing.
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

/// Makes the timer interrupt of a hart pend from `time` on.
fn set_timer(hart: usize, time: u64) {
    let register = MTIMECMP + 8 * hart;
    // It never pends too early: the upper half is at its maximum while the lower half changes.
    write(register + 4, u32::MAX);
    write(register, time as u32);
    write(register + 4, (time >> 32) as u32);
}

/// True for each hart in an interrupt handler.
static INTERRUPTED: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

/// True for each hart with a periodic interrupt.
static TICKING: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

/// Starts a hart's periodic interrupt. Any hart may call it while that hart does not wait for a
/// deadline.
pub fn begin_ticking(hart: usize) {
    // Relaxed: `write` has fences, so the interrupt comes after the store.
    TICKING[hart].store(true, Ordering::Relaxed);
    set_timer(hart, 0);
}

/// If the hart ticks, calls `handle` with its number, as a separate thread. The handler of the
/// timer interrupt calls it.
pub fn tick(handle: impl FnOnce(usize)) {
    let hart = mhartid::read();
    // This comes first, so a concurrent `begin_ticking` interrupts the hart again.
    set_timer(hart, NEVER);
    if !TICKING[hart].load(Ordering::Relaxed) {
        return; // a past deadline, whose waiter is awake
    }
    INTERRUPTED[hart].store(true, Ordering::Relaxed); // only this hart reads it
    set_timer(hart, Clint::now() + PERIOD);
    handle(hart);
    INTERRUPTED[hart].store(false, Ordering::Relaxed); // as above
}

/// Enables the timer interrupt. Each hart calls it with interrupts off, before its first deadline.
pub(crate) fn enable_timer() {
    // SAFETY: the interrupt has a handler.
    unsafe { mie::set_mtimer() };
}

/// Stops a hart's timer interrupt.
pub(crate) fn stop_timer(hart: usize) {
    set_timer(hart, NEVER);
}

/// Sleeps until this hart's software interrupt pends, or its timer interrupt. `prepare` may set the
/// timer.
fn sleep(prepare: impl FnOnce(usize)) {
    riscv::interrupt::free(|| {
        let hart = mhartid::read();
        prepare(hart);
        // SAFETY: interrupts are off, so the interrupt ends the `wfi` but does not trap.
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
    type Order = slotted::Fifo;

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
            // Bound: the lower half overflows once in seven minutes.
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
