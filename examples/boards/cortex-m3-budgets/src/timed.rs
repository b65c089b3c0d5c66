//! A critical section that measures itself: from the moment interrupts are off to the moment they
//! are on again.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::meter::{begin, end};
use cortex_m::interrupt;
use cortex_m::register::primask;
use critical_section::{Impl, RawRestoreState, set_impl};

struct Timed;

set_impl!(Timed);

/// When the open section began.
static BEGAN: AtomicU32 = AtomicU32::new(0);
/// The longest section since [`reset`], in ticks.
static LONGEST: AtomicU32 = AtomicU32::new(0);

// SAFETY: interrupts are off in between, and this is the only core. A nested section leaves them
// off.
unsafe impl Impl for Timed {
    #[inline(never)]
    unsafe fn acquire() -> RawRestoreState {
        let outermost = primask::read().is_active();
        interrupt::disable();
        if outermost {
            BEGAN.store(begin(), Ordering::Relaxed);
        }
        outermost
    }

    #[inline(never)]
    unsafe fn release(outermost: RawRestoreState) {
        if outermost {
            let ended = end();
            let took = BEGAN.load(Ordering::Relaxed).wrapping_sub(ended) & 0x00ff_ffff;
            LONGEST.store(LONGEST.load(Ordering::Relaxed).max(took), Ordering::Relaxed);
            // SAFETY: interrupts were on before the section.
            unsafe { interrupt::enable() };
        }
    }
}

/// The longest section during `work`, in ticks; 0 if there is none.
pub fn longest(work: impl FnOnce()) -> u32 {
    LONGEST.store(0, Ordering::Relaxed);
    work();
    LONGEST.load(Ordering::Relaxed)
}
