//! The seats: a table of waiting tasks, which waking threads refer to.
//!
//! A task's handle is freed with the task, but a wake-up may come late, after the task has ended.
//! So the host gives out no handles. A [`Waiting`] refers to a seat of a `static` table. The host
//! uses the handle in the seat only while its task is inside `park`.
//!
//! Invariants:
//!
//! - **Seated While Waiting.** The host notifies only the task of a seat that is `PARKED`, inside a
//!   critical section. That task is inside `park`, which it leaves only after the state has
//!   changed. So the task still exists.
//! - **Kept Seat.** A seat goes to another task only if no wake-up can reach its task through it.
//!   Then no [`Waiting`] refers to the seat, and the task is not inside `park`. At most a permit is
//!   lost.
//! - **No Seat, No Sleep.** A task without a seat sleeps for one tick at most, and needs no
//!   wake-up. The same holds if one of its [`Waiting`]s may refer to no seat, because there were
//!   more tasks than seats.

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use portable_atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};

use crate::kernel::{self, Task};

/// How many tasks can wait at the same time without a look every tick.
pub const SEATS: usize = 16;

static TABLE: [Seat; SEATS] = [const { Seat::new() }; SEATS];

/// The number of [`Waiting`]s without a seat.
static SEATLESS: AtomicUsize = AtomicUsize::new(0);

/// No permit, and the task is not inside `park`.
const EMPTY: u32 = 0;
/// A permit: the next `park` returns at once.
const PERMIT: u32 = 1;
/// The task is inside `park`. The number of its notification is added to this.
const PARKED: u32 = 2;

/// One task's place. Critical sections order all its fields but `tokens`: only there the host
/// changes them and relies on them.
struct Seat {
    task: AtomicPtr<core::ffi::c_void>,
    state: AtomicU32,
    /// True if some [`Waiting`] had no seat when the task came. It may belong to this task.
    wary: AtomicBool,
    /// The number of [`Waiting`]s that refer to the seat.
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

    /// The seat of a task. Call it inside a critical section.
    fn of(task: Task) -> Option<&'static Self> {
        TABLE.iter().find(|seat| seat.task.load(Relaxed) == task)
    }

    /// Takes the cheapest seat for another task (*Kept Seat*). Call it inside a critical section.
    fn take(task: Task) -> Option<&'static Self> {
        let free = TABLE.iter().filter_map(|seat| Some((seat.price()?, seat)));
        let (_, seat) = free.min_by_key(|(price, _)| *price)?;
        seat.task.store(task, Relaxed);
        seat.state.store(EMPTY, Relaxed);
        // Relaxed: the task's own tokens came before, in this thread.
        seat.wary.store(SEATLESS.load(Relaxed) > 0, Relaxed);
        Some(seat)
    }

    /// What is lost if another task takes the seat. `None` if the seat is in use.
    fn price(&self) -> Option<u32> {
        let state = self.state.load(Relaxed);
        // Acquire: sees the last use of the seat through a dropped token.
        let free = self.tokens.load(Acquire) == 0 && state < PARKED;
        free.then(|| u32::from(!self.task.load(Relaxed).is_null()) + state)
    }

    /// The count of tokens of a seat, or of those without one.
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

/// Names a waiting task, for the threads that wake it. It may outlive the task.
#[derive(Debug)]
pub struct Waiting(Option<&'static Seat>);

impl Waiting {
    /// The token of the calling task: for its own seat, or else for the cheapest one.
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
        Seat::count(self.0).fetch_add(1, Relaxed); // `self` keeps it above 0
        Self(self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        Seat::count(self.0).fetch_sub(1, Release); // publishes the last use of the seat
    }
}

/// Makes the calling task wait for a permit, for at most `ticks`. `notification` is the number of
/// the notification that wakes it.
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
            // After a wake-up by `unpark` the seat may belong to another task. Then its state must
            // stay.
            if seat.state.load(Relaxed) != EMPTY {
                critical_section::with(|_| {
                    if seat.task.load(Relaxed) == task {
                        // The state may be a permit. The task now looks again, and sees what the
                        // permit was for.
                        seat.state.store(EMPTY, Relaxed);
                    }
                });
            }
        }
    }
}

/// How a task sleeps.
enum Sleep {
    /// Without a seat.
    Unseated,
    /// It does not sleep: it has a permit.
    Permitted,
    /// For at most that many ticks.
    Seated(&'static Seat, u32),
}
