//! No inbox: on boards a submitter takes the lock, since nothing is shorter than a critical
//! section.
#![forbid(unsafe_code)]

use crate::list::{Index, Link, Links, List, Pushed, READY};

/// The inbox of a world that has none.
pub(crate) struct Inbox;

impl Inbox {
    /// True if submitters push closures without the lock.
    pub(crate) const IS_OPEN: bool = false;

    pub(crate) const fn new() -> Self {
        Self
    }

    /// Refuses: the submitter takes the lock.
    pub(crate) fn push(&self, _link: &Link, _index: Index) -> Pushed {
        Pushed::Refused
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    #[inline(always)]
    pub(crate) fn drain_into(&self, _list: &List<READY>, _links: &impl Links) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn set_closed(&self, _closed: bool) {}
}

/// What idle workers note for submitters that push to the inbox: nothing.
pub(crate) struct InboxWatch;

impl InboxWatch {
    pub(crate) const fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn update(&self, _inbox: &Inbox, _wake: bool) -> bool {
        true
    }

    #[inline(always)]
    pub(crate) fn set_resting(&self, _bit: usize, _rests: bool) {}

    #[inline(always)]
    pub(crate) fn set_unparked(&self, _bit: usize) {}

    #[inline(always)]
    pub(crate) fn clear_unparked(&self, _bit: usize) {}

    #[inline(always)]
    pub(crate) fn has_unparked(&self) -> bool {
        false
    }
}
