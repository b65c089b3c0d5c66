//! The critical section: interrupts off, as in `cortex-m`. With the feature `planted-bug` it does
//! nothing.

#[cfg(not(feature = "planted-bug"))]
use cortex_m::{interrupt, register::primask};
use critical_section::{Impl, RawRestoreState, set_impl};

struct SingleCore;
set_impl!(SingleCore);

// SAFETY: there is one core, and nothing else runs on it while interrupts are off.
#[cfg(not(feature = "planted-bug"))]
unsafe impl Impl for SingleCore {
    unsafe fn acquire() -> RawRestoreState {
        let before = primask::read_raw();
        interrupt::disable();
        before
    }

    unsafe fn release(before: RawRestoreState) {
        // SAFETY: this was the value before the outermost section.
        unsafe { primask::write_raw(before) };
    }
}

// SAFETY: none: this is the planted bug.
#[cfg(feature = "planted-bug")]
unsafe impl Impl for SingleCore {
    unsafe fn acquire() -> RawRestoreState {
        0
    }

    unsafe fn release(_: RawRestoreState) {}
}
