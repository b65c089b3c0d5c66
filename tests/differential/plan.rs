//! Makes lines of a random program's steps, and leaves out what is not determined:
//!
//! - A wait without a limit that nothing would end, in either language. A cancelled task that
//!   Python's workers have not come upon ends none of Python's waits, so no such wait has one.
//! - What a waiter sees that another thread overtakes. A step that waits beside another one
//!   ([`Step::While`]) sees the same whenever it begins, or is left out.
//! - The order of what two workers do at once. Where it is not determined, lines say `sorted`.
//! - A map while tasks wait at gates before all workers, unless its time limit is zero; and a
//!   time limit of zero otherwise.
//! - A second thread that uses a handle. Slotted's handles are owned; the borrow checker refuses.
//! - In pools of processes, what depends on which tasks were sent ahead, and when: whether such a
//!   task can be cancelled, and whether it runs. So too when Python's pool comes upon a cancelled
//!   task: it may miss that a process has taken the next one, and look only after another event.
//! - A shutdown that cancels what the open iterator holds, and a cancel of it: when Python's
//!   iterator yields a cancelled task depends on its workers.

use core::fmt::Write as _;
use std::collections::BTreeSet;

use crate::program::{Patience, Sketch, Step, When};
use crate::state::{Changes, Phase, State, Task};
use crate::world::Kind;

/// No program has more tasks. All of them, with their callbacks, fit the executors.
const MOST_TASKS: usize = 16;
const MOST_CALLBACKS: u32 = 4;

/// Writes a program, line by line.
pub(crate) struct Plan {
    kind: Kind,
    pub(crate) state: State,
    lines: Vec<String>,
}

/// What comes after a line.
pub(crate) enum After {
    /// No worker can go on.
    Nothing,
    /// Workers go on until they wait.
    Settles,
    /// Workers went on during the line.
    Settled(Changes),
}

pub(crate) struct Taken {
    pub(crate) line: String,
    pub(crate) after: After,
}

fn taken(line: String) -> Option<Taken> {
    let after = After::Nothing;
    Some(Taken { line, after })
}

fn moving(line: String) -> Option<Taken> {
    let after = After::Settles;
    Some(Taken { line, after })
}

fn list(tasks: impl IntoIterator<Item = usize>) -> String {
    tasks.into_iter().fold(String::new(), |mut said, task| {
        let _ = write!(said, " {task}");
        said
    })
}

fn word(patience: Patience) -> &'static str {
    match patience {
        Patience::Zero => "zero",
        Patience::Endless => "endless",
    }
}

fn when_word(when: When) -> &'static str {
    match when {
        When::FirstCompleted => "first-completed",
        When::FirstError => "first-error",
        When::AllCompleted => "all-completed",
    }
}

/// The lines of a random program.
pub(crate) fn lines(sketch: &Sketch, kind: Kind) -> Vec<String> {
    let workers = usize::from(sketch.workers);
    let most_ahead = match kind {
        Kind::Threads => 0,
        Kind::Processes => workers + 1,
    };
    let mut plan = Plan {
        kind,
        state: State::new(workers, most_ahead),
        lines: vec![format!("pool {workers}")],
    };
    for step in &sketch.steps {
        let before = plan.state.clone();
        match plan.take(step) {
            Some(taken) => plan.write(taken),
            None => plan.state = before,
        }
    }
    plan.lines.push("end".to_owned());
    plan.lines
}

impl Plan {
    fn write(&mut self, taken: Taken) {
        self.lines.push(taken.line);
        let mut changes = match taken.after {
            After::Nothing => return,
            After::Settles => self.state.settle(),
            After::Settled(changes) => changes,
        };
        if self.kind == Kind::Processes {
            // Python's pool may come upon these now, or when something wakes it later.
            for task in changes.notified.drain(..) {
                self.state.tasks[task].is_gone = true;
            }
        }
        let mut line = format!("settle {}", self.order());
        for (letter, tasks) in [
            ('b', &changes.begun),
            ('e', &changes.ended),
            ('n', &changes.notified),
        ] {
            for task in tasks {
                let _ = write!(line, " {letter}{task}");
            }
        }
        self.lines.push(line);
    }

    /// Whether the order of what workers do is determined.
    fn order(&self) -> &'static str {
        if self.state.workers == 1 && self.kind == Kind::Threads {
            "ordered"
        } else {
            "sorted"
        }
    }

    pub(crate) fn task(&self, at: usize) -> &Task {
        &self.state.tasks[at]
    }

    fn choose(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.state.tasks.len())
    }

    /// A task whose handle slotted's player has.
    fn choose_handle(&self, which: u8) -> Option<usize> {
        self.choose(which)
            .filter(|task| self.task(*task).has_handle())
    }

    fn choose_promise(&self, which: u8) -> Option<usize> {
        let promises: Vec<usize> = (0..self.state.tasks.len())
            .filter(|task| self.task(*task).is_promise)
            .collect();
        let at = usize::from(which).checked_rem(promises.len())?;
        Some(promises[at])
    }

    /// The tasks of a mask whose handles slotted's player has.
    pub(crate) fn choose_handles(&self, mask: u16) -> Vec<usize> {
        let tasks = 0..self.state.tasks.len();
        tasks
            .filter(|task| mask & 1 << task != 0 && self.task(*task).has_handle())
            .collect()
    }

    fn any(&self, tasks: &[usize], is_so: impl Fn(&Task) -> bool) -> bool {
        tasks.iter().any(|task| is_so(self.task(*task)))
    }

    fn all(&self, tasks: &[usize], is_so: impl Fn(&Task) -> bool) -> bool {
        tasks.iter().all(|task| is_so(self.task(*task)))
    }

    /// The rule of a line that sees cancelled tasks that Python's workers have not come upon.
    fn cancelled_rule(&self, tasks: &[usize]) -> String {
        let stale: Vec<usize> = tasks
            .iter()
            .copied()
            .filter(|task| self.task(*task).is_stale())
            .collect();
        match stale.is_empty() {
            true => String::new(),
            false => format!(" ! cancelled-is-done{}", list(stale)),
        }
    }

    fn take(&mut self, step: &Step) -> Option<Taken> {
        match step {
            Step::Submit { fails, gate } => self.submit(*fails, *gate),
            Step::Promise => {
                self.has_room()?;
                self.state.tasks.push(Task::new(false, None, true));
                taken(format!("promise {}", self.state.tasks.len() - 1))
            }
            Step::Open(_) | Step::SetResult(_) | Step::SetException(_) | Step::Abandon(_) => {
                moving(self.act(step)?)
            }
            Step::SetRunning(which) => {
                let task = self.choose_promise(*which)?;
                let phase = self.task(task).phase;
                let rule = match phase {
                    Phase::Pending => {
                        self.state.tasks[task].phase = Phase::Running;
                        ""
                    }
                    Phase::Cancelled => {
                        self.state.tasks[task].phase = Phase::CancelledAndNotified;
                        ""
                    }
                    Phase::CancelledAndNotified => " ! cancelled-again",
                    _ => "",
                };
                taken(format!("set-running {task}{rule}"))
            }
            Step::Cancel(which) => {
                let task = self
                    .choose(*which)
                    .filter(|task| !self.task(*task).is_held)?;
                // Python counts it as running, and here it may not be sent yet.
                if self.kind == Kind::Processes && self.state.is_ahead(task) {
                    return None;
                }
                // Of an ended task without a handle slotted's token only says that it is gone.
                if self.task(task).is_gone && self.task(task).is_done() {
                    return None;
                }
                self.state.cancel(task);
                moving(format!("cancel {task}"))
            }
            Step::State(which) => {
                let task = self.choose_handle(*which)?;
                let told = self.kind == Kind::Threads || self.task(task).is_promise;
                let name = if told { "state" } else { "over" };
                taken(format!("{name} {task}"))
            }
            Step::Callback(which, raises) => {
                let task = self.choose_handle(*which)?;
                let number = self.task(task).callbacks;
                if self.task(task).is_taken || number == MOST_CALLBACKS {
                    return None;
                }
                self.state.tasks[task].callbacks += 1;
                let habit = if *raises { "raises" } else { "quiet" };
                moving(format!("callback {task} {number} {habit}"))
            }
            Step::Drop(which) => {
                let task = self.choose_handle(*which)?;
                self.state.tasks[task].is_gone = true;
                taken(format!("drop {task}"))
            }
            Step::Iterate(mask) => self.iterate(*mask),
            Step::Leave => {
                // What is done must be taken first.
                if !self.state.is_iterating || !self.state.ready.is_empty() {
                    return None;
                }
                let left: Vec<usize> = self.state.held.iter().copied().collect();
                self.end_iteration();
                self.give_back(&left);
                taken("leave".to_owned())
            }
            Step::Map(items, take) => self.map(items, *take),
            Step::Shutdown { cancels, waits } => {
                if *cancels {
                    if self.state.queues_held() {
                        return None;
                    }
                    self.state.cancel_queue();
                }
                if *waits && !self.state.running.is_empty() {
                    return None;
                }
                // Slotted's pool of processes only knows shutdowns that wait, and Python's does not
                // cancel what it has marked as running.
                if self.kind == Kind::Processes && !(*waits && self.state.is_drained()) {
                    return None;
                }
                self.state.is_shut = true;
                let wait = if *waits { "wait" } else { "begin" };
                let how = if *cancels { "cancel" } else { "drain" };
                moving(format!("shutdown {wait} {how}"))
            }
            Step::While(action, wait) => self.take_both(action, wait),
            Step::Result(..)
            | Step::Peek(..)
            | Step::Exception(..)
            | Step::Wait(..)
            | Step::Completed(..)
            | Step::Next => taken(self.ask(step)?),
        }
    }

    fn has_room(&self) -> Option<()> {
        (self.state.tasks.len() < MOST_TASKS).then_some(())
    }

    fn submit(&mut self, fails: bool, gate: Option<u8>) -> Option<Taken> {
        self.has_room()?;
        let gate = gate.map(|place| self.state.gates[usize::from(place)]);
        let ending = if fails { "error" } else { "value" };
        let gate_word = gate.map_or("-".to_owned(), |gate| gate.to_string());
        if self.state.is_shut {
            let next = self.state.tasks.len();
            return taken(format!("submit {next} {ending} {gate_word}"));
        }
        let task = self.state.submit(fails, gate);
        moving(format!("submit {task} {ending} {gate_word}"))
    }

    /// A step that other steps wait for. It uses no handle.
    pub(crate) fn act(&mut self, step: &Step) -> Option<String> {
        match step {
            Step::Open(place) => {
                let gate = self.state.open(usize::from(place % 3));
                Some(format!("open {gate}"))
            }
            Step::SetResult(which) | Step::SetException(which) => {
                let task = self.choose_promise(*which)?;
                let fails = matches!(step, Step::SetException(_));
                if !self.task(task).is_done() {
                    self.state.end(task, fails);
                }
                let name = if fails { "set-exception" } else { "set-result" };
                Some(format!("{name} {task}"))
            }
            Step::Abandon(which) => {
                let task = self.choose_promise(*which)?;
                if self.task(task).phase != Phase::Pending {
                    return None;
                }
                self.state.abandon(task);
                Some(format!("abandon {task}"))
            }
            _ => None,
        }
    }

    /// A step that asks and may wait. Without a limit, only if the wait is over at once.
    pub(crate) fn ask(&mut self, step: &Step) -> Option<String> {
        match step {
            Step::Result(which, patience)
            | Step::Peek(which, patience)
            | Step::Exception(which, patience) => self.look(step, *which, *patience),
            Step::Wait(mask, when, patience) => {
                let tasks = self.choose_handles(*mask);
                if *patience == Patience::Endless && !self.is_waited(&tasks, *when) {
                    return None;
                }
                let rule = self.cancelled_rule(&tasks);
                let (when, patience) = (when_word(*when), word(*patience));
                let line = format!("wait {when} {patience}{}{rule}", list(tasks.clone()));
                self.give_back(&tasks);
                Some(line)
            }
            Step::Completed(mask, patience) => {
                let tasks = self.choose_handles(*mask);
                let is_over = self.all(&tasks, |task| task.is_done() && !task.is_stale());
                if *patience == Patience::Endless && !is_over {
                    return None;
                }
                let rule = self.cancelled_rule(&tasks);
                let line = format!("completed {}{}{rule}", word(*patience), list(tasks.clone()));
                self.give_back(&tasks);
                Some(line)
            }
            Step::Next => self.next(),
            _ => None,
        }
    }

    fn look(&mut self, step: &Step, which: u8, patience: Patience) -> Option<String> {
        let task = self.choose_handle(which)?;
        let (seen, is_endless) = (self.task(task).clone(), patience == Patience::Endless);
        if is_endless && !seen.is_done() {
            return None;
        }
        let name = match step {
            Step::Result(..) => "result",
            Step::Peek(..) => "peek",
            _ => "exception",
        };
        if name == "result" {
            let takes = matches!(seen.phase, Phase::Value | Phase::Error);
            self.state.tasks[task].is_taken |= takes;
            self.state.tasks[task].is_gone = is_endless;
        }
        let rule = if seen.is_taken { " ! moved-out" } else { "" };
        Some(format!("{name} {task} {}{rule}", word(patience)))
    }

    /// Returns true if a wait is over at once, in both languages.
    fn is_waited(&self, tasks: &[usize], when: When) -> bool {
        let is_done = |task: &Task| task.is_done() && !task.is_stale();
        let is_over = self.all(tasks, is_done);
        match when {
            When::FirstCompleted => is_over || self.any(tasks, is_done),
            When::FirstError => {
                is_over || self.any(tasks, |task| task.phase == Phase::Error && !task.is_taken)
            }
            When::AllCompleted => is_over,
        }
    }

    /// Handles that come back in another order. The done ones are known by their outcomes, and the
    /// cancelled ones are alike. Of the others, slotted's player knows one that is alone.
    fn give_back(&mut self, tasks: &[usize]) {
        let phases: &[&[Phase]] = match self.kind {
            Kind::Threads => &[&[Phase::Pending], &[Phase::Running]],
            Kind::Processes => &[&[Phase::Pending, Phase::Running]],
        };
        for phases in phases {
            let mut alike = tasks.to_vec();
            alike.retain(|task| phases.contains(&self.task(*task).phase));
            if alike.len() > 1 {
                alike
                    .iter()
                    .for_each(|task| self.state.tasks[*task].is_gone = true);
            }
        }
    }

    fn iterate(&mut self, mask: u16) -> Option<Taken> {
        let tasks = self.choose_handles(mask);
        let is_done = |task: &usize| self.task(*task).is_done();
        let done: Vec<usize> = tasks.iter().copied().filter(is_done).collect();
        // Python's iterator looks at the futures at its first `next`, which must not wait.
        if self.state.is_iterating || done.is_empty() || self.any(&tasks, Task::is_stale) {
            return None;
        }
        let yielded: BTreeSet<usize> = done.iter().copied().collect();
        self.state.is_iterating = true;
        self.state.held = tasks
            .iter()
            .copied()
            .filter(|task| !yielded.contains(task))
            .collect();
        for task in &self.state.held {
            self.state.tasks[*task].is_held = true;
        }
        taken(format!("iterate {}{}", done.len(), list(tasks)))
    }

    fn next(&mut self) -> Option<String> {
        if !self.state.is_iterating {
            return None;
        }
        if self.state.held.is_empty() {
            self.end_iteration();
            return Some("next 1 ordered".to_owned());
        }
        let ready = core::mem::take(&mut self.state.ready);
        let first = *ready.first()?;
        // Slotted's order is that of completion within each executor; promises have their own.
        let is_promise = |task: &usize| self.task(*task).is_promise;
        let is_alike = ready
            .iter()
            .all(|task| is_promise(task) == is_promise(&first));
        // Two cancelled handles are alike.
        let cancelled = ready
            .iter()
            .filter(|task| self.task(**task).is_cancelled())
            .count();
        let is_alike = is_alike && cancelled < 2;
        let is_ordered = is_alike && (self.order() == "ordered" || is_promise(&first));
        for task in &ready {
            self.state.held.remove(task);
            self.state.tasks[*task].is_held = false;
        }
        let order = if is_ordered { "ordered" } else { "sorted" };
        Some(format!("next {} {order}", ready.len()))
    }

    fn end_iteration(&mut self) {
        let held = core::mem::take(&mut self.state.held);
        held.iter()
            .for_each(|task| self.state.tasks[*task].is_held = false);
        self.state.ready.clear();
        self.state.is_iterating = false;
    }

    fn map(&mut self, items: &[bool], take: u8) -> Option<Taken> {
        let count = usize::from(take).min(items.len());
        let patience = if self.state.is_idle() {
            Patience::Endless
        } else {
            Patience::Zero
        };
        if self.kind == Kind::Processes && patience == Patience::Zero {
            return None; // what goes ahead of other tasks stays there
        }
        let mut rule = String::new();
        if self.state.is_shut && count > 0 {
            rule.push_str(" ! map-is-cancelled");
        } else if self.state.is_shut && !items.is_empty() {
            return None; // Python refuses, and slotted's map was never asked
        } else if patience == Patience::Endless {
            let failed = items.iter().take(count).position(|fails| *fails);
            let rest = failed.map_or(count, |failed| failed + 1)..count;
            if !rest.is_empty() {
                let word = |item: usize| match items[item] {
                    true => format!("error item {item}"),
                    false => format!("value {item}"),
                };
                let rest: Vec<String> = rest.map(word).collect();
                rule = format!(" ! map-goes-on {}", rest.join(", "));
            }
        }
        let items = items.iter().map(|fails| if *fails { " e" } else { " v" });
        let items: String = items.collect();
        taken(format!("map {} {take}{items}{rule}", word(patience)))
    }
}
