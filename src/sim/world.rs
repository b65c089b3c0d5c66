//! The world of a simulation: its threads, its time, and which thread runs next.
//!
//! It knows no locks and no real threads: the thread that runs has it, and changes it.

use core::any::Any;
use core::mem;
use std::boxed::Box;
use std::collections::VecDeque;
use std::string::String;
use std::vec::Vec;

use super::baton::SimThread;
use super::chance::Chance;
use super::steps::{step_words, without_addresses};
use super::trace::{Action, Event, Trace};
use crate::step::Step;

/// The thread that made the simulation.
pub(super) const DRIVER: u32 = 0;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A permit, or a tick.
    Permit { until: Option<u64> },
    /// A tick.
    Date { until: u64 },
    /// The driving thread: a tick, and that no other thread can run then.
    Rest { until: u64 },
    /// A turn, in a world that has ended: until it is unwound.
    Turn,
    /// The driving thread: the end of all others.
    Ends,
}

impl Wait {
    /// The tick at which it is over.
    fn date(self) -> Option<u64> {
        match self {
            // The end of time is no date: a time limit so far away is none.
            Self::Permit { until } => until.filter(|&until| until != u64::MAX),
            Self::Date { until } | Self::Rest { until } => Some(until),
            Self::Turn | Self::Ends => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It runs, or stands among those that can.
    Able,
    Waits(Wait),
    Ended,
}

struct Member {
    name: String,
    thread: SimThread,
    life: Life,
    permit: bool,
    /// Its wait ends by a panic.
    unwinds: bool,
    /// A wait of it has ended so.
    was_unwound: bool,
}

/// How a thread goes on after a wait.
pub(super) enum WakeUp {
    /// What it waited for is there.
    Normal,
    /// Nothing could end the wait: it panics with this message.
    Unwind(String),
}

/// Another thread runs next.
pub(super) struct Switch {
    pub(super) from: SimThread,
    pub(super) to: SimThread,
}

pub(super) struct World {
    now: u64,
    seed: Option<u64>,
    chance: Option<Chance>,
    members: Vec<Member>,
    /// The number of the thread that runs.
    running: u32,
    /// Threads that can run, the longest able first, without the running thread.
    able: VecDeque<u32>,
    /// Those that wait, the longest waiting first.
    waiting: Vec<u32>,
    /// Nothing could end the waits, or the simulation was dropped: threads are unwound.
    ended: Option<String>,
    /// The panics of threads that ended by one.
    panics: Vec<Box<dyn Any + Send>>,
    pub(super) trace: Trace,
    /// The addresses of the executors, in the order in which they came.
    executors: Vec<usize>,
}

impl World {
    /// A world with the driving thread in it, which runs.
    pub(super) fn new(driver: SimThread) -> Self {
        let driver = Member {
            name: String::from("driver"),
            thread: driver,
            life: Life::Able,
            permit: false,
            unwinds: false,
            was_unwound: false,
        };
        Self {
            now: 0,
            seed: None,
            chance: None,
            members: Vec::from([driver]),
            running: DRIVER,
            able: VecDeque::new(),
            waiting: Vec::new(),
            ended: None,
            panics: Vec::new(),
            trace: Trace::new(),
            executors: Vec::new(),
        }
    }

    pub(super) fn set_seed(&mut self, seed: u64) {
        self.seed = Some(seed);
        self.chance = Some(Chance::new(seed));
    }

    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// The thread that runs.
    pub(super) fn running(&self) -> &SimThread {
        &self.members[self.running as usize].thread
    }

    /// Threads that have not ended, but for the driving one.
    pub(super) fn alive(&self) -> usize {
        let others = self.members.iter().skip(1);
        others.filter(|member| member.life != Life::Ended).count()
    }

    #[inline]
    pub(super) fn note(&mut self, action: Action) {
        self.trace.push(Event {
            tick: self.now,
            thread: self.running,
            action,
        });
    }

    /// Notes a step of a task or worker, without its addresses.
    #[inline]
    pub(super) fn note_step(&mut self, step: Step) {
        if self.trace.keeps_events() {
            self.note_kept_step(step);
        } else {
            self.trace.add(self.now, self.running, step_words(step));
        }
    }

    fn note_kept_step(&mut self, step: Step) {
        let step = without_addresses(step, |address| {
            let known = self.executors.iter().position(|known| *known == address);
            known.unwrap_or_else(|| {
                self.executors.push(address);
                self.executors.len() - 1
            })
        });
        self.note(Action::Noted(step));
    }

    /// Adds a thread that can run. The caller makes it.
    pub(super) fn add(&mut self, name: String, make: impl FnOnce(u32) -> SimThread) -> SimThread {
        // A thread takes more memory than a number.
        let number = self.members.len() as u32;
        let thread = make(number);
        self.members.push(Member {
            name,
            thread: thread.clone(),
            life: Life::Able,
            permit: false,
            unwinds: false,
            was_unwound: false,
        });
        self.able.push_back(number);
        self.trace.push(Event {
            tick: self.now,
            thread: number,
            action: Action::Started,
        });
        thread
    }

    /// Takes back the thread that was added last: the system has none.
    pub(super) fn take_back(&mut self, number: u32) {
        self.able.retain(|&able| able != number);
        self.members[number as usize].life = Life::Ended;
    }

    /// A point at which another thread may go on. Without a seed none does.
    #[inline]
    pub(super) fn point(&mut self) -> Option<Switch> {
        if self.able.is_empty() || self.chance.is_none() {
            return None;
        }
        self.draw_another()
    }

    /// As [`point`](Self::point), but without a seed all that can run go before.
    pub(super) fn let_others_run(&mut self) -> Option<Switch> {
        self.note(Action::Yielded);
        if self.ended.is_some() && self.running != DRIVER {
            return self.wait(Wait::Turn);
        }
        if self.chance.is_some() {
            return self.point();
        }
        let next = self.able.pop_front()?;
        self.able.push_back(self.running);
        Some(self.resume(next))
    }

    fn draw_another(&mut self) -> Option<Switch> {
        let drawn = self.chance.as_mut()?.below(self.able.len() + 1);
        let next = self.able.remove(drawn.checked_sub(1)?)?;
        self.able.push_back(self.running);
        Some(self.resume(next))
    }

    fn resume(&mut self, next: u32) -> Switch {
        let from = self.running().clone();
        self.running = next;
        self.note(Action::Resumed);
        let to = self.running().clone();
        Switch { from, to }
    }

    /// Takes the permit of the thread that runs.
    pub(super) fn take_permit(&mut self) -> bool {
        mem::take(&mut self.members[self.running as usize].permit)
    }

    /// Gives the thread of that number its permit.
    pub(super) fn unpark(&mut self, number: u32) {
        self.note(Action::Unparked(number));
        let member = &mut self.members[number as usize];
        if let Life::Waits(Wait::Permit { .. }) = member.life {
            self.wake(number);
        } else {
            member.permit = true;
        }
    }

    /// Returns true if `number` is `thread`.
    pub(super) fn has(&self, number: u32, thread: &SimThread) -> bool {
        let member = self.members.get(number as usize);
        member.is_some_and(|member| member.thread.is(thread))
    }

    /// The thread that runs waits, and another one runs, if it does not go on itself.
    pub(super) fn wait(&mut self, wait: Wait) -> Option<Switch> {
        if let Wait::Date { until } | Wait::Rest { until } = wait {
            if self.is_next(until) {
                self.now = until;
                return None;
            }
        }
        let me = self.running;
        self.members[me as usize].life = Life::Waits(wait);
        self.waiting.push(me);
        let next = self.next();
        (next != me).then(|| self.resume(next))
    }

    /// Returns true if no thread can run before `until`, which is not past: a short cut of
    /// [`wait`](Self::wait).
    fn is_next(&self, until: u64) -> bool {
        let is_later = |number: &u32| {
            let date = self.wait_of(*number).and_then(Wait::date);
            date.is_none_or(|date| date > until)
        };
        self.ended.is_none()
            && self.able.is_empty()
            && until >= self.now
            && self.waiting.iter().all(is_later)
    }

    /// The thread that runs has ended, and another one runs.
    pub(super) fn end(&mut self, panic: Option<Box<dyn Any + Send>>) -> Switch {
        self.note(Action::Ended);
        self.members[self.running as usize].life = Life::Ended;
        self.panics.extend(panic);
        let next = self.next();
        self.resume(next)
    }

    /// How the thread that runs goes on after its wait.
    pub(super) fn wake_up(&mut self) -> WakeUp {
        let member = &mut self.members[self.running as usize];
        if !mem::take(&mut member.unwinds) {
            return WakeUp::Normal;
        }
        member.was_unwound = true;
        WakeUp::Unwind(self.ended.clone().unwrap_or_default())
    }

    /// Returns true if a wait of the thread that runs was ended by a panic.
    pub(super) fn was_unwound(&self) -> bool {
        self.members[self.running as usize].was_unwound
    }

    fn wake(&mut self, number: u32) {
        self.waiting.retain(|&waiting| waiting != number);
        self.members[number as usize].life = Life::Able;
        self.able.push_back(number);
    }

    /// The thread that runs next. Time moves if none can.
    ///
    /// Bound: each round but the last wakes a thread.
    fn next(&mut self) -> u32 {
        loop {
            if let Some(next) = self.draw() {
                return next;
            }
            if self.ended.is_some() || !self.move_time() {
                self.unwind_one();
            }
        }
    }

    fn draw(&mut self) -> Option<u32> {
        let count = self.able.len();
        match &mut self.chance {
            Some(chance) if count > 1 => self.able.remove(chance.below(count)),
            _ => self.able.pop_front(),
        }
    }

    fn wait_of(&self, number: u32) -> Option<Wait> {
        match self.members[number as usize].life {
            Life::Waits(wait) => Some(wait),
            Life::Able | Life::Ended => None,
        }
    }

    /// Moves time to the earliest date that a thread waits for, and wakes those that wait for it.
    /// The driving thread that lets time pass comes after all others of the same date. Returns
    /// false if there is no date.
    fn move_time(&mut self) -> bool {
        let (mut earliest, mut rest) = (None::<u64>, None);
        for &number in &self.waiting {
            match self.wait_of(number) {
                Some(Wait::Rest { until }) => rest = Some(until),
                Some(wait) => {
                    if let Some(date) = wait.date() {
                        earliest = Some(earliest.map_or(date, |earliest| earliest.min(date)));
                    }
                }
                None => {}
            }
        }
        if let Some(until) = rest.filter(|&until| earliest.is_none_or(|date| until < date)) {
            self.now = self.now.max(until);
            self.wake(DRIVER);
            return true;
        }
        let Some(date) = earliest else { return false };
        self.now = self.now.max(date);
        let due = |number: &u32| {
            !matches!(self.wait_of(*number), Some(Wait::Rest { .. }))
                && self.wait_of(*number).and_then(Wait::date) == Some(date)
        };
        let due: Vec<u32> = self.waiting.iter().copied().filter(due).collect();
        for number in due {
            self.wake(number);
        }
        true
    }

    /// Nothing can end the waits, or the world has ended. Ends one wait.
    ///
    /// The first is the driving thread's, by a panic that reports all of them. In a world that has
    /// ended the driving thread may wait for just this: that no other thread can run. Otherwise the
    /// others are unwound, the latest that waits first. Time passes only for the driving thread.
    fn unwind_one(&mut self) {
        let is_news = self.ended.is_none();
        if is_news {
            self.ended = Some(self.report());
        }
        let rests = matches!(self.wait_of(DRIVER), Some(Wait::Rest { .. }));
        let latest = self.waiting.iter().rev().find(|&&number| number != DRIVER);
        let number = latest.copied().filter(|_| !is_news && !rests);
        let number = number.unwrap_or(DRIVER);
        let wait = self.wait_of(number);
        if number != DRIVER {
            self.members[number as usize].unwinds = true;
        } else if let Some(date) = wait.and_then(Wait::date) {
            self.now = self.now.max(date);
        } else if wait != Some(Wait::Ends) {
            self.members[number as usize].unwinds = true;
        }
        self.wake(number);
    }

    /// Ends the world: its threads are unwound when they can do nothing else.
    /// Returns false if it has ended before.
    pub(super) fn close(&mut self, why: &str) -> bool {
        let is_new = self.ended.is_none();
        self.ended.get_or_insert_with(|| String::from(why));
        is_new
    }

    /// The names of the threads that have not ended, but for the driving one.
    pub(super) fn left(&self) -> String {
        let others = self.members.iter().zip(0..).skip(1);
        let left = others.filter(|(member, _)| member.life != Life::Ended);
        let names = left.map(|(member, number)| std::format!("thread {number} ({})", member.name));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The first panic that ended a thread.
    pub(super) fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        (!self.panics.is_empty()).then(|| self.panics.swap_remove(0))
    }

    fn report(&self) -> String {
        let waiting = self.waiting.iter().map(|&number| {
            let name = &self.members[number as usize].name;
            std::format!("thread {number} ({name})")
        });
        let waiting = waiting.collect::<Vec<_>>().join(", ");
        let seed = self
            .seed
            .map_or_else(String::new, |seed| std::format!(", with seed {seed}"));
        let panicked = match self.panics.len() {
            0 => String::new(),
            count => std::format!("; threads that have panicked: {count}"),
        };
        std::format!(
            "slotted: nothing can end the waits of {waiting} at {} ns{seed}{panicked}: every \
             thread waits, and none for a date. Complete what they wait for, or wait with a time \
             limit",
            self.now
        )
    }
}
