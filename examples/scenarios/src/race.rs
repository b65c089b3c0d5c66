//! Tasks submitted by every core, and by an interrupt of each, at once: each runs once, and every
//! result is right.

use core::cell::Cell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use portable_atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use slotted::{Executor, JoinHandle, Park, Pending, Ran, Spawn, TaskError};

use crate::{Board, Failure, SLOT_BYTES, Verdict, check};

/// Fewer than the submitters together could fill, so that some are refused.
const SLOTS: usize = 16;
/// How many unfinished tasks a core has.
const WINDOW: usize = 8;
/// How many unfinished tasks an interrupt has.
const INTERRUPT_WINDOW: usize = 4;

/// The race, for a `static`; it can be run once. Each of `CORES` cores has a worker and an
/// interrupt, which submit `TASKS` tasks together.
pub struct Race<const CORES: usize, const TASKS: usize, H: Park> {
    executor: Executor<CORES, SLOTS, SLOT_BYTES, H>,
    /// How often each task ran.
    ran: [[AtomicU8; TASKS]; CORES],
    /// How many results were right.
    right: AtomicUsize,
    /// How many were not, or came from a thread that is no worker.
    wrong: AtomicUsize,
    /// The numbers of the workers' threads; each is there when its core has started.
    ids: [AtomicUsize; CORES],
    /// How many tasks each of them ran.
    ran_by: [AtomicUsize; CORES],
    /// How many cores have started to submit.
    started: AtomicUsize,
    interrupts: [Mutex<Cell<Option<Interrupt<H>>>>; CORES],
    /// Whose interrupts have submitted something.
    interrupted: [AtomicBool; CORES],
}

/// What the interrupt of a core remembers until the next one.
struct Interrupt<H: Park> {
    submitted: usize,
    unfinished: [Option<(usize, JoinHandle<'static, usize, H>)>; INTERRUPT_WINDOW],
}

impl<const CORES: usize, const TASKS: usize, H: Park> Race<CORES, TASKS, H> {
    /// How many tasks an interrupt submits.
    const INTERRUPTED: usize = TASKS / 16;
    /// How many a core submits: those with the lower numbers.
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

    /// Runs the race. `spawn` lends the workers, one on each core; `turn` calls `run_one` of the
    /// one that lives in the calling thread.
    ///
    /// Says how many races failed: 0 or 1.
    ///
    /// # Errors
    ///
    /// If a line could not be written.
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

    /// Submits and looks for results. Each core calls it from a periodic interrupt of its own.
    pub fn interrupt(&'static self, core: usize) {
        // Acquire: the numbers of the workers' threads.
        if self.started.load(Ordering::Acquire) < CORES {
            return;
        }
        // Out of the critical section, and nobody else's meanwhile.
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
                // Refused: the next interrupt tries again.
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
        // Attaches the worker of this core.
        let _ = (board.turn)();
        for core in 0..CORES {
            self.executor.submit(move || self.feed(core))?.detach();
        }
        while self.right.load(Ordering::Relaxed) < CORES * TASKS {
            check!(self.wrong.load(Ordering::Relaxed) == 0);
            let _ = (board.turn)();
        }
        self.executor.begin_shutdown(Pending::Run);
        while (board.turn)() != Ran::Left {
            core::hint::spin_loop();
        }
        self.executor.shutdown(Pending::Run)?;

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

    /// Submits the tasks of one core, from whichever core it runs on: none begins before each has
    /// its own. Takes the results as it goes, and now and then runs the oldest task, which may
    /// be anybody's. Holds its last one back until the interrupt of each core has submitted
    /// something: the slots can be full at every one of its ticks for long, if those of other
    /// cores always come first.
    fn feed(&'static self, core: usize) {
        self.ids[core].store(H::current_id(), Ordering::Relaxed); // published by the next line
        self.started.fetch_add(1, Ordering::AcqRel); // all numbers are seen by who sees that all have started
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

/// What a task returns: another number than any other task, and never 0.
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
