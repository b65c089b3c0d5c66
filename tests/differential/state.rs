//! What must be so after each step, as far as both executors determine it: a pool of workers that
//! takes tasks in their order, and gates that hold tasks back.

use std::collections::{BTreeSet, VecDeque};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Value,
    Error,
    /// Python's workers have not come upon it yet.
    Cancelled,
    CancelledAndNotified,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) phase: Phase,
    pub(crate) fails: bool,
    pub(crate) gate: Option<usize>,
    pub(crate) is_promise: bool,
    /// A call moved its outcome out.
    pub(crate) is_taken: bool,
    /// Slotted's player has no handle of it any more.
    pub(crate) is_gone: bool,
    /// The open iterator has its handle.
    pub(crate) is_held: bool,
    pub(crate) callbacks: u32,
}

impl Task {
    pub(crate) fn new(fails: bool, gate: Option<usize>, is_promise: bool) -> Self {
        Self {
            phase: Phase::Pending,
            fails,
            gate,
            is_promise,
            is_taken: false,
            is_gone: false,
            is_held: false,
            callbacks: 0,
        }
    }

    /// Done for slotted, and for Python's `done()`.
    pub(crate) fn is_done(&self) -> bool {
        !matches!(self.phase, Phase::Pending | Phase::Running)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.phase, Phase::Cancelled | Phase::CancelledAndNotified)
    }

    /// Not done for Python's `wait` and `as_completed`.
    pub(crate) fn is_stale(&self) -> bool {
        self.phase == Phase::Cancelled
    }

    /// Slotted's player has the handle in its table.
    pub(crate) fn has_handle(&self) -> bool {
        !self.is_gone && !self.is_held
    }
}

/// What workers did while a step settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) begun: Vec<usize>,
    pub(crate) ended: Vec<usize>,
    pub(crate) notified: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) workers: usize,
    pub(crate) tasks: Vec<Task>,
    queue: VecDeque<usize>,
    /// Tasks that Python's pool of processes has marked as running, although none runs them.
    ahead: VecDeque<usize>,
    most_ahead: usize,
    pub(crate) running: Vec<usize>,
    opened: BTreeSet<usize>,
    /// The gate that each of the program's three gates is now.
    pub(crate) gates: [usize; 3],
    next_gate: usize,
    pub(crate) is_shut: bool,
    /// Numbers of the open iterator's tasks that it has not yielded.
    pub(crate) held: BTreeSet<usize>,
    /// Those of them that are done, in the order of completion.
    pub(crate) ready: Vec<usize>,
    pub(crate) is_iterating: bool,
}

impl State {
    pub(crate) fn new(workers: usize, most_ahead: usize) -> Self {
        Self {
            most_ahead,
            ahead: VecDeque::new(),
            workers,
            tasks: Vec::new(),
            queue: VecDeque::new(),
            running: Vec::new(),
            opened: BTreeSet::new(),
            gates: [0, 1, 2],
            next_gate: 3,
            is_shut: false,
            held: BTreeSet::new(),
            ready: Vec::new(),
            is_iterating: false,
        }
    }

    pub(crate) fn submit(&mut self, fails: bool, gate: Option<usize>) -> usize {
        self.tasks.push(Task::new(fails, gate, false));
        self.queue.push_back(self.tasks.len() - 1);
        self.tasks.len() - 1
    }

    /// Opens a gate for ever. Its place has another one from now on.
    pub(crate) fn open(&mut self, place: usize) -> usize {
        let gate = self.gates[place];
        self.opened.insert(gate);
        self.gates[place] = self.next_gate;
        self.next_gate += 1;
        gate
    }

    fn is_free(&self, task: usize) -> bool {
        self.tasks[task]
            .gate
            .is_none_or(|gate| self.opened.contains(&gate))
    }

    /// Ends a task with its value or its error.
    pub(crate) fn end(&mut self, task: usize, fails: bool) {
        self.tasks[task].phase = if fails { Phase::Error } else { Phase::Value };
        if self.held.contains(&task) {
            self.ready.push(task);
        }
    }

    /// Cancels a promise, and its holder sees that.
    pub(crate) fn abandon(&mut self, task: usize) {
        self.tasks[task].phase = Phase::CancelledAndNotified;
        if self.held.contains(&task) {
            self.ready.push(task);
        }
    }

    pub(crate) fn cancel(&mut self, task: usize) {
        if self.tasks[task].phase == Phase::Pending {
            self.tasks[task].phase = Phase::Cancelled;
        }
    }

    /// A shutdown cancels what waits. Python's workers never come upon it.
    pub(crate) fn cancel_queue(&mut self) {
        while let Some(task) = self.queue.pop_front() {
            self.cancel(task);
        }
    }

    /// Returns true if Python's pool has marked a task as running too early.
    pub(crate) fn is_ahead(&self, task: usize) -> bool {
        self.ahead.contains(&task)
    }

    /// Returns true if no task waits for a worker.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.ahead.is_empty()
    }

    /// Returns true if a shutdown would cancel a task of the open iterator.
    pub(crate) fn queues_held(&self) -> bool {
        self.queue.iter().any(|task| self.held.contains(task))
    }

    /// Returns true if a worker has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.running.len() < self.workers
    }

    /// Lets the workers go on until each waits at a gate or has nothing to do. Bound: each turn
    /// ends a task or takes one from the queue.
    pub(crate) fn settle(&mut self) -> Changes {
        let mut changes = Changes::default();
        loop {
            let (free, blocked) = self.running.iter().partition(|task| self.is_free(**task));
            self.running = blocked;
            let free: Vec<usize> = free;
            for task in &free {
                self.end(*task, self.tasks[*task].fails);
                changes.ended.push(*task);
            }
            let mut next = None;
            if self.is_idle() {
                next = self.ahead.pop_front();
            }
            if next.is_none() && (self.is_idle() || self.ahead.len() < self.most_ahead) {
                next = self.queue.pop_front();
            }
            match next {
                Some(task) if self.tasks[task].is_cancelled() => {
                    self.tasks[task].phase = Phase::CancelledAndNotified;
                    changes.notified.push(task);
                }
                Some(task) if !self.is_idle() => self.ahead.push_back(task),
                Some(task) => {
                    self.tasks[task].phase = Phase::Running;
                    self.running.push(task);
                    changes.begun.push(task);
                }
                None if free.is_empty() => return changes,
                None => {}
            }
        }
    }
}
