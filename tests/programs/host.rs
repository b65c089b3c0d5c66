//! The host's part in a program: it lends threads to the workers.

use core::fmt;
use std::sync::Arc;

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicUsize, Ordering};

use slotted::{
    Clock, Every, Executor, Fifo, Levels, Park, Ran, Shutdown, Spawn, Stats, Submitter,
    TimedSubmitter, Timetable, Worker,
};

use crate::hooks::{Calls, Hooks, on_exit, on_start};
use crate::ledger::Output;
use crate::noting::Noting;
use crate::program::{Date, Driven, Failing, Limit};
use crate::tasks::Handle;
use crate::world::{Mutex, block_on, thread, with};

pub(crate) const BYTES: usize = 128;

/// A closure, whatever it captures.
pub(crate) type Task = Box<dyn FnOnce() -> Output + Send>;

/// A host whose tasks may have levels. With first in, first out all of it does nothing.
pub(crate) trait Leveled: Clock {
    /// A submitter of another level: the tasks of a program take turns.
    fn at(
        submitter: Submitter<'static, BYTES, Self>,
        turn: usize,
    ) -> Submitter<'static, BYTES, Self>;
    /// As `at`.
    fn timed_at(later: TimedSubmitter<BYTES, Self>, turn: usize) -> TimedSubmitter<BYTES, Self>;
    fn raise(handle: &Handle<Self>);
    /// Ties the worker of number 0, if others serve all levels.
    fn tie(worker: Worker<'static, Self>, workers: usize) -> Worker<'static, Self>;
}

impl<P: Clock, const LOOKS: bool> Leveled for Noting<P, LOOKS, Fifo> {
    fn at(
        submitter: Submitter<'static, BYTES, Self>,
        _turn: usize,
    ) -> Submitter<'static, BYTES, Self> {
        submitter
    }

    fn timed_at(later: TimedSubmitter<BYTES, Self>, _turn: usize) -> TimedSubmitter<BYTES, Self> {
        later
    }

    fn raise(_handle: &Handle<Self>) {}

    fn tie(worker: Worker<'static, Self>, _workers: usize) -> Worker<'static, Self> {
        worker
    }
}

impl<P: Clock, const LOOKS: bool> Leveled for Noting<P, LOOKS, Levels<3>> {
    fn at(
        submitter: Submitter<'static, BYTES, Self>,
        turn: usize,
    ) -> Submitter<'static, BYTES, Self> {
        match turn % 3 {
            0 => submitter,
            1 => submitter.level::<2>(),
            _ => submitter.level::<1>(),
        }
    }

    fn timed_at(later: TimedSubmitter<BYTES, Self>, turn: usize) -> TimedSubmitter<BYTES, Self> {
        match turn % 3 {
            0 => later,
            1 => later.level::<2>(),
            _ => later.level::<1>(),
        }
    }

    fn raise(handle: &Handle<Self>) {
        handle.raise::<1>();
    }

    fn tie(worker: Worker<'static, Self>, workers: usize) -> Worker<'static, Self> {
        match worker.index() {
            0 if workers > 1 => worker.serve::<2>(),
            1 if workers > 2 => worker.serve::<1>(),
            _ => worker,
        }
    }
}

/// Lends the crew's threads to workers that are tied as their number says.
struct Tying<'c> {
    crew: &'c Crew,
    workers: usize,
}

impl<H: Leveled> Spawn<H> for Tying<'_> {
    type Error = Refused;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), Refused> {
        self.crew.spawn(H::tie(worker, self.workers))
    }
}

/// An executor and a timetable.
pub(crate) struct Parts<const WORKERS: usize, const QUEUE: usize, H: Park> {
    pub(crate) executor: Executor<WORKERS, QUEUE, BYTES, H>,
    times: Timetable<3, H>,
    /// Whose turn it is among the levels. Not a step of a schedule.
    turns: AtomicUsize,
}

impl<const WORKERS: usize, const QUEUE: usize, H: Leveled> Parts<WORKERS, QUEUE, H> {
    pub(crate) fn new() -> Self {
        Self {
            executor: Executor::new()
                .on_worker_start(on_start)
                .on_worker_exit(on_exit),
            times: Timetable::new(),
            turns: AtomicUsize::new(0),
        }
    }

    fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    fn later(&'static self) -> TimedSubmitter<BYTES, H> {
        H::timed_at(self.times.on(&self.executor), self.turn())
    }

    /// A date so many moments from now.
    fn soon(moments: u8) -> u64 {
        let moment = (H::TICKS_PER_SECOND / 1_000_000).max(1);
        H::now().saturating_add(u64::from(moments) * moment)
    }
}

/// An executor without its numbers of workers and slots.
pub(crate) trait Pool<H: Park + 'static>: Sync {
    fn submit_at(&'static self, date: Date, task: Task) -> Option<Handle<H>>;
    /// A series of so many runs. The last one is the task.
    fn submit_every(&'static self, runs: u8, task: Task) -> Option<Handle<H>>;
    fn move_soon(&self, handle: &Handle<H>, moments: u8) -> bool;
    /// Gives a task a time budget, if a timer is free; `None` takes it away.
    fn cancel_soon(&'static self, handle: &Handle<H>, moments: Option<u8>);
    fn raise(&self, handle: &Handle<H>);
    /// Returns true if no date is left but budgets of tasks that are over.
    fn dates_are_over(&'static self) -> bool;
    fn submitter(&'static self) -> Submitter<'static, BYTES, H>;
    /// Returns true if a life began.
    fn start(&'static self, crew: &Crew) -> bool;
    fn shutdown(&self, how: Shutdown);
    fn shutdown_within(&self, how: Shutdown, limit: Limit);
    fn begin_shutdown(&self, how: Shutdown);
    fn run_one(&self) -> bool;
    fn stats(&self) -> Stats;
}

impl<const WORKERS: usize, const QUEUE: usize, H: Leveled> Pool<H> for Parts<WORKERS, QUEUE, H> {
    fn submit_at(&'static self, date: Date, task: Task) -> Option<Handle<H>> {
        let tick = match date {
            Date::Passed => 0,
            Date::Soon(moments) => Self::soon(moments),
            Date::Moved(_) => u64::MAX,
        };
        let handle = self.later().submit_at(tick, task).ok()?;
        if let Date::Moved(moments) = date {
            self.move_soon(&handle, moments);
        }
        Some(handle)
    }

    fn submit_every(&'static self, runs: u8, task: Task) -> Option<Handle<H>> {
        let (mut task, mut left) = (Some(task), runs);
        let every = Every::ticks(3).first_at(H::now());
        let series = self.later().submit_every(every, move |_| {
            if left > 0 {
                left -= 1;
                return ControlFlow::Continue(());
            }
            let task = task.take().expect("a series that has ended does not run");
            ControlFlow::Break(task())
        });
        series.ok()
    }

    fn move_soon(&self, handle: &Handle<H>, moments: u8) -> bool {
        self.times.move_to(handle, Self::soon(moments))
    }

    fn cancel_soon(&'static self, handle: &Handle<H>, moments: Option<u8>) {
        match moments {
            Some(moments) => _ = self.times.cancel_at(handle, Self::soon(moments)),
            None => _ = self.times.cancel_never(handle),
        }
    }

    fn raise(&self, handle: &Handle<H>) {
        H::raise(handle);
    }

    fn dates_are_over(&'static self) -> bool {
        // These take all timers, and so those of tasks that are over.
        let naps = [(); 3].map(|()| self.times.on(&self.executor).sleep_until(u64::MAX));
        naps.iter().all(Result::is_ok) && {
            drop(naps);
            self.times.next_date().is_none()
        }
    }

    fn submitter(&'static self) -> Submitter<'static, BYTES, H> {
        H::at(self.executor.submitter(), self.turn())
    }

    fn start(&'static self, crew: &Crew) -> bool {
        // It may have been started, or the host refuses a worker: then it can be started again.
        let workers = WORKERS;
        self.executor.start(&Tying { crew, workers }).is_ok()
    }

    fn shutdown(&self, how: Shutdown) {
        // In a worker it would deadlock, and says so.
        let _ = self.executor.shutdown(how);
    }

    fn shutdown_within(&self, how: Shutdown, limit: Limit) {
        let _ = self.executor.shutdown_timeout(how, limit.duration());
    }

    fn begin_shutdown(&self, how: Shutdown) {
        self.executor.begin_shutdown(how);
    }

    fn run_one(&self) -> bool {
        self.executor.run_one()
    }

    fn stats(&self) -> Stats {
        self.executor.stats()
    }
}

/// The threads of the workers.
#[derive(Clone)]
pub(crate) struct Crew {
    /// What a thread does that has handed its worker over.
    after: Arc<dyn Fn() + Send + Sync>,
    driven: Driven,
    /// The worker that the host refuses.
    refuses: Option<usize>,
    /// The hook that fails.
    fails: Option<Failing>,
    /// How often the hooks were called.
    calls: Arc<Calls>,
    threads: Arc<Mutex<Vec<thread::JoinHandle<()>>>>,
    /// The numbers of the threads, as the host counts them.
    ids: Arc<Mutex<Vec<usize>>>,
}

impl Crew {
    pub(crate) fn new(driven: Driven, after: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            after,
            driven,
            refuses: None,
            fails: None,
            calls: Arc::default(),
            threads: Arc::new(Mutex::new(Vec::new())),
            ids: Arc::new(Mutex::new(Vec::new())),
        }
    }

    /// As this one, but without a thread for one worker.
    pub(crate) fn refusing(&self, worker: u8) -> Self {
        Self {
            refuses: Some(usize::from(worker)),
            ..self.clone()
        }
    }

    /// As this one, but a hook fails.
    pub(crate) fn failing(&self, fails: Option<Failing>) -> Self {
        Self {
            fails,
            ..self.clone()
        }
    }

    /// Waits for the threads to end. Each worker that came has left.
    pub(crate) fn join(&self) {
        // Bound: the lives of the executor, and its workers.
        while let Some(thread) = with(&self.threads, Vec::pop) {
            thread.join().expect("a worker's thread does not panic");
        }
        self.calls.check();
    }

    /// Returns true in a thread of a worker.
    pub(crate) fn is_worker<H: Park>(&self) -> bool {
        let id = H::current_id();
        with(&self.ids, |ids| ids.contains(&id))
    }

    /// Lends a thread to the worker of this number.
    fn add<H: Park>(&self, worker: usize, work: impl FnOnce() + Send + 'static) {
        let ids = self.ids.clone();
        let fails = { self.fails }.filter(|failing| usize::from(failing.worker) == worker);
        let hooks = Hooks::new(fails.map(|failing| failing.how), self.calls.clone());
        let thread = thread::spawn(move || {
            hooks.set();
            with(&ids, |ids| ids.push(H::current_id()));
            work();
        });
        with(&self.threads, |threads| threads.push(thread));
    }
}

/// The host has no thread for a worker.
#[derive(Debug)]
pub(crate) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no thread")
    }
}

impl<H: Park + 'static> Spawn<H> for Crew {
    type Error = Refused;

    fn spawn(&self, mut worker: Worker<'static, H>) -> Result<(), Refused> {
        if self.refuses == Some(worker.index()) {
            return Err(Refused);
        }
        let number = worker.index();
        match self.driven {
            Driven::Run => self.add::<H>(number, move || worker.run()),
            Driven::Awaits => self.add::<H>(number, move || {
                // Endless for a reason: the worker's life is.
                loop {
                    match worker.run_one() {
                        Ran::Task => {}
                        Ran::Nothing => block_on::<H, _>(worker.ready()),
                        Ran::Left => break,
                    }
                }
            }),
            Driven::HandedOver(turns) => {
                let crew = self.clone();
                self.add::<H>(number, move || {
                    for _ in 0..turns {
                        if worker.run_one() == Ran::Left {
                            return;
                        }
                    }
                    crew.add::<H>(number, move || worker.run());
                    (crew.after)();
                });
            }
        }
        Ok(())
    }
}
