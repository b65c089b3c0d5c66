//! A driver that another one displaced, and that wakes when that one leaves (*Baton*).
#![forbid(unsafe_code)]

use crate::host::Park;
use crate::registry::Registry;
use crate::waiter::Waiter;

/// The one driver that a waiting thread keeps until it leaves, or none.
pub(super) struct Displaced<H: Park> {
    waiter: Waiter<H>,
    /// Which of the thread's executors it drove, counted from 1.
    place: usize,
    /// The notices there after it was displaced.
    since: usize,
    /// The thread found the same driver at another executor too.
    is_of_several: bool,
}

impl<H: Park> Displaced<H> {
    pub(super) const fn none() -> Self {
        Self {
            waiter: Waiter::None,
            place: 0,
            since: 0,
            is_of_several: false,
        }
    }

    /// The thread became the driver of an executor, and displaced `waiter` there. It keeps the
    /// first one, which then looks at all its executors. It wakes others at once, and they look
    /// again.
    ///
    /// Not inlined: every kind of wait has this.
    #[inline(never)]
    pub(super) fn keep(&mut self, registry: Registry<'_, H>, place: usize, waiter: Waiter<H>) {
        if self.waiter.is_none() {
            *self = Self {
                waiter,
                place,
                since: registry.notices(),
                is_of_several: false,
            };
        } else if self.waiter.is_thread_of(&waiter) {
            self.is_of_several = true;
            drop(waiter);
        } else {
            registry.notify(waiter);
        }
    }

    /// The thread drives an executor no more: wakes the driver that it displaced there. One that it
    /// displaced at several wakes at the end ([`wake`](Self::wake)), and finds a notice at each: it
    /// may wait at one of them in a wait that knows nothing of the others.
    #[inline(never)]
    pub(super) fn hand_on(&mut self, registry: Registry<'_, H>, place: usize) {
        if self.is_of_several {
            registry.give_notice();
        } else if self.place == place {
            let waiter = core::mem::replace(&mut self.waiter, Waiter::None);
            registry.hand_on(waiter, self.since);
        }
    }

    /// The thread drives none of its executors any more.
    pub(super) fn wake(self) {
        if let Waiter::Thread { thread, .. } = self.waiter {
            H::unpark(&thread);
        }
    }
}
