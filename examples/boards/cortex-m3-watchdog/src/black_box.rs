//! What survives a reset: a job's number, in memory that the start-up code leaves alone.

use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::AtomicU32;

/// Tells a number that was written from what memory holds after power-on.
const WRITTEN: u32 = 0x57A7_E000;

#[unsafe(link_section = ".uninit.black_box")]
static LAST: MaybeUninit<AtomicU32> = MaybeUninit::uninit();

/// Keeps a number below 4096.
pub(crate) fn keep(number: u32) {
    write(WRITTEN | number);
}

/// Takes the number that was kept before the reset.
pub(crate) fn take() -> Option<u32> {
    // SAFETY: the memory belongs to this variable alone, and every pattern of bits is a number.
    // Volatile, since the compiler does not know that the memory has a value at the start.
    let kept = unsafe { ptr::read_volatile(LAST.as_ptr().cast::<u32>()) };
    write(0);
    (kept & !0xFFF == WRITTEN).then_some(kept & 0xFFF)
}

fn write(value: u32) {
    // SAFETY: as above. The variable is an atomic one, so it may change behind a shared reference.
    // One thread writes it: before the start of the clock, or in the clock's interrupt.
    unsafe { ptr::write_volatile(LAST.as_ptr().cast::<u32>().cast_mut(), value) };
}
