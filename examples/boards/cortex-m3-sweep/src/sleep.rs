//! The thread's sleep: PendSV checks that it has a reason, and ends it.

use core::sync::atomic::Ordering;

use crate::host::PERMIT;
use crate::shot::{self, Hit, Job};

/// How long the operation may sleep.
#[derive(Clone, Copy)]
pub(crate) enum Sleep<'s> {
    Never,
    /// Until the first function returns true. PendSV calls the second, which makes it so.
    Until(&'s (dyn Fn() -> bool + Sync), Job<'s>),
}

/// Does `operation`, and `action` before instruction number `instruction` of it.
pub(crate) fn under_fire<R>(
    instruction: u32,
    action: Job<'_>,
    sleep: Sleep<'_>,
    operation: impl FnOnce() -> R,
) -> (R, Hit) {
    let pended = || {
        let Sleep::Until(due, end) = sleep else {
            panic!("the operation sleeps")
        };
        // The order matters: the interrupt may come in between, and does its whole action or
        // nothing.
        let due = due();
        if PERMIT.load(Ordering::Relaxed) {
            return;
        }
        assert!(
            !due,
            "what the thread waits for is there, and no wake-up came"
        );
        end();
        assert!(
            PERMIT.load(Ordering::Relaxed),
            "PendSV did what the thread waits for, and no wake-up came"
        );
    };
    PERMIT.store(false, Ordering::Relaxed);
    shot::fire(instruction, action, &pended, operation)
}
