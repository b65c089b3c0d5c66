//! Who waits: a small table between those who wake and the tasks they wake.
//!
//! A task's handle is freed with the task, but whoever wakes it may come late: when it has gone on,
//! and ended. So nobody is given a handle. A [`Waiting`] refers to a seat of a table that is always
//! there, and the handle in it is used only while its task is inside `park`.
//!
//! Invariants:
//!
//! - **Seated While Waiting.** A notification is given only to the task of a seat that is `PARKED`,
//!   inside a critical section. The task is inside `park` then: it leaves only after that state has
//!   ended. So it has not been deleted.
//! - **Kept Seat.** A seat goes to another task only if nobody can wake its task through it: no
//!   [`Waiting`] refers to it, and the task is not inside `park`. At most a permit is lost with it.
//! - **No Seat, No Sleep.** A task sleeps for one tick at most, and needs nobody to wake it, if it
//!   has no seat, or if a [`Waiting`] of it may refer to none, because there were more tasks than
//!   seats.

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use portable_atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};

use crate::kernel::{self, Task};

/// How many tasks can wait at the same time without looking each tick.
pub const SEATS: usize = 16;

static TABLE: [Seat; SEATS] = [const { Seat::new() }; SEATS];

/// How many [`Waiting`] refer to no seat.
static SEATLESS: AtomicUsize = AtomicUsize::new(0);

/// Neither a permit, nor a task that waits for one.
const EMPTY: u32 = 0;
/// A permit: the next `park` returns at once.
const PERMIT: u32 = 1;
/// The task is inside `park`. Added to it: the number of the notification that it waits for.
const PARKED: u32 = 2;

/// One task's place. All but `tokens` is changed, and relied on, inside critical sections only,
/// which order it.
struct Seat {
    task: AtomicPtr<core::ffi::c_void>,
    state: AtomicU32,
    /// The task came while some [`Waiting`] referred to no seat: it may have been its.
    wary: AtomicBool,
    /// How many [`Waiting`] refer to the seat.
    tokens: AtomicUsize,
}

impl Seat {
    const fn new() -> Self {
        Self {
            task: AtomicPtr::new(core::ptr::null_mut()),
            state: AtomicU32::new(EMPTY),
            wary: AtomicBool::new(false),
            tokens: AtomicUsize::new(0),
        }
    }

    /// The seat of a task. Inside a critical section.
    fn of(task: Task) -> Option<&'static Self> {
        TABLE.iter().find(|seat| seat.task.load(Relaxed) == task)
    }

    /// The seat that is missed least, for another task (*Kept Seat*). Inside a critical section.
    fn take(task: Task) -> Option<&'static Self> {
        let free = TABLE.iter().filter_map(|seat| Some((seat.price()?, seat)));
        let (_, seat) = free.min_by_key(|(price, _)| *price)?;
        seat.task.store(task, Relaxed);
        seat.state.store(EMPTY, Relaxed);
        seat.wary.store(SEATLESS.load(Relaxed) > 0, Relaxed); // its own tokens came before, in this thread
        Some(seat)
    }

    /// What is lost if another task gets the seat; `None` if that must not be.
    fn price(&self) -> Option<u32> {
        let state = self.state.load(Relaxed);
        // Acquire: whoever had a token has done with the seat.
        let free = self.tokens.load(Acquire) == 0 && state < PARKED;
        free.then(|| u32::from(!self.task.load(Relaxed).is_null()) + state)
    }

    /// How many tickets there are of a seat, or of none.
    fn count(seat: Option<&'static Self>) -> &'static AtomicUsize {
        seat.map_or(&SEATLESS, |seat| &seat.tokens)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

/// Names a task that waits, for those who wake it. It may outlive the task.
#[derive(Debug)]
pub struct Waiting(Option<&'static Seat>);

impl Waiting {
    /// For the calling task: with its own seat, or the one that is missed least.
    pub(crate) fn current() -> Self {
        let task = kernel::current_task();
        critical_section::with(|_| {
            let seat = Seat::of(task).or_else(|| Seat::take(task));
            Seat::count(seat).fetch_add(1, Relaxed);
            Self(seat)
        })
    }

    /// Leaves a permit, or wakes the task if it is inside `park`.
    pub(crate) fn unpark(&self) {
        // *No Seat, No Sleep*.
        let Some(seat) = self.0 else { return };
        critical_section::with(|_| match seat.state.load(Relaxed).checked_sub(PARKED) {
            None => seat.state.store(PERMIT, Relaxed),
            Some(notification) => {
                seat.state.store(EMPTY, Relaxed);
                // SAFETY: *Seated While Waiting*.
                unsafe { kernel::give_notification(seat.task.load(Relaxed), notification) };
            }
        });
    }
}

impl Clone for Waiting {
    fn clone(&self) -> Self {
        Seat::count(self.0).fetch_add(1, Relaxed); // ours keeps it above 0
        Self(self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        Seat::count(self.0).fetch_sub(1, Release); // seen by who takes the seat
    }
}

/// Has the calling task wait for a permit, at most so many ticks. `notification` is the one it is
/// woken by.
pub(crate) fn park(notification: u32, ticks: u32) {
    let task = kernel::current_task();
    let sleep = critical_section::with(|_| {
        let Some(seat) = Seat::of(task) else {
            return Sleep::Unseated;
        };
        if seat.state.load(Relaxed) == PERMIT {
            seat.state.store(EMPTY, Relaxed);
            return Sleep::Permitted;
        }
        seat.state.store(PARKED + notification, Relaxed);
        let wary = seat.wary.load(Relaxed) && SEATLESS.load(Relaxed) > 0;
        seat.wary.store(wary, Relaxed);
        Sleep::Seated(seat, if wary { ticks.min(1) } else { ticks })
    });
    match sleep {
        Sleep::Unseated => kernel::delay(ticks.min(1)),
        Sleep::Permitted => {}
        Sleep::Seated(seat, ticks) => {
            kernel::take_notification(notification, ticks);
            // Woken by `unpark`, it may be another's by now, whose state is not ours to end.
            if seat.state.load(Relaxed) != EMPTY {
                critical_section::with(|_| {
                    if seat.task.load(Relaxed) == task {
                        // A permit too: what it was given for is seen by what this task looks at
                        // next.
                        seat.state.store(EMPTY, Relaxed);
                    }
                });
            }
        }
    }
}

/// How a task waits.
enum Sleep {
    /// Without a seat.
    Unseated,
    /// Not at all.
    Permitted,
    /// For so many ticks.
    Seated(&'static Seat, u32),
}
