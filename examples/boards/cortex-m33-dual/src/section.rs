//! The critical section: interrupts off on this core, and a lock between cores.

use cortex_m::interrupt;
use cortex_m::register::primask;
use cortex_m_host::Chip;
use critical_section::RawRestoreState;
use host_parts::{CoreLock, Entered};

use crate::sse200::Sse200;

struct AcrossCores;
critical_section::set_impl!(AcrossCores);

static LOCK: CoreLock = CoreLock::new();

/// Interrupts were on before.
const INTERRUPTIBLE: RawRestoreState = 1;
/// The core was in the section before.
const NESTED: RawRestoreState = 2;

// SAFETY: with interrupts off nothing else runs on this core, and the lock keeps the other core
// out. The lock also orders what the sections of different cores see.
unsafe impl critical_section::Impl for AcrossCores {
    unsafe fn acquire() -> RawRestoreState {
        let before = if primask::read().is_active() {
            INTERRUPTIBLE
        } else {
            0
        };
        interrupt::disable();
        match LOCK.enter(Sse200::core()) {
            Entered::Outermost => before,
            Entered::Nested => before | NESTED,
        }
    }

    unsafe fn release(before: RawRestoreState) {
        if before & NESTED == 0 {
            LOCK.leave();
        }
        if before & INTERRUPTIBLE != 0 {
            // SAFETY: interrupts were on when the section began.
            unsafe { interrupt::enable() };
        }
    }
}
