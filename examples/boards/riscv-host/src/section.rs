//! The critical section: interrupts off on this hart, and a lock between harts.

use critical_section::RawRestoreState;
use host_parts::{CoreLock, Entered};
use riscv::register::{mhartid, mstatus};

struct AcrossHarts;
critical_section::set_impl!(AcrossHarts);

static LOCK: CoreLock = CoreLock::new();

/// Interrupts were on before.
const INTERRUPTIBLE: RawRestoreState = 1;
/// The hart was in the section before.
const NESTED: RawRestoreState = 2;

// SAFETY: with interrupts off nothing else runs on this hart, and the lock keeps the other harts
// out. The lock also orders what the sections of different harts see.
unsafe impl critical_section::Impl for AcrossHarts {
    unsafe fn acquire() -> RawRestoreState {
        let before = if mstatus::read().mie() {
            INTERRUPTIBLE
        } else {
            0
        };
        riscv::interrupt::disable();
        match LOCK.enter(mhartid::read()) {
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
            unsafe { riscv::interrupt::enable() };
        }
    }
}
