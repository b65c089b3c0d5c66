//! The chip's watchdog: the CMSDK APB watchdog. It counts down, interrupts at 0, counts down once
//! more, and resets the board.

use core::ptr;

const BASE: usize = 0x4000_8000;
const LOAD: usize = BASE;
const CONTROL: usize = BASE + 0x008;
const CLEAR: usize = BASE + 0x00C;
const LOCK: usize = BASE + 0xC00;

/// Enables the interrupt and the counter, and the reset.
const INTERRUPT_AND_RESET: u32 = 0b11;
/// Opens the other registers for writing.
const KEY: u32 = 0x1ACC_E551;

fn write(register: usize, value: u32) {
    // SAFETY: the registers of the watchdog, which nothing else in this program uses. It touches no
    // memory.
    unsafe { ptr::write_volatile(ptr::with_exposed_provenance_mut(register), value) };
}

/// Starts the watchdog. It interrupts when it was not fed for so many cycles, and resets the board
/// when it was not fed for twice as many.
pub(crate) fn start(cycles: u32) {
    write(LOCK, KEY);
    write(LOAD, cycles);
    write(CONTROL, INTERRUPT_AND_RESET);
}

/// Begins the count anew.
pub(crate) fn feed() {
    write(CLEAR, 0);
}
