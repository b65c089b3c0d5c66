//! What a started future can do: be polled once, and rest.

use core::future::Future;

use super::job::{self, Polled};
use super::{Ending, Running};
use crate::error::TaskError;
use crate::unwind::Bomb;

impl<'e> Running<'e> {
    /// Polls once a future whose output is the task's outcome. It comes back if it is not ready. If
    /// the poll unwinds (no `std`), `unwound` gets the broken task.
    ///
    /// # Safety
    ///
    /// - The slot was filled by [`Claim::future_outcome`] with an `F`, of a task that returns `T`.
    pub(crate) unsafe fn poll_outcome<F, T>(
        self,
        unwound: impl FnOnce(Ending<'e>),
    ) -> Result<Ending<'e>, Self>
    where
        F: Future<Output = Result<T, TaskError>>,
    {
        let slot = self.slot;
        let bomb = Bomb::new(|| unwound(Ending::broken(slot)));
        // SAFETY: Bytes by R3; *Typed Bytes* by the caller's promise. A future never moves.
        let kind = slot.with_mut(|bytes| unsafe { job::poll_outcome::<F, T>(bytes) });
        bomb.defuse();
        kind.map(|kind| Ending { slot, kind }).ok_or(self)
    }

    /// Running → Suspended. If a waker woke the future meanwhile: → Scheduled, and returns true;
    /// the caller must queue it.
    pub(crate) fn suspend(self) -> bool {
        self.slot.state.suspend()
    }

    /// As [`suspend`](Self::suspend), after a poll that did nothing: the task counts as never
    /// started.
    pub(crate) fn suspend_unstarted(self) -> bool {
        self.slot.state.suspend_unstarted()
    }

    /// As [`suspend`](Self::suspend), for a lent task: only its owner's worker polls it again.
    pub(crate) fn suspend_lent(self) -> bool {
        self.slot.state.suspend_lent()
    }

    /// As [`suspend_unstarted`](Self::suspend_unstarted), for a lent task.
    pub(crate) fn suspend_lent_unstarted(self) -> bool {
        self.slot.state.suspend_lent_unstarted()
    }

    /// Lends the future between two polls.
    ///
    /// # Safety
    ///
    /// - The slot was filled by [`Claim::future_outcome`](super::Claim::future_outcome) or
    ///   [`Claim::lent_future`](super::Claim::lent_future) with an `F`, which has not ended.
    pub(crate) unsafe fn future<F>(&self) -> &F {
        // SAFETY: Bytes by R3; *Typed Bytes* by the caller's promise. While we are borrowed, no
        // thread polls, moves or drops the future.
        self.slot
            .with(|bytes| unsafe { &(*bytes.cast::<Polled<F>>()).future })
    }
}
