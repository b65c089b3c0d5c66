//! A race: every core, and an interrupt of each, submits tasks at once. Each task runs once, and
//! every result is right.

use core::cell::Cell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use portable_atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use slotted::{Executor, JoinHandle, Park, Ran, Shutdown, Spawn, TaskError};

use crate::{Board, Failure, SLOT_BYTES, Verdict, check};

/// Fewer slots than the submitters could fill, so the executor refuses some tasks.
const SLOTS: usize = 16;
/// The most unfinished tasks of a core.
const WINDOW: usize = 8;
/// The most unfinished tasks of an interrupt.
const INTERRUPT_WINDOW: usize = 4;

/// The race, for a `static`; a board runs it once. Each of `CORES` cores has a worker and an
/// interrupt, which submit `TASKS` tasks together.
pub struct Race<const CORES: usize, const TASKS: usize, H: Park> {
    executor: Executor<CORES, SLOTS, SLOT_BYTES, H>,
    /// How often each task ran.
    ran: [[AtomicU8; TASKS]; CORES],
    /// The number of right results.
    right: AtomicUsize,
    /// The number of wrong results, and of tasks in a thread that is not a worker.
    wrong: AtomicUsize,
    /// The ids of the workers' threads. Each is set when its core has started.
    ids: [AtomicUsize; CORES],
    /// The number of tasks that each worker ran.
    ran_by: [AtomicUsize; CORES],
    /// The number of cores that have started to submit.
    started: AtomicUsize,
    interrupts: [Mutex<Cell<Option<Interrupt<H>>>>; CORES],
    /// True for each core whose interrupt has submitted a task.
    interrupted: [AtomicBool; CORES],
}

/// What a core's interrupt keeps until the next one.
struct Interrupt<H: Park> {
    submitted: usize,
    unfinished: [Option<(usize, JoinHandle<'static, usize, H>)>; INTERRUPT_WINDOW],
}

impl<const CORES: usize, const TASKS: usize, H: Park> Race<CORES, TASKS, H> {
    /// The number of tasks that an interrupt submits.
    const INTERRUPTED: usize = TASKS / 16;
    /// The number of tasks that a core submits: those with the lower numbers.
    const FED: usize = TASKS - Self::INTERRUPTED;

    /// A race for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            executor: Executor::new(),
            ran: [const { [const { AtomicU8::new(0) }; TASKS] }; CORES],
            right: AtomicUsize::new(0),
            wrong: AtomicUsize::new(0),
            ids: [const { AtomicUsize::new(0) }; CORES],
            ran_by: [const { AtomicUsize::new(0) }; CORES],
            started: AtomicUsize::new(0),
            interrupts: [const {
                Mutex::new(Cell::new(Some(Interrupt {
                    submitted: 0,
                    unfinished: [const { None }; INTERRUPT_WINDOW],
                })))
            }; CORES],
            interrupted: [const { AtomicBool::new(false) }; CORES],
        }
    }

    /// Runs the race. `spawn` starts the workers, one on each core. `turn` calls `run_one` of the
    /// worker that lives in the calling thread.
    ///
    /// Returns how many races failed: 0 or 1.
    ///
    /// # Errors
    ///
    /// If a line cannot be written.
    pub fn run<S: Spawn<H>>(
        &'static self,
        spawn: &S,
        turn: impl Fn() -> Ran,
        out: &mut impl Write,
    ) -> Result<usize, fmt::Error> {
        match self.race(&Board { spawn, turn: &turn }) {
            Ok(()) => {
                let tasks = CORES * TASKS;
                writeln!(
                    out,
                    "ok {tasks} tasks from {CORES} cores and their interrupts, each run once"
                )?;
                Ok(0)
            }
            Err(Failure(why)) => {
                writeln!(
                    out,
                    "FAILED tasks from {CORES} cores and their interrupts: {why}"
                )?;
                Ok(1)
            }
        }
    }

    /// Submits tasks and takes results. Each core calls it from its own periodic interrupt.
    pub fn interrupt(&'static self, core: usize) {
        // Acquire: sees the ids of the workers' threads.
        if self.started.load(Ordering::Acquire) < CORES {
            return;
        }
        // The state is out of the critical section, and no other interrupt has it meanwhile.
        let taken = critical_section::with(|section| self.interrupts[core].borrow(section).take());
        let Some(mut interrupt) = taken else { return };
        for place in &mut interrupt.unfinished {
            if let Some((number, handle)) = place {
                let Some(result) = handle.try_result() else {
                    continue;
                };
                self.judge(core, *number, result);
                *place = None;
            }
            if interrupt.submitted < Self::INTERRUPTED {
                let number = Self::FED + interrupt.submitted;
                // If refused, the next interrupt tries again.
                let Ok(handle) = self.executor.submit(move || self.task(core, number)) else {
                    continue;
                };
                *place = Some((number, handle));
                interrupt.submitted += 1;
                self.interrupted[core].store(true, Ordering::Relaxed);
            }
        }
        critical_section::with(|section| {
            self.interrupts[core].borrow(section).set(Some(interrupt))
        });
    }

    fn race<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.executor.start(board.spawn)?;
        // The first turn attaches the worker of this core.
        let _ = (board.turn)();
        for core in 0..CORES {
            self.executor.submit(move || self.feed(core))?.detach();
        }
        while self.right.load(Ordering::Relaxed) < CORES * TASKS {
            check!(self.wrong.load(Ordering::Relaxed) == 0);
            let _ = (board.turn)();
        }
        self.executor.begin_shutdown(Shutdown::Drain);
        while (board.turn)() != Ran::Left {
            core::hint::spin_loop();
        }
        self.executor.shutdown(Shutdown::Drain)?;

        check!(self.wrong.load(Ordering::Relaxed) == 0);
        check!(
            self.ran
                .iter()
                .flatten()
                .all(|ran| ran.load(Ordering::Relaxed) == 1)
        );
        check!(
            self.ran_by
                .iter()
                .all(|ran| ran.load(Ordering::Relaxed) > 0)
        );
        check!(self.executor.stats().slots_in_use == 0);
        Ok(())
    }

    /// Submits the tasks of one core, on any core, and takes their results. It begins when each
    /// core runs one such task. Now and then it runs the oldest task, of any core. It holds back
    /// its last task until the interrupt of each core has submitted one. Otherwise the tasks of
    /// cores could fill all slots at every tick of an interrupt.
    fn feed(&'static self, core: usize) {
        self.ids[core].store(H::current_id(), Ordering::Relaxed); // the next line publishes it
        // AcqRel: a thread that sees the last increment sees all ids.
        self.started.fetch_add(1, Ordering::AcqRel);
        while self.started.load(Ordering::Acquire) < CORES {
            core::hint::spin_loop();
        }
        let mut unfinished = [const { None }; WINDOW];
        let (mut submitted, mut taken) = (0, 0);
        while taken < Self::FED {
            let all_interrupted = self
                .interrupted
                .iter()
                .all(|any| any.load(Ordering::Relaxed));
            let limit = if all_interrupted {
                Self::FED
            } else {
                Self::FED - 1
            };
            let mut refused = false;
            while submitted < limit && submitted - taken < WINDOW && !refused {
                match self.executor.submit(move || self.task(core, submitted)) {
                    Ok(handle) => {
                        unfinished[submitted % WINDOW] = Some(handle);
                        submitted += 1;
                    }
                    Err(_) => refused = true,
                }
            }
            self.executor.run_one();
            if let Some(handle) = unfinished[taken % WINDOW].take() {
                self.judge(core, taken, handle.result());
                taken += 1;
            }
        }
    }

    fn task(&self, core: usize, number: usize) -> usize {
        self.ran[core][number].fetch_add(1, Ordering::Relaxed);
        let id = H::current_id();
        match self
            .ids
            .iter()
            .position(|known| known.load(Ordering::Relaxed) == id)
        {
            Some(worker) => self.ran_by[worker].fetch_add(1, Ordering::Relaxed),
            None => self.wrong.fetch_add(1, Ordering::Relaxed),
        };
        answer(core, number)
    }

    fn judge(&self, core: usize, number: usize, result: Result<usize, TaskError>) {
        let verdict = if result.ok() == Some(answer(core, number)) {
            &self.right
        } else {
            &self.wrong
        };
        verdict.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a task returns: a number unlike any other task's, and never 0.
fn answer(core: usize, number: usize) -> usize {
    (core + 1) << 24 | number
}

impl<const CORES: usize, const TASKS: usize, H: Park> Default for Race<CORES, TASKS, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const CORES: usize, const TASKS: usize, H: Park> fmt::Debug for Race<CORES, TASKS, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race")
            .field("executor", &self.executor)
            .finish_non_exhaustive()
    }
}
