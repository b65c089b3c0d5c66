//! Which slots are free, and which waiters stand in line for one.
//!
//! A submitter pops a slot inside the lock. On a desktop the end of a handle returns one without
//! the lock, onto a transfer stack (`transferred`). The next submitter that finds the free stack
//! empty takes all of them. On boards nothing is shorter than a critical section: there the slot
//! goes back to the free stack at once (`locked`). The two files have the same names and
//! signatures, and the conditions below choose one, as in `ready_queue`.
//!
//! A waiter joins the line and sets the transfer stack's wake flag in one section, then looks
//! again, then sleeps. A thread that returns a slot sees the flag in its push, or the waiter in its
//! section. It serves the line: it gives the slot to the waiter that came first.

use core::cell::Cell;
use core::pin::Pin;

use crate::error::Refusal;
use crate::host::Park;
use crate::list::{Index, Link, Links, Stack};
use crate::sync::{CachePadded, Lock, const_fn};
use crate::waiter::Waiter;

mod line;

#[cfg(not(all(any(loom, feature = "std"), not(slotted_critical_section))))]
mod locked;
#[cfg(all(any(loom, feature = "std"), not(slotted_critical_section)))]
mod transferred;

use line::Line;
pub(crate) use line::Place;
#[cfg(not(all(any(loom, feature = "std"), not(slotted_critical_section))))]
use locked::Returned;
#[cfg(all(any(loom, feature = "std"), not(slotted_critical_section)))]
use transferred::Returned;

/// What the lock guards. `S` is the code that serves the line and timed tasks.
struct Free<H: Park, S> {
    stack: Stack,
    line: Line<H>,
    /// Serves the line, and timed tasks; there if a waiter or a timed task ever was.
    serve: Cell<Option<S>>,
}

/// The free slots of an executor.
pub(crate) struct FreeSlots<H: Park, S> {
    free: CachePadded<Lock<Free<H, S>>>,
    /// Slots that came back and are not on the stack yet.
    returned: Returned,
}

/// What a place in line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// Nothing yet: a thread that serves the line will wake its waiter.
    Waiting,
    /// A slot, which is the caller's now.
    Slot(Index),
    /// It will get none: the executor takes no task.
    Refused(Refusal),
    /// It is in no line.
    Outside,
}

impl<H: Park, S: Copy> FreeSlots<H, S> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                free: CachePadded::new(Lock::new(Free {
                    stack: Stack::new(),
                    line: Line::new(),
                    serve: Cell::new(None),
                })),
                returned: Returned::new(),
            }
        }
    }

    #[inline]
    fn pop(&self, free: &Free<H, S>, links: &impl Links, capacity: u16) -> Option<Index> {
        free.stack.pop(links, || self.returned.take_all(), capacity)
    }

    /// Takes a free slot of `capacity`.
    #[inline]
    pub(crate) fn claim(&self, links: &impl Links, capacity: u16) -> Option<Index> {
        self.free.with(|free| self.pop(free, links, capacity))
    }

    /// As [`claim`](Self::claim), for a timed task, which leaves the code that serves such tasks.
    pub(crate) fn claim_timed(&self, links: &impl Links, capacity: u16, serve: S) -> Option<Index> {
        self.free.with(|free| {
            free.serve.set(Some(serve));
            self.pop(free, links, capacity)
        })
    }

    /// Returns a slot. Gives the code that serves the line, if a waiter stands in it.
    #[inline]
    pub(crate) fn release(&self, link: &Link, index: Index) -> Option<S> {
        if Returned::IS_OPEN {
            return if self.returned.push(link, index) {
                self.serve()
            } else {
                None
            };
        }
        self.free.with(|free| {
            free.stack.push(link, index);
            if free.line.is_empty() {
                None
            } else {
                free.serve.get()
            }
        })
    }

    /// The code that serves the line and timed tasks, if there ever was one of them.
    #[cold]
    pub(crate) fn serve(&self) -> Option<S> {
        self.free.with(|free| free.serve.get())
    }

    /// The most slots that were ever in use at once.
    pub(crate) fn high_water(&self) -> u16 {
        self.free.with(|free| free.stack.high_water())
    }

    /// Takes a free slot for a waiter, unless others wait already.
    pub(crate) fn claim_before_line(&self, links: &impl Links, capacity: u16) -> Option<Index> {
        self.free.with(|free| {
            if !free.line.is_empty() {
                return None;
            }
            self.pop(free, links, capacity)
        })
    }

    /// Gives one free slot to the first waiter in line. `None`: there is no slot, or no waiter.
    pub(crate) fn serve_first(&self, links: &impl Links, capacity: u16) -> Option<Waiter<H>> {
        self.free.with(|free| {
            if free.line.is_empty() {
                self.returned.clear_wake_flag();
                return None;
            }
            let index = self.pop(free, links, capacity)?;
            free.line.serve(Served::Slot(index))
        })
    }

    /// Refuses the first waiter in line.
    pub(crate) fn dismiss_first(&self, reason: Refusal) -> Option<Waiter<H>> {
        self.free
            .with(|free| free.line.serve(Served::Refused(reason)))
    }
}

impl<H: Park, S: Copy> Place<'_, H, S> {
    /// Joins the end of the line, or changes whom to wake. Returns what is to be dropped outside
    /// the lock. A place that was served keeps what it has.
    pub(crate) fn wait(self: Pin<&Self>, waiter: Waiter<H>, serve: S) -> Waiter<H> {
        let slots = self.slots();
        slots.free.with(|free| {
            if free.serve.get().is_none() {
                free.serve.set(Some(serve));
            }
            let displaced = free.line.join(self.node(), waiter);
            // Slots that were returned before the flag are found by the look that follows.
            slots.returned.set_wake_flag();
            displaced
        })
    }

    /// What the place has. A slot or a refusal is handed out once.
    pub(crate) fn look(self: Pin<&Self>) -> Served {
        self.slots().free.with(|free| free.line.look(self.node()))
    }

    /// Leaves the line. Returns what the place had, and what is to be dropped outside the lock.
    pub(crate) fn leave(self: Pin<&Self>) -> (Served, Waiter<H>) {
        self.slots().free.with(|free| free.line.leave(self.node()))
    }
}
