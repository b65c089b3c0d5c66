//! A spin lock between cores that knows its owner: with interrupts off, a critical section.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Keeps all cores but one out. A core that is in may enter again.
#[derive(Debug)]
pub struct CoreLock {
    /// The number of the core that is in, and one; 0: none is.
    owner: AtomicUsize,
}

/// How a core came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only the outermost section leaves"]
pub enum Entered {
    /// It was not in before: it is to call [`CoreLock::leave`].
    Outermost,
    /// It was in before.
    Nested,
}

impl CoreLock {
    /// Nobody is in.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            owner: AtomicUsize::new(0),
        }
    }

    /// Waits until no other core is in. Called by the core of that number, with its interrupts off
    /// until it has left.
    pub fn enter(&self, core: usize) -> Entered {
        let this = core + 1;
        // Relaxed: only this core stores this number.
        if self.owner.load(Ordering::Relaxed) == this {
            return Entered::Nested;
        }
        // Acquire: sees what was done in the sections before.
        while self
            .owner
            .compare_exchange_weak(0, this, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            core::hint::spin_loop();
        }
        Entered::Outermost
    }

    /// Lets the next core in.
    pub fn leave(&self) {
        self.owner.store(0, Ordering::Release); // publishes what was done in the section
    }
}

impl Default for CoreLock {
    fn default() -> Self {
        Self::new()
    }
}
