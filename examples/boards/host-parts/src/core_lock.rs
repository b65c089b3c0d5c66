//! A spin lock between cores that knows its owner. With interrupts off, it makes a critical
//! section.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Admits one core at a time. The core inside may enter again.
#[derive(Debug)]
pub struct CoreLock {
    /// The number of the core inside, plus one; 0 if there is none.
    owner: AtomicUsize,
}

/// How a core entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only the outermost section leaves"]
pub enum Entered {
    /// The core was outside before: it must call [`CoreLock::leave`].
    Outermost,
    /// The core was inside before.
    Nested,
}

impl CoreLock {
    /// A lock without a core inside.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            owner: AtomicUsize::new(0),
        }
    }

    /// Waits until no other core is inside. The core of that number calls it, with its interrupts
    /// off until it leaves.
    pub fn enter(&self, core: usize) -> Entered {
        let this = core + 1;
        // Relaxed: only this core stores this number.
        if self.owner.load(Ordering::Relaxed) == this {
            return Entered::Nested;
        }
        // Acquire: sees what earlier sections wrote.
        while self
            .owner
            .compare_exchange_weak(0, this, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            core::hint::spin_loop();
        }
        Entered::Outermost
    }

    /// Admits the next core.
    pub fn leave(&self) {
        self.owner.store(0, Ordering::Release); // publishes what was done in the section
    }
}

impl Default for CoreLock {
    fn default() -> Self {
        Self::new()
    }
}
