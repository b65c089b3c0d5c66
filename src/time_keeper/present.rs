//! The workers that sleep, and which of them keeps the time.
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::TimeHooks;
use crate::sync::{AtomicUsize, Lock, Ordering, array, const_fn};

/// An executor keeps the time of at most so many timetables.
const TABLES: usize = 4;

/// Which worker keeps the time of an executor's timetables. `T` is a timetable.
pub(crate) struct TimeKeeper<T: ?Sized + 'static, A> {
    /// Not zero once there is a timetable. Relaxed: what must not miss one looks inside a lock.
    used: AtomicUsize,
    keeping: Lock<Keeping<T, A>>,
}

struct Keeping<T: ?Sized + 'static, A> {
    tables: [Cell<Option<&'static T>>; TABLES],
    hooks: Cell<Option<TimeHooks<A>>>,
    /// Workers that sleep, one bit each.
    asleep: Cell<usize>,
    /// The sleeper that keeps the time, plus one; 0 is none.
    keeper: Cell<u16>,
    /// The date at which it wakes.
    date: Cell<u64>,
}

impl<T: ?Sized + 'static, A: Copy> TimeKeeper<T, A> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                used: AtomicUsize::new(0),
                keeping: Lock::new(Keeping {
                    tables: array!(TABLES, Cell::new(None)),
                    hooks: Cell::new(None),
                    asleep: Cell::new(0),
                    keeper: Cell::new(0),
                    date: Cell::new(0),
                }),
            }
        }
    }

    /// What the first timed task left. A thread may miss a first timed task of this moment.
    #[inline]
    pub(crate) fn hooks(&self) -> Option<TimeHooks<A>> {
        if self.used.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.keeping.with(|keeping| keeping.hooks.get())
    }

    /// From now on the workers keep the time of `table` too. Returns false if they keep that of too
    /// many others.
    ///
    /// Bound: the number of tables.
    pub(crate) fn keep(&self, table: &'static T, hooks: TimeHooks<A>) -> bool {
        let kept = self.keeping.with(|keeping| {
            keeping.hooks.set(Some(hooks));
            let place = keeping
                .tables
                .iter()
                .find(|place| place.get().is_none_or(|other| core::ptr::eq(other, table)));
            let Some(place) = place else {
                return false;
            };
            place.set(Some(table));
            true
        });
        self.used.store(1, Ordering::Relaxed); // see its field
        kept
    }

    /// The timetable of that number, below the first that is `None`.
    pub(crate) fn table(&self, number: usize) -> Option<&'static T> {
        self.keeping
            .with(|keeping| keeping.tables.get(number)?.get())
    }

    /// A worker is about to sleep. If it keeps the time, returns how it looks for the next date.
    /// It says the date by [`set_date`](Self::set_date): until then any date wakes it.
    ///
    /// `is_run`: whether the calling thread still runs the worker. One that was handed to another
    /// thread is that one's to sleep and to wake.
    pub(crate) fn fall_asleep(
        &self,
        worker: u16,
        is_run: impl FnOnce() -> bool,
    ) -> Option<TimeHooks<A>> {
        self.keeping.with(|keeping| {
            if !is_run() {
                return None;
            }
            keeping.asleep.set(keeping.asleep.get() | 1 << worker);
            let keeper = keeping.keeper.get();
            // A keeper that moves what is due may come upon foreign code that waits in its thread.
            if keeper != 0 && keeper != worker + 1 {
                return None;
            }
            keeping.keeper.set(worker + 1);
            keeping.date.set(u64::MAX);
            keeping.hooks.get()
        })
    }

    /// The keeper wakes at `date`. Returns false if the worker keeps the time no more. `is_run`: as
    /// above.
    pub(crate) fn set_date(&self, worker: u16, date: u64, is_run: impl FnOnce() -> bool) -> bool {
        self.keeping.with(|keeping| {
            let keeps = keeping.keeper.get() == worker + 1 && is_run();
            if keeps {
                keeping.date.set(date);
            }
            keeps
        })
    }

    /// A worker is awake. Returns true if there is a time to keep and no sleeper keeps it: before
    /// the worker runs a task, it passes the time on. `is_run`: as above.
    pub(crate) fn wake_up(&self, worker: u16, is_run: impl FnOnce() -> bool) -> bool {
        self.keeping.with(|keeping| {
            if is_run() {
                keeping.asleep.set(keeping.asleep.get() & !(1 << worker));
                if keeping.keeper.get() == worker + 1 {
                    keeping.keeper.set(0);
                }
            }
            keeping.keeper.get() == 0 && keeping.hooks.get().is_some()
        })
    }

    /// The keeper, if it sleeps past `date`; any sleeper, if none keeps the time. The caller
    /// unparks it.
    pub(crate) fn sleeps_past(&self, date: u64) -> Option<u16> {
        self.keeping.with(|keeping| {
            let Some(keeper) = keeping.keeper.get().checked_sub(1) else {
                return keeping.any_sleeper();
            };
            (keeping.date.get() > date).then_some(keeper)
        })
    }

    /// A sleeper to unpark, which then keeps the time, if none of those that sleep does.
    pub(crate) fn pass_on(&self) -> Option<u16> {
        self.keeping.with(|keeping| {
            if keeping.keeper.get() != 0 || keeping.hooks.get().is_none() {
                return None;
            }
            keeping.any_sleeper()
        })
    }
}

impl<T: ?Sized, A> Keeping<T, A> {
    fn any_sleeper(&self) -> Option<u16> {
        let asleep = self.asleep.get();
        // There are fewer workers than bits in a word.
        (asleep != 0).then(|| asleep.trailing_zeros() as u16)
    }
}
