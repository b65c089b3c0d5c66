//! Timers: dates in order, each with the waker of what waits for it, or with the task whose time
//! budget it is.
//!
//! An indexed binary heap of fixed capacity, inside one lock. The earliest timer is at its top, and
//! of equal dates the first claimed. Each step costs the height of the heap: log2 of the capacity.
//! No section runs foreign code but [`Clock::set_alarm`]; wakers leave the lock by value and are
//! woken or dropped after.
//!
//! Invariants:
//!
//! - **One Owner.** A timer is claimed by one task or one sleep, which arms, moves and releases it.
//!   A due timer leaves the heap and stays its owner's. That of a budget belongs to the table: see
//!   [`budgets`].
//! - **Alarm Inside.** The host's alarm is set in the section that changes the earliest date. So
//!   two threads cannot set it in the wrong order.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::marker::PhantomData;
use core::task::Waker;

use crate::host::Clock;
use crate::sync::{Lock, array, const_fn};
use crate::unwind;

mod budgets;

pub(crate) use budgets::{BudgetHooks, Budgeted};

/// A timer's number in its table.
pub(crate) type TimerIndex = u16;

/// What a timer is for. `B` names a task.
///
/// It takes as much room as a waker. A waker's pointer to its functions is not null. Where it is
/// null, the other word is the `B`, or null too. So a timer has no byte for budgets.
enum Purpose<B> {
    /// Wakes a task or a sleep.
    Wake(Waker),
    /// Ends a task. `None`: there is no waker yet, or the timer is free.
    End(Option<B>),
}

impl<B> Purpose<B> {
    const NONE: Self = Self::End(None);

    fn into_waker(self) -> Option<Waker> {
        match self {
            Self::Wake(waker) => Some(waker),
            Self::End(_) => None,
        }
    }
}

/// One timer.
pub(crate) struct Timer<B> {
    date: Cell<u64>,
    /// Which claim it is of, in the order of all claims; 0 while it is free. Of a budget: the
    /// generation of its task, and a bit that no other claim has.
    claim: Cell<u64>,
    /// What to do at the date.
    purpose: Cell<Purpose<B>>,
    /// Its place in the heap, plus one; 0 while it is not armed.
    place: Cell<u16>,
    /// True from its date until its owner arms it again or gives it up.
    due: Cell<bool>,
    /// True if its owner is a task, not a sleep. A sleep may have the waker of any task.
    of_task: Cell<bool>,
    /// While it is free: the next free timer, plus one.
    next_free: Cell<u16>,
    /// Not of this timer: which timer is at this place of the heap.
    at_place: Cell<TimerIndex>,
}

impl<B> Timer<B> {
    const fn new() -> Self {
        Self {
            date: Cell::new(0),
            claim: Cell::new(0),
            purpose: Cell::new(Purpose::NONE),
            place: Cell::new(0),
            due: Cell::new(false),
            of_task: Cell::new(false),
            next_free: Cell::new(0),
            at_place: Cell::new(0),
        }
    }

    /// Returns true if it comes before another one: by its date, and of equal dates by its claim.
    #[inline(always)]
    fn is_before(&self, other: &Self) -> bool {
        let (date, others) = (self.date.get(), other.date.get());
        date < others || date == others && self.claim.get() < other.claim.get()
    }

    /// Returns true if it is the timer of the task whose waker has this pointer.
    fn is_of(&self, task: *const ()) -> bool {
        if !self.of_task.get() {
            return false;
        }
        self.look(|purpose| match purpose {
            Purpose::Wake(waker) => waker.data() == task,
            Purpose::End(_) => false,
        })
    }

    fn look<R>(&self, look: impl FnOnce(&Purpose<B>) -> R) -> R {
        let purpose = self.purpose.replace(Purpose::NONE);
        let seen = look(&purpose);
        self.put_back(purpose);
        seen
    }

    /// The cell was emptied in this section: nothing is dropped.
    fn put_back(&self, purpose: Purpose<B>) {
        core::mem::forget(self.purpose.replace(purpose));
    }

    /// This place of the heap gets a timer. `place` is its number.
    #[inline(always)]
    fn fill(&self, place: usize, index: TimerIndex, timer: &Self) {
        self.at_place.set(index);
        // There are fewer timers than 2^16 - 1.
        timer.place.set(place as u16 + 1);
    }

    /// Gives it a waker, and returns the one that it had.
    fn replace_waker(&self, waker: Waker) -> Option<Waker> {
        self.purpose.replace(Purpose::Wake(waker)).into_waker()
    }
}

/// What the lock guards.
struct Timers<H: 'static, B: 'static, C: ?Sized = [Timer<B>]> {
    /// How many timers are in the heap.
    armed: Cell<u16>,
    /// The free timer that was released last, plus one.
    free: Cell<u16>,
    /// Timers from here on were never claimed.
    fresh: Cell<u16>,
    /// How many timers are claimed.
    used: Cell<u16>,
    /// How many claims there were.
    claims: Cell<u64>,
    /// What the first budget left.
    budgets: Cell<Option<&'static BudgetHooks<H, B>>>,
    timers: C,
}

/// A timer that was claimed, and by which claim.
#[derive(Clone, Copy)]
pub(crate) struct ClaimedTimer {
    pub(crate) index: TimerIndex,
    claim: u64,
}

/// What one look for due timers gave.
enum Due {
    /// The earliest timer was due. What it is for: a waker, if there is one yet, or the budget that
    /// this timer keeps.
    Now(Purpose<TimerIndex>),
    /// None is due; the next date, if there is one.
    Next(Option<u64>),
}

impl<H: 'static, B: 'static> Timers<H, B> {
    /// The timer at a place of the heap, with its number. `None` past the end.
    #[inline(always)]
    fn at(&self, place: usize) -> Option<(TimerIndex, &Timer<B>)> {
        self.seated(self.timers.get(place)?)
    }

    /// As [`at`](Self::at), of a place that was looked up.
    #[inline(always)]
    fn seated(&self, seat: &Timer<B>) -> Option<(TimerIndex, &Timer<B>)> {
        let index = seat.at_place.get();
        Some((index, self.timers.get(usize::from(index))?))
    }

    #[inline(always)]
    fn put(&self, place: usize, index: TimerIndex, timer: &Timer<B>) {
        if let Some(seat) = self.timers.get(place) {
            seat.fill(place, index, timer);
        }
    }

    /// The earliest timer.
    #[inline(always)]
    fn first(&self) -> Option<(TimerIndex, &Timer<B>)> {
        if self.armed.get() == 0 {
            return None;
        }
        self.at(0)
    }

    /// The earliest date.
    #[inline(always)]
    fn next(&self) -> Option<u64> {
        self.first().map(|(_, timer)| timer.date.get())
    }

    /// Moves a timer up from `place`, as far as its date belongs.
    ///
    /// Bound: the height of the heap.
    #[inline(never)]
    fn rise(&self, mut place: usize, index: TimerIndex, timer: &Timer<B>) {
        let Some(mut hole) = self.timers.get(place) else {
            return;
        };
        while place > 0 {
            let parent = (place - 1) / 2;
            let Some(seat) = self.timers.get(parent) else {
                break;
            };
            let Some((above, other)) = self.seated(seat) else {
                break;
            };
            if !timer.is_before(other) {
                break;
            }
            hole.fill(place, above, other);
            (hole, place) = (seat, parent);
        }
        hole.fill(place, index, timer);
    }

    /// Moves a timer down from `place`, as far as its date belongs.
    ///
    /// Bound: the height of the heap.
    #[inline(never)]
    fn sink(&self, mut place: usize, index: TimerIndex, timer: &Timer<B>) {
        let armed = usize::from(self.armed.get()).min(self.timers.len());
        loop {
            let mut next = 2 * place + 1;
            if next >= armed {
                break;
            }
            let Some((mut below, mut other)) = self.at(next) else {
                break;
            };
            if next + 1 < armed {
                if let Some((right, beside)) = self.at(next + 1) {
                    if beside.is_before(other) {
                        (below, other) = (right, beside);
                        next += 1;
                    }
                }
            }
            if !other.is_before(timer) {
                break;
            }
            self.put(place, below, other);
            place = next;
        }
        self.put(place, index, timer);
    }

    /// Gives a timer in the heap another date.
    fn move_timer(&self, place: usize, index: TimerIndex, timer: &Timer<B>, date: u64) {
        // Of equal dates the claim does not change.
        if date < timer.date.replace(date) {
            self.rise(place, index, timer);
        } else {
            self.sink(place, index, timer);
        }
    }

    fn insert(&self, index: TimerIndex, timer: &Timer<B>, date: u64, of_task: bool) {
        timer.of_task.set(of_task);
        timer.date.set(date);
        timer.due.set(false);
        let place = self.armed.get();
        self.armed.set(place + 1);
        self.rise(usize::from(place), index, timer);
    }

    /// Takes a timer out of the heap, if it is there.
    #[inline(always)]
    fn remove(&self, timer: &Timer<B>) {
        if let Some(place) = timer.place.replace(0).checked_sub(1) {
            self.close_gap(place, timer);
        }
    }

    /// The last timer of the heap takes the place of one that leaves it.
    #[inline(never)]
    fn close_gap(&self, place: u16, leaves: &Timer<B>) {
        let last = self.armed.get() - 1;
        self.armed.set(last);
        if place == last {
            return;
        }
        let Some((index, moved)) = self.at(usize::from(last)) else {
            return;
        };
        let place = usize::from(place);
        if place > 0 && moved.is_before(leaves) {
            self.rise(place, index, moved);
        } else {
            self.sink(place, index, moved);
        }
    }

    fn claim(&self) -> Option<ClaimedTimer> {
        let index = if let Some(index) = self.free.get().checked_sub(1) {
            self.free
                .set(self.timers[usize::from(index)].next_free.get());
            index
        } else {
            let fresh = self.fresh.get();
            if usize::from(fresh) == self.timers.len() {
                return None;
            }
            self.fresh.set(fresh + 1);
            fresh
        };
        self.used.set(self.used.get() + 1);
        let claim = self.claims.get() + 1;
        self.claims.set(claim);
        self.timers[usize::from(index)].claim.set(claim);
        Some(ClaimedTimer { index, claim })
    }

    fn release(&self, index: TimerIndex) -> Option<Waker> {
        let timer = &self.timers[usize::from(index)];
        self.remove(timer);
        timer.claim.set(0);
        timer.due.set(false);
        timer.next_free.set(self.free.get());
        self.free.set(index + 1);
        self.used.set(self.used.get() - 1);
        timer.purpose.replace(Purpose::NONE).into_waker()
    }
}

/// Timers behind their lock, on a clock.
pub(crate) struct TimerTable<H: 'static, B: 'static, C: ?Sized = [Timer<B>]> {
    clock: PhantomData<fn() -> H>,
    timers: Lock<Timers<H, B, C>>,
}

impl<H: 'static, B: 'static, const TIMERS: usize> TimerTable<H, B, [Timer<B>; TIMERS]> {
    const_fn! {
        /// All bits zero, so that a static table is `.bss`.
        pub(crate) const fn new() -> Self {
            const {
                assert!(
                    TIMERS > 0,
                    "slotted: a timetable without timers can wait for no date: raise TIMERS"
                );
                assert!(
                    TIMERS <= 65_534,
                    "slotted: timers are numbered with 16 bits: lower TIMERS to 65534"
                );
            }
            Self {
                clock: PhantomData,
                timers: Lock::new(Timers {
                    armed: Cell::new(0),
                    free: Cell::new(0),
                    fresh: Cell::new(0),
                    used: Cell::new(0),
                    claims: Cell::new(0),
                    budgets: Cell::new(None),
                    timers: array!(TIMERS, Timer::new()),
                }),
            }
        }
    }
}

impl<H: Clock, B: Copy + 'static> TimerTable<H, B> {
    /// Changes the timers. Tells the host's alarm if the earliest date is another one now.
    fn change<R>(&self, act: impl FnOnce(&Timers<H, B>) -> R) -> R {
        self.timers.with(|timers| {
            let before = timers.next();
            let result = act(timers);
            let after = timers.next();
            if before != after {
                H::set_alarm(after);
            }
            result
        })
    }

    /// Claims a timer, which is not armed.
    pub(crate) fn claim(&self) -> Option<ClaimedTimer> {
        // Bound: see `make_room`.
        loop {
            let claimed = self.timers.with(Timers::claim);
            if claimed.is_some() || !self.make_room() {
                return claimed;
            }
        }
    }

    /// Claims a timer and arms it. It has no waker yet.
    pub(crate) fn claim_armed(&self, date: u64) -> Option<TimerIndex> {
        // Bound: see `make_room`.
        loop {
            let claimed = self.change(|timers| {
                let claimed = timers.claim()?;
                let timer = &timers.timers[usize::from(claimed.index)];
                timers.insert(claimed.index, timer, date, false);
                Some(claimed.index)
            });
            if claimed.is_some() || !self.make_room() {
                return claimed;
            }
        }
    }

    /// Arms a timer that was claimed, unless it was released since. A waker that is not needed
    /// comes back.
    pub(crate) fn arm(&self, claimed: ClaimedTimer, date: u64, waker: Waker) -> Option<Waker> {
        self.change(|timers| {
            let timer = &timers.timers[usize::from(claimed.index)];
            if timer.claim.get() != claimed.claim {
                return Some(waker);
            }
            let displaced = timer.replace_waker(waker);
            timers.insert(claimed.index, timer, date, true);
            displaced
        })
    }

    /// Arms a timer again, for its owner. It was due.
    pub(crate) fn arm_again(&self, index: TimerIndex, date: u64, waker: Waker) -> Option<Waker> {
        self.change(|timers| {
            let timer = &timers.timers[usize::from(index)];
            let displaced = timer.replace_waker(waker);
            timers.insert(index, timer, date, true);
            displaced
        })
    }

    /// The date of a timer that is due; `None` while it waits.
    pub(crate) fn due(&self, index: TimerIndex) -> Option<u64> {
        self.timers.with(|timers| {
            let timer = &timers.timers[usize::from(index)];
            timer.due.get().then(|| timer.date.get())
        })
    }

    /// Gives up a timer that is due, for its owner. Returns false while it waits.
    pub(crate) fn release_due(&self, index: TimerIndex) -> bool {
        self.timers.with(|timers| {
            let due = timers.timers[usize::from(index)].due.get();
            if due {
                // Its waker was taken when it became due.
                core::mem::forget(timers.release(index));
            }
            due
        })
    }

    /// Has `waker` woken at the date of a timer that waits, and returns what is to be dropped
    /// outside the lock. `Err`: it is due.
    pub(crate) fn wait(&self, index: TimerIndex, waker: Waker) -> Result<Option<Waker>, Waker> {
        self.timers.with(|timers| {
            let timer = &timers.timers[usize::from(index)];
            if timer.due.get() {
                return Err(waker);
            }
            Ok(timer.replace_waker(waker))
        })
    }

    /// Gives up a timer, armed or not, for its owner. Returns what is to be dropped outside the
    /// lock.
    pub(crate) fn release(&self, index: TimerIndex) -> Option<Waker> {
        self.change(|timers| timers.release(index))
    }

    /// Moves a timer that waits, if it is that of the task whose waker has this pointer. Returns
    /// true if it moved.
    pub(crate) fn move_to(&self, index: TimerIndex, task: *const (), date: u64) -> bool {
        self.change(|timers| {
            let Some(timer) = timers.timers.get(usize::from(index)) else {
                return false;
            };
            let Some(place) = timer.place.get().checked_sub(1) else {
                return false;
            };
            if !timer.is_of(task) {
                return false;
            }
            timers.move_timer(usize::from(place), index, timer, date);
            true
        })
    }

    /// Wakes what is due, one at a time, at most `most`. Sets the alarm to the next date, also if
    /// that has not changed: the alarm that called is spent. Returns the date.
    ///
    /// Bound: `most`.
    pub(crate) fn advance(&self, most: usize) -> Option<u64> {
        let now = H::now();
        for _ in 0..most {
            match self.take_due(now) {
                Due::Next(date) => return date,
                Due::Now(Purpose::Wake(waker)) => _ = unwind::contain(|| waker.wake()),
                Due::Now(Purpose::End(Some(index))) => self.spend(index),
                // A sleep that was not polled yet has no waker.
                Due::Now(Purpose::End(None)) => {}
            }
        }
        self.timers.with(|timers| {
            let next = timers.next();
            H::set_alarm(next);
            next
        })
    }

    /// Takes the earliest timer out of the heap if it is due at `now`. If none is, sets the alarm.
    fn take_due(&self, now: u64) -> Due {
        self.timers.with(|timers| {
            match timers.first().filter(|(_, timer)| timer.date.get() <= now) {
                Some((index, timer)) => {
                    timers.remove(timer);
                    timer.due.set(true);
                    Due::Now(match timer.purpose.replace(Purpose::NONE) {
                        Purpose::Wake(waker) => Purpose::Wake(waker),
                        Purpose::End(None) => Purpose::End(None),
                        spent @ Purpose::End(Some(_)) => {
                            timer.put_back(spent);
                            Purpose::End(Some(index))
                        }
                    })
                }
                None => {
                    let next = timers.next();
                    H::set_alarm(next);
                    Due::Next(next)
                }
            }
        })
    }

    /// As [`advance`](Self::advance), as many as there are timers.
    pub(crate) fn advance_all(&self) -> Option<u64> {
        let most = self.timers.with(|timers| timers.timers.len());
        self.advance(most)
    }

    /// The earliest date.
    pub(crate) fn next_date(&self) -> Option<u64> {
        self.timers.with(Timers::next)
    }

    /// How many timers are claimed.
    pub(crate) fn used(&self) -> u16 {
        self.timers.with(|timers| timers.used.get())
    }
}

#[cfg(all(test, feature = "std", not(loom), not(shuttle)))]
mod tests;
