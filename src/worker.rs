//! A worker: the loop that takes tasks and runs them, and its life from attaching to leaving.
//!
//! Invariant **One Attached**: at most one thread at a time runs the worker of a given number.
//! Attaching checks and sets its bit in one section.
//!
//! `unsafe` here: the raw pointer for C entry points.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::completion::{complete, execute};
use crate::host::{DefaultHost, LevelOf, Park, level};
use crate::list::Seat;
use crate::order::Level;
use crate::registry::{RawWorker, Registry, Work, WorkerCell};
use crate::roster::Epoch;
use crate::slot::Running;
use crate::unwind;
use crate::waiter::Waiter;

/// One thread's worth of an executor: what a host runs.
///
/// [`start`](crate::Executor::start) gives one to the host for each worker. The host calls
/// [`run`](Self::run) on a thread of its own, or [`run_one`](Self::run_one) from a loop of its own.
/// Or an async task awaits [`ready`](Self::ready) before each `run_one`. A worker that is dropped
/// leaves the executor.
#[must_use = "a worker that is dropped leaves its executor at once"]
pub struct Worker<'e, H: Park = DefaultHost> {
    registry: Registry<'e, H>,
    number: u16,
    epoch: Epoch,
    /// True if this value set the worker's bit in the roster.
    attached: bool,
    /// The lowest level that it serves.
    floor: LevelOf<H>,
}

impl<'e, H: Park> Worker<'e, H> {
    pub(crate) fn new(registry: Registry<'e, H>, number: u16, epoch: Epoch) -> Self {
        Self {
            registry,
            number,
            epoch,
            attached: false,
            floor: Level::BASE,
        }
    }

    pub(crate) fn registry(&self) -> Registry<'e, H> {
        self.registry
    }

    pub(crate) fn cell(&self) -> &'e WorkerCell<H> {
        &self.registry.workers()[usize::from(self.number)]
    }

    /// Runs tasks until the executor shuts down. The worker runs the start hook, takes tasks, and
    /// parks when there is nothing to do.
    ///
    /// # Blocking
    ///
    /// Until shutdown. It parks only after it found the queue empty.
    ///
    /// # Context
    ///
    /// Any thread that may call [`Park::park`].
    ///
    /// ```
    /// use slotted::{Executor, Shutdown, Spawn, StdHost, Worker};
    ///
    /// struct OwnThreads;
    ///
    /// impl Spawn<StdHost> for OwnThreads {
    ///     type Error = std::io::Error;
    ///     fn spawn(&self, worker: Worker<'static, StdHost>) -> Result<(), Self::Error> {
    ///         std::thread::Builder::new().spawn(|| worker.run()).map(drop)
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<2, 8> = Executor::new();
    /// EXECUTOR.start(&OwnThreads).unwrap();
    /// assert_eq!(EXECUTOR.submit(|| 6 * 7).unwrap().result(), Ok(42));
    /// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn run(mut self) {
        self.run_with(|registry, running, seat| execute(registry, running, Some(seat)));
    }

    /// Runs tasks by `run` until the executor shuts down.
    #[inline(always)]
    pub(crate) fn run_with(&mut self, mut run: impl FnMut(Registry<'e, H>, Running<'e>, Seat)) {
        let Some(seat) = self.attach() else { return };
        let (registry, floor) = (self.registry, self.floor);
        let (searching, mut sleepy) = (Cell::new(false), false);
        let mut passes_time_on = false;
        let mut round = 0;
        let broken_off = unwind::Bomb::new(|| {
            registry.lose_worker(seat.worker(), searching.get());
            // It may have been the keeper.
            registry.pass_time_on();
        });
        // Endless for a reason: ends with the executor.
        loop {
            registry.advance_time();
            match registry.find_work(seat, floor, searching.take(), sleepy) {
                Work::Task(running) => {
                    if core::mem::take(&mut passes_time_on) {
                        registry.pass_time_on();
                    }
                    run(registry, running, seat);
                    (sleepy, round) = (false, 0);
                }
                Work::Nothing => {
                    searching.set(floor.number() == 0);
                    sleepy = true;
                    // Keeps the spin count from the last round if another worker took the task
                    // that this one saw.
                    while H::spin(round) {
                        round = round.saturating_add(1);
                        if registry.shared().is_worth_a_look(floor) {
                            sleepy = false;
                            break;
                        }
                    }
                }
                Work::Idle => {
                    registry.note_idle(seat.worker());
                    let mut yields = 0;
                    while !registry.shared().is_worth_a_look(floor) && H::yield_now(yields) {
                        yields = yields.saturating_add(1);
                    }
                    if !registry.shared().is_worth_a_look(floor) {
                        passes_time_on = registry.park_worker(
                            seat.worker(),
                            None,
                            || registry.shared().is_worth_a_look(floor),
                            H::park,
                        );
                    }
                    registry.note_busy(seat.worker());
                    (sleepy, round) = (false, 0);
                }
                Work::Leave => break,
            }
        }
        registry.pass_time_on();
        broken_off.defuse();
    }

    /// Runs the next ready task that it serves, if there is one: the oldest, of the highest level
    /// if there are several. For super-loops, and for workers that live in an interrupt handler.
    ///
    /// [`Park::ready`] tells the host when there is work. A loop that has no other reason to come
    /// round may sleep until then.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    ///
    /// ```
    /// use slotted::{Executor, Ran, Shutdown, Spawn, StdHost, Worker};
    /// use std::sync::Mutex;
    ///
    /// /// Keeps the worker for a loop of the caller's own.
    /// #[derive(Default)]
    /// struct SuperLoop(Mutex<Option<Worker<'static>>>);
    ///
    /// impl Spawn<StdHost> for SuperLoop {
    ///     type Error = ();
    ///     fn spawn(&self, worker: Worker<'static>) -> Result<(), ()> {
    ///         *self.0.lock().unwrap() = Some(worker);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<1, 8> = Executor::new();
    /// let host = SuperLoop::default();
    /// EXECUTOR.start(&host).unwrap();
    /// let mut worker = host.0.into_inner().unwrap().unwrap();
    /// let mut handle = EXECUTOR.submit(|| 6 * 7).unwrap();
    /// assert_eq!(worker.run_one(), Ran::Task);
    /// assert_eq!(worker.run_one(), Ran::Nothing);
    /// assert_eq!(handle.try_result(), Some(Ok(42)));
    /// EXECUTOR.begin_shutdown(Shutdown::Drain);
    /// assert_eq!(worker.run_one(), Ran::Left);
    /// ```
    pub fn run_one(&mut self) -> Ran {
        self.run_one_with(|registry, running, seat| execute(registry, running, Some(seat)))
    }

    /// As [`run_one`](Self::run_one). Runs the task by `run`.
    #[inline(always)]
    pub(crate) fn run_one_with(
        &mut self,
        run: impl FnOnce(Registry<'e, H>, Running<'e>, Seat),
    ) -> Ran {
        let Some(seat) = self.attach() else {
            return Ran::Left;
        };
        match self.registry.find_work_once(seat, self.floor) {
            Work::Task(running) => {
                run(self.registry, running, seat);
                Ran::Task
            }
            Work::Nothing | Work::Idle => Ran::Nothing,
            Work::Leave => {
                self.leave();
                Ran::Left
            }
        }
    }

    /// Waits until [`run_one`](Self::run_one) has something to do: a task, or to leave. So a worker
    /// can be a task of another async executor: embassy's, RTIC's, tokio's.
    ///
    /// That executor's thread must come round for the worker to run. A task there that blocks in
    /// [`result`](crate::JoinHandle::result) keeps it away, and what it waits for may be the task
    /// for which this worker was woken: then the wait never ends, though other workers sleep. Await
    /// the handle instead.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: it wakes another worker instead, if there is work.
    ///
    /// ```no_run
    /// use slotted::{Ran, Worker};
    ///
    /// async fn work(mut worker: Worker<'static>) {
    ///     loop {
    ///         worker.ready().await;
    ///         if worker.run_one() == Ran::Left {
    ///             break;
    ///         }
    ///     }
    /// }
    /// ```
    pub fn ready(&mut self) -> Ready<'_, 'e, H> {
        Ready {
            worker: self,
            registered: false,
        }
    }

    /// Has the worker serve level `LEVEL` and those above, and no task of a lower one. For workers
    /// in interrupts, in urgent RTOS tasks, or in threads of a real-time class: what they run
    /// preempts what less urgent workers run, because the host lets them.
    ///
    /// A task goes to the idle worker that is tied highest of all that serve its level. If none is
    /// idle, any worker that serves it takes it next. Some worker must serve level 0, or its tasks
    /// wait until a shutdown runs or cancels them.
    ///
    /// A worker that waits, without a time limit, for a task that no thread has started runs it in
    /// place, whatever its level. In a shutdown it leaves when no task of its levels is ready; what
    /// futures still do then, others do.
    ///
    /// A level too high does not compile.
    ///
    /// ```
    /// use slotted::{Executor, Levels, Ordered, Shutdown, Spawn, StdHost, Worker};
    ///
    /// type Host = Ordered<StdHost, Levels<2>>;
    ///
    /// struct Threads;
    ///
    /// impl Spawn<Host> for Threads {
    ///     type Error = std::io::Error;
    ///     fn spawn(&self, worker: Worker<'static, Host>) -> Result<(), Self::Error> {
    ///         // Worker 0 is in an urgent thread, say, and keeps free for urgent tasks.
    ///         let worker = if worker.index() == 0 { worker.serve::<1>() } else { worker };
    ///         std::thread::Builder::new().spawn(|| worker.run()).map(drop)
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<2, 8, 64, Host> = Executor::new();
    /// EXECUTOR.start(&Threads).unwrap();
    /// let urgent = EXECUTOR.level::<1>().submit(|| 6 * 7).unwrap();
    /// assert_eq!(urgent.result(), Ok(42));
    /// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn serve<const LEVEL: usize>(mut self) -> Self {
        self.floor = level::<LEVEL, H>();
        if self.attached {
            self.registry.tie_worker(1 << self.number, self.floor);
        }
        self
    }

    /// The worker's number, below `WORKERS`.
    ///
    /// ```
    /// use slotted::{Executor, Spawn, StdHost, Worker};
    /// use std::sync::Mutex;
    ///
    /// /// Notes the numbers and drops the workers, which leave.
    /// #[derive(Default)]
    /// struct Numbers(Mutex<Vec<usize>>);
    ///
    /// impl Spawn<StdHost> for Numbers {
    ///     type Error = ();
    ///     fn spawn(&self, worker: Worker<'static>) -> Result<(), ()> {
    ///         self.0.lock().unwrap().push(worker.index());
    ///         Ok(())
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<2, 8> = Executor::new();
    /// let numbers = Numbers::default();
    /// EXECUTOR.start(&numbers).unwrap();
    /// assert_eq!(numbers.0.into_inner().unwrap(), [0, 1]);
    /// ```
    #[must_use]
    pub fn index(&self) -> usize {
        usize::from(self.number)
    }

    /// Binds the worker to the calling thread. `None`: it is stale, or another value has it, or
    /// its hook failed.
    pub(crate) fn attach(&mut self) -> Option<Seat> {
        let is_new = !self.attached;
        if is_new {
            let bit = 1_usize << self.number;
            self.attached = self.registry.attach_worker(bit, self.epoch, self.floor);
            if !self.attached {
                return None;
            }
        }
        let (cell, thread) = (self.cell(), H::current_id());
        if !cell.is_run_by(thread) {
            self.bind(cell, thread);
        }
        if is_new && !self.run_start_hook() {
            self.leave();
            return None;
        }
        Some(cell.seat(self.number))
    }

    /// Makes the calling thread the one that others wake and that knows itself as the worker.
    #[inline(never)]
    fn bind(&self, cell: &WorkerCell<H>, thread: usize) {
        unwind::discard(cell.replace_sleeper(Waiter::current()));
        self.registry.waits().with(|_| cell.bind(thread));
        self.registry.end_rest(self.number);
        self.registry.take_time_over(self.number);
    }

    /// Returns false if the hook failed and the executor is broken.
    fn run_start_hook(&self) -> bool {
        let Some((hook, break_down)) = self.registry.shared().on_worker_start else {
            return true;
        };
        let started = unwind::catch(|| hook(self.index()));
        let succeeded = matches!(started, Ok(Ok(())));
        if !succeeded {
            unwind::discard(started);
            break_down(self.registry);
        }
        succeeded
    }

    /// Unbinds the worker and takes it off the roster. Does nothing the second time.
    pub(crate) fn leave(&mut self) {
        let attached = core::mem::replace(&mut self.attached, false);
        if attached {
            if let Some(hook) = self.registry.shared().on_worker_exit {
                unwind::contain(|| hook(usize::from(self.number)));
            }
            unwind::discard(self.cell().unbind());
            let waits = self.registry.waits();
            waits.with(|_| self.cell().set_waits_for(None));
            // Another thread may sleep as this worker.
            self.registry.take_time_over(self.number);
            // Before the roster: after it, the number may be a worker's of the next life.
            self.registry.end_rest(self.number);
        }
        let (waiter, is_last) = self
            .registry
            .roster(|roster| roster.leave(1 << self.number, self.epoch, attached));
        if attached {
            self.registry.pass_work_on();
        }
        self.registry.notify(waiter);
        if is_last {
            self.registry.wake_abandoned_waiters();
        }
    }
}

impl<H: Park> Worker<'static, H> {
    /// Makes the worker one pointer, for a C entry point: the argument of an RTOS task, say.
    /// [`from_raw`](Self::from_raw) makes it a worker again. A worker that is forgotten in between
    /// never leaves.
    ///
    /// ```
    /// use slotted::{Executor, Spawn, StdHost, Worker};
    ///
    /// struct Rtos;
    ///
    /// impl Spawn<StdHost> for Rtos {
    ///     type Error = ();
    ///     fn spawn(&self, worker: Worker<'static>) -> Result<(), ()> {
    ///         let argument = worker.into_raw(); // the argument of a task, say
    ///         // SAFETY: `into_raw` made the pointer of a worker with the same host.
    ///         drop(unsafe { Worker::<StdHost>::from_raw(argument) });
    ///         Ok(())
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<1, 8> = Executor::new();
    /// EXECUTOR.start(&Rtos).unwrap();
    /// ```
    #[must_use = "a worker that is not made whole again never leaves"]
    pub fn into_raw(self) -> *mut () {
        let cell = self.cell();
        cell.put_raw(RawWorker {
            registry: self.registry,
            number: self.number,
            epoch: self.epoch,
            attached: self.attached,
            floor: self.floor,
        });
        core::mem::forget(self);
        core::ptr::from_ref(cell).cast_mut().cast()
    }

    /// The worker that [`into_raw`](Self::into_raw) made a pointer of.
    ///
    /// Used a second time, a pointer gives a stale worker, which leaves at once.
    ///
    /// # Safety
    ///
    /// - `raw` comes from [`into_raw`](Self::into_raw) of a worker with the same host `H`.
    ///
    /// ```
    /// use slotted::{Executor, Ran, Spawn, StdHost, Worker};
    /// use std::sync::Mutex;
    ///
    /// /// Keeps the argument that an RTOS would pass to the task's entry point.
    /// #[derive(Default)]
    /// struct Rtos(Mutex<usize>);
    ///
    /// impl Spawn<StdHost> for Rtos {
    ///     type Error = ();
    ///     fn spawn(&self, worker: Worker<'static>) -> Result<(), ()> {
    ///         *self.0.lock().unwrap() = worker.into_raw().expose_provenance();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<1, 8> = Executor::new();
    /// let host = Rtos::default();
    /// EXECUTOR.start(&host).unwrap();
    /// EXECUTOR.submit(|| ()).unwrap().detach();
    /// let argument = std::ptr::with_exposed_provenance_mut(host.0.into_inner().unwrap());
    /// // SAFETY: `into_raw` made the pointer of a worker with the same host.
    /// let mut worker: Worker<'static> = unsafe { Worker::from_raw(argument) };
    /// assert_eq!(worker.run_one(), Ran::Task);
    /// ```
    pub unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: the caller's promise: a cell of a `'static` executor, shared.
        let cell = unsafe { &*raw.cast_const().cast::<WorkerCell<H>>() };
        let Some(raw) = cell.take_raw() else {
            unreachable!("`into_raw` left the parts")
        };
        Self {
            registry: raw.registry,
            number: raw.number,
            epoch: raw.epoch,
            attached: raw.attached,
            floor: raw.floor,
        }
    }
}

impl<H: Park> Drop for Worker<'_, H> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<H: Park> fmt::Debug for Worker<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index())
            .finish_non_exhaustive()
    }
}

/// What [`Worker::ready`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct Ready<'w, 'e, H: Park> {
    worker: &'w mut Worker<'e, H>,
    /// True if the worker's waker and idle bit may be set.
    registered: bool,
}

impl<H: Park> Ready<'_, '_, H> {
    /// Takes waker and idle bit away. What the worker was woken for, another one does.
    fn deregister(&mut self) {
        if core::mem::replace(&mut self.registered, false) {
            // The next call binds the thread that makes it.
            unwind::discard(self.worker.cell().unbind());
            let (registry, number) = (self.worker.registry, self.worker.number);
            registry.note_busy(number);
            registry.lose_worker(number, false);
        }
    }
}

impl<H: Park> Future for Ready<'_, '_, H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Stale, or its hook failed: `run_one` says so.
        if this.worker.attach().is_none() {
            return Poll::Ready(());
        }
        let (registry, number) = (this.worker.registry, this.worker.number);
        if this.registered {
            registry.note_busy(number);
        }
        let waker = Waiter::Waker(context.waker().clone());
        this.registered = true;
        unwind::discard(this.worker.cell().replace_sleeper(waker));
        if registry.rest_worker(number, this.worker.floor) {
            // Forgotten, it ends its rest when a thread next calls the worker.
            this.worker.cell().unbind_thread();
            registry.note_idle(number);
            return Poll::Pending;
        }
        this.registered = false;
        unwind::discard(this.worker.cell().unbind());
        Poll::Ready(())
    }
}

impl<H: Park> Drop for Ready<'_, '_, H> {
    fn drop(&mut self) {
        self.deregister();
    }
}

impl<H: Park> fmt::Debug for Ready<'_, '_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("worker", &self.worker.index())
            .finish_non_exhaustive()
    }
}

/// What [`Worker::run_one`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "`Left` means that the worker is not to be called again"]
pub enum Ran {
    /// The worker ran a task, or polled a future.
    Task,
    /// There was nothing to run.
    Nothing,
    /// The executor has shut down, or was never this worker's: the worker has left.
    Left,
}

/// Ends every accepted task as broken and refuses all others. The failed worker has not left, so no
/// other life begins meanwhile.
pub(crate) fn break_down<H: Park>(registry: Registry<'_, H>) {
    registry.change_roster(|roster| roster.break_down());
    let abandon_queued = || {
        // Bound: what was accepted before; nothing is now.
        while let Some(running) = registry.take_next(registry.current_seat(), Level::BASE) {
            complete(registry, running.abandon());
        }
    };
    abandon_queued();
    // Bound: the number of slots.
    for index in 0..registry.capacity() {
        if let Some(running) = registry.start_resting(index) {
            complete(registry, running.abandon());
        }
    }
    // What a waker put into the queue meanwhile.
    abandon_queued();
    registry.wake_all();
}
