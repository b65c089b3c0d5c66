//! One worker, as other threads see it.
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::Registry;
use crate::host::{LevelOf, Park};
use crate::list::{Index, Seat};
use crate::order::Level;
use crate::roster::{Epoch, STALE};
use crate::sync::{AtomicU16, AtomicUsize, Lock, Ordering, const_fn};
use crate::waiter::{Waiter, WaiterCell};

/// A bit of the turn: the thread is inside the worker. Above the bits that a seat shows.
const INSIDE: u16 = 1 << 15;

/// How many tasks ended on a thread. Relaxed: figures, not signals.
pub(crate) struct Counters {
    pub(crate) completed: AtomicUsize,
    pub(crate) panicked: AtomicUsize,
}

impl Counters {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { completed: AtomicUsize::new(0), panicked: AtomicUsize::new(0) }
        }
    }

    /// Counts a task that ended on the worker of this cell: no other thread writes the figures.
    #[inline]
    pub(crate) fn count(&self, panicked: bool) {
        fn one_more(figure: &AtomicUsize) {
            let figure_now = figure.load(Ordering::Relaxed);
            figure.store(figure_now.wrapping_add(1), Ordering::Relaxed);
        }
        one_more(&self.completed);
        if panicked {
            one_more(&self.panicked);
        }
    }

    /// As [`count`](Self::count), for threads that are no workers.
    pub(crate) fn count_shared(&self, panicked: bool) {
        self.completed.fetch_add(1, Ordering::Relaxed);
        if panicked {
            self.panicked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One worker, as other threads see it.
pub(crate) struct WorkerCell<H: Park> {
    /// The number of the thread that runs the worker; 0 while none does.
    thread: AtomicUsize,
    /// The thread that ran the worker last.
    last_thread: AtomicUsize,
    /// How often the worker was handed to another thread; and [`INSIDE`].
    turn: AtomicU16,
    /// The slot whose task the worker's thread waits for without a time limit, plus one; 0 is
    /// none. Inside the lock of the wait table.
    waits_for: AtomicU16,
    desk: Lock<Desk<H>>,
    pub(crate) counters: Counters,
}

/// What a worker's thread and its `Worker` value leave for others.
struct Desk<H: Park> {
    /// Wakes the worker when there is work: its thread, or the async task that is the worker.
    sleeper: WaiterCell<H>,
    /// What `Worker::into_raw` made a pointer of. In parts, so that "none" is all zeroes.
    raw_registry: Cell<Option<Registry<'static, H>>>,
    raw_parts: Cell<(u16, bool, Epoch, LevelOf<H>)>,
}

/// The parts of a `Worker` that `into_raw` leaves in the worker's cell.
pub(crate) struct RawWorker<H: Park> {
    pub(crate) registry: Registry<'static, H>,
    pub(crate) number: u16,
    pub(crate) epoch: Epoch,
    pub(crate) attached: bool,
    pub(crate) floor: LevelOf<H>,
}

impl<H: Park> WorkerCell<H> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                thread: AtomicUsize::new(0),
                last_thread: AtomicUsize::new(0),
                turn: AtomicU16::new(0),
                waits_for: AtomicU16::new(0),
                desk: Lock::new(Desk {
                    sleeper: WaiterCell::new(),
                    raw_registry: Cell::new(None),
                    raw_parts: Cell::new((0, false, STALE, Level::BASE)),
                }),
                counters: Counters::new(),
            }
        }
    }

    /// Returns true if the thread of that number runs the worker. Relaxed: only a thread itself
    /// writes its own number.
    #[inline]
    pub(crate) fn is_run_by(&self, thread: usize) -> bool {
        self.thread.load(Ordering::Relaxed) == thread
    }

    /// The worker's seat, for the thread that runs it.
    #[inline]
    pub(crate) fn seat(&self, number: u16) -> Seat {
        Seat::new(number, self.turn.load(Ordering::Relaxed)) // written by the calling thread
    }

    /// Returns true if a seat is that of the thread that runs the worker now.
    pub(crate) fn is_current(&self, seat: Seat) -> bool {
        self.seat(seat.worker()) == seat
    }

    /// Notes that the calling thread, which runs the worker of an owner, is inside its loop or its
    /// task.
    pub(crate) fn enter(&self) {
        let turn = self.turn.load(Ordering::Relaxed); // written by the calling thread
        // After `bind`, for a thread that had the worker before: see `holds`.
        self.turn.store(turn | INSIDE, Ordering::Release);
    }

    /// The calling thread comes out again.
    pub(crate) fn exit(&self) {
        let turn = self.turn.load(Ordering::Relaxed); // written by the calling thread
        self.turn.store(turn & !INSIDE, Ordering::Relaxed); // for the calling thread
    }

    /// Returns true if the thread of that number, the calling one, is inside the worker of an
    /// owner. The worker cannot go to another thread meanwhile: this one's stack borrows it.
    ///
    /// In this order: if another thread entered, the second look sees that thread's number.
    pub(crate) fn holds(&self, thread: usize) -> bool {
        self.turn.load(Ordering::Acquire) & INSIDE != 0 && self.is_run_by(thread)
    }

    /// Makes the thread of that number the worker's. A thread that did not run it last begins a new
    /// turn. Inside the lock of the wait table, so that no note of the earlier thread stays.
    pub(crate) fn bind(&self, thread: usize) {
        // Relaxed: threads compare these with what they hold, or read them inside the same lock.
        if self.last_thread.load(Ordering::Relaxed) != thread {
            let turn = self.turn.load(Ordering::Relaxed).wrapping_add(1) & !INSIDE;
            self.turn.store(turn, Ordering::Relaxed);
            self.last_thread.store(thread, Ordering::Relaxed);
        }
        self.thread.store(thread, Ordering::Relaxed);
        self.set_waits_for(None);
    }

    /// Unbinds the thread, and leaves what is woken.
    pub(crate) fn unbind_thread(&self) {
        self.thread.store(0, Ordering::Relaxed); // other threads compare it with their own
    }

    /// Unbinds the thread. Returns what is to be dropped outside the lock.
    pub(crate) fn unbind(&self) -> Waiter<H> {
        self.unbind_thread();
        self.desk.with(|desk| desk.sleeper.take())
    }

    /// Changes what is woken when there is work. Returns what is to be dropped outside the lock.
    pub(crate) fn replace_sleeper(&self, sleeper: Waiter<H>) -> Waiter<H> {
        self.desk.with(|desk| desk.sleeper.put(sleeper))
    }

    /// The waiter to wake: a copy of the thread, or the async task, which leaves the cell.
    pub(crate) fn sleeper(&self) -> Waiter<H> {
        self.desk.with(|desk| desk.sleeper.copy_thread_or_take())
    }

    /// Notes which task the worker's thread waits for. Inside the lock of the wait table.
    pub(crate) fn set_waits_for(&self, task: Option<Index>) {
        let task = task.map_or(0, |index| index + 1);
        self.waits_for.store(task, Ordering::Relaxed); // the lock orders it
    }

    /// Which task the worker's thread waits for. Inside the lock of the wait table.
    pub(crate) fn waits_for(&self) -> Option<Index> {
        self.waits_for.load(Ordering::Relaxed).checked_sub(1) // the lock orders it
    }

    /// Leaves the parts of a `Worker` that becomes a raw pointer.
    pub(crate) fn put_raw(&self, raw: RawWorker<H>) {
        self.desk.with(|desk| {
            desk.raw_registry.set(Some(raw.registry));
            let parts = (raw.number, raw.attached, raw.epoch, raw.floor);
            desk.raw_parts.set(parts);
        });
    }

    /// The parts that were left. The second time they are those of a stale worker.
    pub(crate) fn take_raw(&self) -> Option<RawWorker<H>> {
        self.desk.with(|desk| {
            let registry = desk.raw_registry.get()?;
            let (number, attached, epoch, floor) = desk.raw_parts.get();
            desk.raw_parts.set((number, false, STALE, floor));
            Some(RawWorker {
                registry,
                number,
                epoch,
                attached,
                floor,
            })
        })
    }
}
