//! One core, unit by unit: interrupts, workers in contexts of rising urgency, sections with
//! interrupts off, and whatever runs below them. It is written from the executor's promises, not
//! from the analysis: workers take what they serve, the highest level first.

use std::collections::VecDeque;

use crate::set::{Kind, Set};

/// The events of one run.
#[derive(Debug)]
pub(crate) struct Script {
    /// For each task, when its events are, and when each comes into view: not earlier.
    pub(crate) events: Vec<VecDeque<(u64, u64)>>,
    pub(crate) horizon: u64,
    /// Of events of the same instant, those of this task come last.
    pub(crate) last: Option<usize>,
    pub(crate) dice: fastrand::Rng,
    /// Of 256 jobs so many are shorter than they may be.
    pub(crate) shorter: u8,
    /// Of 256 instants outside of a section so many begin one.
    pub(crate) sections: u8,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// For each task, the longest time from an event to the end of its job.
    pub(crate) responses: Vec<u64>,
    /// For each task, how many of its jobs were there at once.
    pub(crate) slots: Vec<usize>,
    /// Of all tasks.
    pub(crate) all_slots: usize,
    /// Dates of a series that passed while it ran.
    pub(crate) skipped: usize,
}

#[derive(Clone, Copy, Debug)]
struct Job {
    task: usize,
    event: u64,
    left: u64,
}

/// Who runs with interrupts off, for how long still.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Worker(usize),
    Below,
}

struct Machine<'a> {
    set: &'a Set,
    script: &'a mut Script,
    now: u64,
    /// No event comes before this instant.
    next: u64,
    /// Interrupts that wait, or of which the first runs. A task's pushes its job at its end.
    interrupts: VecDeque<Job>,
    /// One list for each level.
    queue: [VecDeque<Job>; 4],
    workers: Vec<Option<Job>>,
    section: Option<(Context, u64)>,
    here: Vec<usize>,
    seen: Seen,
}

pub(crate) fn play(set: &Set, mut script: Script) -> Seen {
    let count = set.tasks.len();
    let mut machine = Machine {
        set,
        script: &mut script,
        now: 0,
        next: 0,
        interrupts: VecDeque::new(),
        queue: Default::default(),
        workers: vec![None; set.workers.len()],
        section: None,
        here: vec![0; count],
        seen: Seen {
            responses: vec![0; count],
            slots: vec![0; count],
            ..Seen::default()
        },
    };
    let mut ended = None;
    while machine.now < machine.script.horizon {
        // An event may come just before the end of a job at the same instant. A series has its next
        // date only when its run has ended.
        let of_a_series = |task: &usize| set.tasks[*task].kind == Kind::Series;
        if let Some(task) = ended.take_if(|task| of_a_series(task)) {
            machine.here[task] -= 1;
        }
        machine.take_events();
        if let Some(task) = ended.take() {
            machine.here[task] -= 1;
        }
        ended = machine.step();
        machine.now += 1;
    }
    machine.seen
}

impl Machine<'_> {
    fn take_events(&mut self) {
        if self.now < self.next {
            return;
        }
        let mut due: Vec<usize> = (0..self.set.tasks.len())
            .filter(|task| {
                self.script.events[*task]
                    .front()
                    .is_some_and(|(_, comes)| *comes <= self.now)
            })
            .collect();
        self.script.dice.shuffle(&mut due);
        if let Some(last) = self.script.last {
            due.sort_by_key(|task| *task == last);
        }
        for task in due {
            // With jitter several may come at once.
            while let Some((event, _)) = self.script.events[task]
                .front()
                .copied()
                .filter(|(_, comes)| *comes <= self.now)
            {
                self.script.events[task].pop_front();
                if self.set.tasks[task].kind == Kind::Series && self.here[task] > 0 {
                    self.seen.skipped += 1;
                    continue;
                }
                if self.set.tasks[task].kind != Kind::Interrupt {
                    self.here[task] += 1;
                    self.seen.slots[task] = self.seen.slots[task].max(self.here[task]);
                    let all = self.here.iter().sum();
                    self.seen.all_slots = self.seen.all_slots.max(all);
                }
                let left = self.set.costs(task).0;
                self.interrupts.push_back(Job { task, event, left });
            }
        }
        let first = |events: &VecDeque<(u64, u64)>| events.front().map(|(_, comes)| *comes);
        let next = self.script.events.iter().filter_map(first).min();
        self.next = next.unwrap_or(u64::MAX);
    }

    fn push(&mut self, interrupt: Job) {
        let Job { task, event, .. } = interrupt;
        let most = self.set.costs(task).1;
        if most == 0 {
            return; // a mere interrupt
        }
        let shorter = self.script.dice.u8(..) < self.script.shorter;
        let left = if shorter {
            self.script.dice.u64(1..=most)
        } else {
            most
        };
        self.queue[self.set.tasks[task].level].push_back(Job { task, event, left });
    }

    /// The processor works for one unit. Returns the task whose job ends with it.
    fn step(&mut self) -> Option<usize> {
        if self.section.is_none() {
            // What takes no time is done at once.
            while self.interrupts.front().is_some_and(|first| first.left == 0) {
                let done = self.interrupts.pop_front().expect("there is a first one");
                self.push(done);
            }
            if let Some(first) = self.interrupts.front_mut() {
                first.left -= 1;
                if first.left == 0 {
                    let done = self.interrupts.pop_front().expect("there is a first one");
                    self.push(done);
                }
                return None;
            }
        }
        let context = match self.section {
            Some((context, _)) => context,
            None => self.most_urgent(),
        };
        self.go_on_with_sections(context);
        let Context::Worker(worker) = context else {
            return None;
        };
        let job = self.workers[worker].as_mut().expect("it has a job");
        job.left -= 1;
        if job.left > 0 {
            return None;
        }
        let Job { task, event, .. } = *job;
        self.workers[worker] = None;
        let response = self.now + 1 - event;
        self.seen.responses[task] = self.seen.responses[task].max(response);
        Some(task)
    }

    /// The most urgent worker with a job. It takes one, if it had none.
    fn most_urgent(&mut self) -> Context {
        for (worker, serves) in self.set.workers.iter().enumerate() {
            if self.workers[worker].is_none() {
                let mut lists = self.queue[*serves..].iter_mut().rev();
                self.workers[worker] = lists.find_map(VecDeque::pop_front);
            }
            if self.workers[worker].is_some() {
                return Context::Worker(worker);
            }
        }
        Context::Below
    }

    /// Now and then `context` turns interrupts off, for a time that does not go beyond its job.
    fn go_on_with_sections(&mut self, context: Context) {
        let left = match context {
            Context::Worker(worker) => self.workers[worker].map_or(0, |job| job.left),
            Context::Below => u64::MAX,
        };
        if self.section.is_none()
            && self.set.section > 0
            && self.script.dice.u8(..) < self.script.sections
        {
            let longest = self.set.section.min(left);
            let length = if self.script.dice.bool() {
                longest
            } else {
                self.script.dice.u64(1..=longest)
            };
            self.section = Some((context, length));
        }
        if let Some((_, length)) = &mut self.section {
            *length -= 1;
            if *length == 0 {
                self.section = None;
            }
        }
    }
}
