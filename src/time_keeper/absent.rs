//! Without `std` no worker keeps the time: the host calls `advance`.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use super::TimeHooks;

/// Keeps no time.
pub(crate) struct TimeKeeper<T: ?Sized + 'static, A>(PhantomData<fn(&'static T, A)>);

impl<T: ?Sized + 'static, A: Copy> TimeKeeper<T, A> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    #[inline(always)]
    pub(crate) fn hooks(&self) -> Option<TimeHooks<A>> {
        None
    }

    pub(crate) fn keep(&self, _table: &'static T, _hooks: TimeHooks<A>) -> bool {
        true
    }

    pub(crate) fn table(&self, _number: usize) -> Option<&'static T> {
        None
    }

    pub(crate) fn fall_asleep(
        &self,
        _worker: u16,
        _is_run: impl FnOnce() -> bool,
    ) -> Option<TimeHooks<A>> {
        None
    }

    pub(crate) fn set_date(
        &self,
        _worker: u16,
        _date: u64,
        _is_run: impl FnOnce() -> bool,
    ) -> bool {
        true
    }

    pub(crate) fn wake_up(&self, _worker: u16, _is_run: impl FnOnce() -> bool) -> bool {
        false
    }

    pub(crate) fn sleeps_past(&self, _date: u64) -> Option<u16> {
        None
    }

    pub(crate) fn pass_on(&self) -> Option<u16> {
        None
    }
}
