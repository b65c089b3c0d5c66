//! Sleep, wake-ups and time, by the core-local interruptor (CLINT).
//!
//! - A hart sleeps by `wfi`; its software interrupt wakes it. The permit is the hart's `msip` bit
//!   in the CLINT. The hart enables that interrupt only while it sleeps, with interrupts off. So it
//!   ends the `wfi` and never traps.
//! - The clock is the CLINT's `mtime`, which has 64 bits, and there is no tick. A hart's timer
//!   pends from the earliest of its dates on, also if that has passed already. One hart has the
//!   alarm.
//! - [`begin_ticking`] makes a hart's timer interrupt periodically too. That is no clock: boards
//!   take it for a device that interrupts.

use core::arch::asm;
use core::cell::Cell;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, Ordering};

use critical_section::Mutex;
use host_parts::Places;
use riscv::register::{mhartid, mie};
use slotted::{Clock, Park};

use crate::HARTS;

/// The address of the CLINT, which begins with each hart's `msip`.
pub(crate) const CLINT: usize = 0x0200_0000;
const MTIMECMP: usize = 0x4000;
const MTIME: usize = 0xbff8;

/// The time between two periodic interrupts of a hart.
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

/// What a hart's timer is for.
#[derive(Clone, Copy)]
struct Dates {
    /// The deadline of what waits on the hart.
    deadline: u64,
    /// The date that [`Clock::set_alarm`] has set.
    alarm: u64,
    /// The next periodic interrupt.
    tick: u64,
}

static DATES: [Mutex<Cell<Dates>>; HARTS] = [const {
    Mutex::new(Cell::new(Dates {
        deadline: NEVER,
        alarm: NEVER,
        tick: NEVER,
    }))
}; HARTS];

/// The hart whose timer is the alarm. The thread that drives an executor without workers is there,
/// so the alarm ends its sleep.
const ALARM_HART: usize = 0;

/// Changes the dates of a hart, and sets its timer.
fn change(hart: usize, act: impl FnOnce(&mut Dates)) {
    critical_section::with(|section| {
        let cell = DATES[hart].borrow(section);
        let mut dates = cell.get();
        act(&mut dates);
        cell.set(dates);
        set_timer(hart, dates.deadline.min(dates.alarm).min(dates.tick));
    });
}

/// Starts a hart's periodic interrupt. Any hart may call it.
pub fn begin_ticking(hart: usize) {
    change(hart, |dates| dates.tick = 0);
}

/// Does the host's part of the timer's interrupt; its handler calls it. Calls `advance` on the hart
/// with the alarm. Calls `tick`, with the number of the hart, if the periodic interrupt has come.
/// Both count as a separate thread.
pub fn on_timer(advance: impl FnOnce(), tick: impl FnOnce(usize)) {
    let hart = mhartid::read();
    let mut has_ticked = false;
    change(hart, |dates| {
        let now = Clint::now();
        // What has passed has had its interrupt.
        for date in [&mut dates.deadline, &mut dates.alarm] {
            if *date <= now {
                *date = NEVER;
            }
        }
        if dates.tick <= now {
            dates.tick = now + PERIOD;
            has_ticked = true;
        }
    });
    INTERRUPTED[hart].store(true, Ordering::Relaxed); // only this hart reads it
    if hart == ALARM_HART {
        advance();
    }
    if has_ticked {
        tick(hart);
    }
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

/// Sleeps until this hart's software interrupt pends, or its timer interrupt, which the deadline
/// makes pend.
fn sleep(deadline: u64) {
    riscv::interrupt::free(|| {
        let hart = mhartid::read();
        if deadline != NEVER {
            change(hart, |dates| dates.deadline = deadline);
        }
        // SAFETY: interrupts are off, so the interrupt ends the `wfi` but does not trap.
        unsafe { mie::set_msoft() };
        riscv::asm::wfi();
        set_software_interrupt(hart, false);
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
        if deadline != NEVER {
            change(hart, |dates| dates.deadline = NEVER);
        }
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
        sleep(NEVER);
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
        sleep(deadline);
    }

    fn set_alarm(date: Option<u64>) {
        change(ALARM_HART, |dates| dates.alarm = date.unwrap_or(NEVER));
    }
}
