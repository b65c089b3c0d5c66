//! The public value: a world, and the thread that drives it.

use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use std::io;
use std::panic::resume_unwind;
use std::string::String;
use std::thread;
use std::vec::Vec;

use super::SimHost;
use super::baton;
use super::ticks;
use super::trace::Trace;
use super::world::Wait;
use crate::levels::Ordered;
use crate::order::Order;
use crate::spawn::Spawn;
use crate::unwind;
use crate::worker::Worker;

/// A world of its own: simulated threads, virtual time, and the order in which the threads run.
///
/// The thread that makes it drives it, and is one of its threads. It lends threads to executors of
/// the host [`SimHost`]: `POOL.start(&simulation)`. Any number of simulations may run at once, each
/// in a thread of its own.
///
/// # Time
///
/// The clock stands still while tasks run. It moves when the driving thread says so, in
/// [`advance`](Self::advance) and [`run_until`](Self::run_until); when a task takes time, in
/// [`SimHost::spend`]; and when every thread waits, to the earliest date that any of them waits
/// for. Nothing sleeps for real.
///
/// # Order
///
/// Exactly one thread runs at a time. Without a seed it runs until it waits, ends, or lets others
/// run, and the thread that could run first comes next. With a [`seed`](Self::seed), another
/// thread may go on wherever the engine calls its host: when a thread wakes another one, tells of
/// work or of a [`Step`](crate::Step), looks for work in vain, is about to sleep, or starts. The
/// next thread is drawn from all that can run.
///
/// # Panics
///
/// A wait that nothing can end panics at once in the driving thread: every thread waits, and none
/// for a date. The message names the threads. What the simulated threads wait for then ends by a
/// panic as well, so that they end: when the driving thread waits again, or drops the simulation.
///
/// Dropping it panics if a thread is left then: an executor was not shut down, say. It also raises
/// the first panic by which a thread of [`spawn`](Self::spawn) has ended. It does neither if it is
/// dropped by a panic.
///
/// ```
/// use core::time::Duration;
/// use slotted::{Clock, Executor, Shutdown, SimHost, Simulation};
///
/// static POOL: Executor<2, 8, 64, SimHost> = Executor::new();
///
/// let simulation = Simulation::new().seed(7);
/// POOL.start(&simulation).unwrap();
/// // Two measurements of a second each, by two workers: at the same time.
/// let measure = || SimHost::spend(Duration::from_secs(1));
/// let handles = [POOL.submit(measure).unwrap(), POOL.submit(measure).unwrap()];
/// for handle in handles {
///     handle.result().unwrap();
/// }
/// assert_eq!(SimHost::now(), 1_000_000_000);
/// POOL.shutdown(Shutdown::Drain).unwrap();
/// ```
pub struct Simulation {
    threads: RefCell<Vec<thread::JoinHandle<()>>>,
    /// Stays in its thread.
    here: PhantomData<*const ()>,
}

impl Simulation {
    /// A world with the calling thread in it. Its threads run in the order in which they could.
    ///
    /// # Panics
    ///
    /// If the calling thread belongs to a simulation already.
    ///
    /// ```
    /// use slotted::{Clock, SimHost, Simulation};
    ///
    /// let simulation = Simulation::new();
    /// assert_eq!(SimHost::now(), 0);
    /// # drop(simulation);
    /// ```
    #[must_use = "dropping it ends the world"]
    #[expect(clippy::new_without_default, reason = "it enters the calling thread")]
    pub fn new() -> Self {
        baton::make();
        Self {
            threads: RefCell::new(Vec::new()),
            here: PhantomData,
        }
    }

    /// From now on the next thread is drawn from all that can run, by numbers that `seed` decides.
    /// The same seed draws the same threads, on every machine.
    ///
    /// ```
    /// use slotted::Simulation;
    ///
    /// for seed in 0..10 {
    ///     let simulation = Simulation::new().seed(seed);
    ///     // … the program, once for each seed
    ///     # drop(simulation);
    /// }
    /// ```
    #[must_use = "dropping it ends the world"]
    pub fn seed(self, seed: u64) -> Self {
        baton::with(|world| world.set_seed(seed));
        self
    }

    /// Calls `program` with a simulation of each seed, until one of them panics.
    ///
    /// A program that needs workers makes a new executor each time, or shuts its `static` one down.
    ///
    /// # Panics
    ///
    /// If `program` does. The message says with which seed, so that [`seed`](Self::seed) plays it
    /// again.
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU32, Ordering};
    /// use slotted::{Executor, Shutdown, SimHost, Simulation};
    ///
    /// static POOL: Executor<2, 8, 64, SimHost> = Executor::new();
    ///
    /// Simulation::check_seeds(0..20, |simulation| {
    ///     static COUNT: AtomicU32 = AtomicU32::new(0);
    ///     COUNT.store(0, Ordering::Relaxed);
    ///     POOL.start(simulation).unwrap();
    ///     let count = || COUNT.fetch_add(1, Ordering::Relaxed);
    ///     let handles = [POOL.submit(count).unwrap(), POOL.submit(count).unwrap()];
    ///     POOL.shutdown(Shutdown::Drain).unwrap();
    ///     drop(handles);
    ///     assert_eq!(COUNT.load(Ordering::Relaxed), 2);
    /// });
    /// ```
    #[track_caller]
    pub fn check_seeds(seeds: impl IntoIterator<Item = u64>, program: impl Fn(&Self)) {
        // Bound: the seeds.
        for seed in seeds {
            let play = || {
                let simulation = Self::new().seed(seed);
                program(&simulation);
            };
            let Err(panic) = unwind::catch(play) else {
                continue;
            };
            match panic.message() {
                Some(message) => panic!("slotted: with seed {seed}: {message}"),
                None => panic.resume(),
            }
        }
    }

    /// From now on keeps the latest `capacity` events for [`trace`](Self::trace). Without this call
    /// the trace is a hash alone.
    ///
    /// ```
    /// use slotted::Simulation;
    ///
    /// let simulation = Simulation::new().keep_events(2);
    /// simulation.spawn("one", || ()).unwrap();
    /// simulation.settle();
    /// let trace = simulation.trace();
    /// let events: Vec<String> = trace.events().map(|event| event.to_string()).collect();
    /// assert_eq!(events, ["0 ns, thread 1: ends", "0 ns, thread 0: goes on"]);
    /// ```
    #[must_use = "dropping it ends the world"]
    pub fn keep_events(self, capacity: usize) -> Self {
        baton::with(|world| world.trace.keep(capacity));
        self
    }

    /// Lets `duration` pass: [`run_until`](Self::run_until) so much later than now.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::{Clock, SimHost, Simulation};
    ///
    /// let simulation = Simulation::new();
    /// simulation.advance(Duration::from_secs(24 * 3600));
    /// assert_eq!(SimHost::now(), 86_400_000_000_000);
    /// ```
    pub fn advance(&self, duration: Duration) {
        self.run_until(baton::now().saturating_add(ticks(duration)));
    }

    /// Lets time pass until `tick`, in nanoseconds: from date to date, as far as threads wait for
    /// one. When it returns, every other thread waits for something that is not there. A tick that
    /// is past is taken for now.
    ///
    /// It does not drive an executor without workers. That is for the caller.
    ///
    /// # Blocking
    ///
    /// Until every other thread waits. A task that never waits keeps this call for ever.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::{Clock, SimHost, Simulation};
    ///
    /// let simulation = Simulation::new();
    /// simulation.spawn("blink", || {
    ///     for second in 1..=3 {
    ///         SimHost::spend(Duration::from_secs(1));
    ///         assert_eq!(SimHost::now(), second * 1_000_000_000);
    ///     }
    /// }).unwrap();
    /// simulation.run_until(2_000_000_000);
    /// assert_eq!(simulation.running_threads(), 1);
    /// simulation.run_until(3_000_000_000);
    /// assert_eq!(simulation.running_threads(), 0);
    /// ```
    pub fn run_until(&self, tick: u64) {
        let until = tick.max(baton::now());
        baton::wait(Wait::Rest { until });
    }

    /// Runs the other threads until each of them waits. No time passes.
    ///
    /// # Blocking
    ///
    /// As [`run_until`](Self::run_until).
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU32, Ordering};
    /// use slotted::{Executor, Shutdown, SimHost, Simulation};
    ///
    /// static RUNS: AtomicU32 = AtomicU32::new(0);
    /// static POOL: Executor<1, 4, 64, SimHost> = Executor::new();
    ///
    /// let simulation = Simulation::new();
    /// POOL.start(&simulation).unwrap();
    /// POOL.submit(|| RUNS.fetch_add(1, Ordering::Relaxed)).unwrap().detach();
    /// assert_eq!(RUNS.load(Ordering::Relaxed), 0); // no other thread has run
    /// simulation.settle();
    /// assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    /// POOL.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn settle(&self) {
        self.run_until(0);
    }

    /// Adds a thread that is no worker: it submits, or plays an interrupt or a device.
    ///
    /// # Errors
    ///
    /// If the system has no thread.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::{Clock, Executor, SimHost, Simulation};
    ///
    /// let simulation = Simulation::new();
    /// let executor: &'static Executor<0, 4, 64, SimHost> = Box::leak(Box::default());
    /// let (sample, handle) = executor.promise().unwrap();
    /// simulation.spawn("converter", move || {
    ///     SimHost::spend(Duration::from_micros(3));
    ///     sample.set_result(512).unwrap();
    /// }).unwrap();
    /// assert_eq!(handle.result(), Ok(512));
    /// assert_eq!(SimHost::now(), 3000);
    /// ```
    pub fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = baton::spawn(String::from(name), work)?;
        let mut threads = self.threads.borrow_mut();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// How many threads have not ended, but for the driving one.
    ///
    /// ```
    /// use slotted::Simulation;
    ///
    /// let simulation = Simulation::new();
    /// simulation.spawn("one", || ()).unwrap();
    /// assert_eq!(simulation.running_threads(), 1);
    /// simulation.settle();
    /// assert_eq!(simulation.running_threads(), 0);
    /// ```
    #[must_use]
    pub fn running_threads(&self) -> usize {
        baton::with(|world| world.alive())
    }

    /// What happened so far. Equal seeds give equal traces.
    ///
    /// ```
    /// use slotted::sim::Trace;
    /// use slotted::{Executor, Shutdown, SimHost, Simulation};
    ///
    /// fn play(seed: u64) -> Trace {
    ///     let pool: &'static Executor<2, 8, 64, SimHost> = Box::leak(Box::default());
    ///     let simulation = Simulation::new().seed(seed);
    ///     pool.start(&simulation).unwrap();
    ///     pool.map(0..8, |number: u32| number * number).for_each(drop);
    ///     pool.shutdown(Shutdown::Drain).unwrap();
    ///     simulation.trace()
    /// }
    /// assert_eq!(play(7), play(7));
    /// assert_ne!(play(7), play(8));
    /// ```
    #[must_use]
    pub fn trace(&self) -> Trace {
        baton::with(|world| world.trace.clone())
    }
}

impl Spawn<SimHost> for Simulation {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, SimHost>) -> io::Result<()> {
        let name = std::format!("worker {}", worker.index());
        self.spawn(&name, move || worker.run())
    }
}

impl<O: Order> Spawn<Ordered<SimHost, O>> for Simulation {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, Ordered<SimHost, O>>) -> io::Result<()> {
        let name = std::format!("worker {}", worker.index());
        self.spawn(&name, move || worker.run())
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let is_new = baton::with(|world| {
            world.close("slotted: the simulation was dropped while this thread waited")
        });
        // Those whose executor was shut down are about to leave.
        self.settle();
        let left = baton::with(|world| world.left());
        baton::wait(Wait::Ends);
        for thread in self.threads.get_mut().drain(..) {
            // Its panic is among those of the world.
            let _ = thread.join();
        }
        let panic = baton::unmake();
        if thread::panicking() {
            return;
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        assert!(
            !is_new || left.is_empty(),
            "slotted: the simulation was dropped before {left} had ended: shut the executors down \
             first, and let time pass for what waits for a date"
        );
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("now", &baton::now())
            .field("running_threads", &self.running_threads())
            .finish_non_exhaustive()
    }
}
