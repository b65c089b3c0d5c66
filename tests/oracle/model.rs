//! The oracle: a slow and obvious model of an executor without workers.

use std::collections::VecDeque;

use slotted::{Refusal, ReturnWhen, Shutdown, TaskState};

use crate::SLOTS;
use crate::program::{Body, Patience, Suspensions};
use crate::seen::{Event, Outcome, Seen};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Ready,
    Suspended,
    Open,
    Held,
    Done(Outcome),
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) phase: Phase,
    pub(crate) body: Body,
    pub(crate) suspensions: Option<Suspensions>,
    pub(crate) polled: u8,
    pub(crate) fallible: bool,
    /// The task is an item of a map: it has no canceller in the table and logs no drop.
    pub(crate) mapped: bool,
    pub(crate) handle: bool,
    pub(crate) promise: bool,
    pub(crate) callbacks: Vec<(usize, bool)>,
    /// How many tasks were done before it.
    pub(crate) place: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) in_use: usize,
    pub(crate) high_water: usize,
    pub(crate) completed: usize,
    pub(crate) cancelled: usize,
    pub(crate) panicked: usize,
    pub(crate) refused: usize,
    pub(crate) callbacks_panicked: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) closed: bool,
    pub(crate) ready: VecDeque<usize>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) log: Vec<Event>,
    pub(crate) figures: Figures,
    pub(crate) done: usize,
}

impl Oracle {
    pub(crate) fn claim(&mut self) -> Result<(), Refusal> {
        if self.figures.in_use == SLOTS {
            return Err(if self.closed {
                Refusal::ShutDown
            } else {
                Refusal::Full
            });
        }
        self.figures.in_use += 1;
        self.figures.high_water = self.figures.high_water.max(self.figures.in_use);
        Ok(())
    }

    pub(crate) fn refuse(&mut self, reason: Refusal) -> Result<(), Refusal> {
        self.figures.refused += 1;
        Err(reason)
    }

    /// Takes a slot, and then a place in the ready queue.
    pub(crate) fn submit(
        &mut self,
        body: Body,
        suspensions: Option<Suspensions>,
        fallible: bool,
    ) -> Result<(), Refusal> {
        if let Err(reason) = self.claim() {
            self.log.push(Event::Gone(self.tasks.len()));
            return self.refuse(reason);
        }
        self.submit_claimed(body, suspensions, fallible)
    }

    pub(crate) fn submit_claimed(
        &mut self,
        body: Body,
        suspensions: Option<Suspensions>,
        fallible: bool,
    ) -> Result<(), Refusal> {
        if self.closed {
            self.figures.in_use -= 1;
            self.log.push(Event::Gone(self.tasks.len()));
            return self.refuse(Refusal::ShutDown);
        }
        self.ready.push_back(self.tasks.len());
        self.add(Phase::Ready, body, suspensions, fallible);
        Ok(())
    }

    pub(crate) fn add(
        &mut self,
        phase: Phase,
        body: Body,
        suspensions: Option<Suspensions>,
        fallible: bool,
    ) {
        let promise = phase == Phase::Open;
        let (callbacks, place) = (Vec::new(), 0);
        let task = Task {
            phase,
            body,
            suspensions,
            polled: 0,
            fallible,
            mapped: false,
            handle: true,
            promise,
            callbacks,
            place,
        };
        self.tasks.push(task);
    }

    pub(crate) fn reserve(&mut self) -> Result<(), Refusal> {
        let reserved = if self.closed {
            Err(Refusal::ShutDown)
        } else {
            self.claim()
        };
        reserved.or_else(|reason| self.refuse(reason))
    }

    pub(crate) fn is_done(&self, id: usize) -> bool {
        matches!(self.tasks[id].phase, Phase::Done(_))
    }

    pub(crate) fn is_gone(&self, id: usize) -> bool {
        self.is_done(id) && !self.tasks[id].handle && !self.tasks[id].promise
    }

    pub(crate) fn outcome(&self, id: usize) -> Option<Outcome> {
        match self.tasks[id].phase {
            Phase::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Ends a task, with all that follows from it.
    pub(crate) fn end(&mut self, id: usize, outcome: Outcome) {
        if !self.tasks[id].promise && !self.tasks[id].mapped {
            self.log.push(Event::Gone(id));
        }
        self.tasks[id].phase = Phase::Done(outcome);
        self.tasks[id].place = self.done;
        self.done += 1;
        match outcome {
            Outcome::Cancelled => self.figures.cancelled += 1,
            Outcome::Panicked(..) => self.figures.panicked += 1,
            _ => {}
        }
        self.figures.completed +=
            usize::from(!matches!(outcome, Outcome::Cancelled | Outcome::Broken));
        for (callback, panics) in core::mem::take(&mut self.tasks[id].callbacks) {
            self.call(callback, panics, outcome);
            self.figures.in_use -= 1;
        }
        self.free_if_gone(id);
    }

    pub(crate) fn call(&mut self, callback: usize, panics: bool, outcome: Outcome) {
        self.log.push(Event::Called(callback, outcome));
        self.figures.callbacks_panicked += usize::from(panics);
    }

    pub(crate) fn free_if_gone(&mut self, id: usize) {
        self.figures.in_use -= usize::from(self.is_gone(id));
    }

    pub(crate) fn drop_handle(&mut self, id: usize) {
        if self.tasks[id].handle {
            self.tasks[id].handle = false;
            self.free_if_gone(id);
        }
    }

    pub(crate) fn cancel(&mut self, id: usize) -> bool {
        match self.tasks[id].phase {
            Phase::Ready | Phase::Suspended | Phase::Open => {
                self.ready.retain(|ready| *ready != id);
                self.end(id, Outcome::Cancelled);
                true
            }
            Phase::Held => false,
            Phase::Done(outcome) => outcome == Outcome::Cancelled,
        }
    }

    pub(crate) fn cancel_through(&mut self, id: usize) -> bool {
        !self.is_gone(id) && !self.tasks[id].mapped && self.cancel(id)
    }

    pub(crate) fn run_one(&mut self) -> bool {
        let Some(id) = self.ready.pop_front() else {
            return false;
        };
        self.log.push(Event::Ran(id));
        let Task {
            body,
            suspensions,
            polled,
            ..
        } = self.tasks[id];
        if let Some(suspensions) = suspensions.filter(|suspensions| polled < suspensions.times) {
            self.tasks[id].polled += 1;
            self.tasks[id].phase = Phase::Suspended;
            if suspensions.wakes_itself {
                self.wake(id);
            }
            return true;
        }
        // A running task can be neither started nor cancelled.
        self.tasks[id].phase = Phase::Held;
        let outcome = match body {
            Body::Returns(value) => Outcome::Value(id, value),
            Body::Fails(value) => Outcome::Failure(id, value),
            Body::Panics(value) => Outcome::Panicked(id, value),
            Body::Submits => {
                let child = self.tasks.len();
                let submitted = self.submit(Body::Returns(0), None, false).is_ok();
                if submitted {
                    self.drop_handle(child);
                }
                self.log.push(Event::Did(submitted));
                Outcome::Value(id, 0)
            }
            Body::Cancels(which) => {
                let cancelled = self.cancel_through(usize::from(which) % self.tasks.len());
                self.log.push(Event::Did(cancelled));
                Outcome::Value(id, 0)
            }
        };
        self.end(id, outcome);
        true
    }

    /// Runs ready tasks until the condition holds. Returns false if no ready task makes it hold.
    pub(crate) fn drive(&mut self, is_so: impl Fn(&Self) -> bool) -> bool {
        while !is_so(self) {
            if !self.run_one() {
                return false;
            }
        }
        true
    }

    /// Drives an endless wait, and only looks for a wait of zero. Returns `None` if the wait would
    /// never end.
    pub(crate) fn wait(
        &mut self,
        patience: Patience,
        is_so: impl Fn(&Self) -> bool,
    ) -> Option<bool> {
        match patience {
            Patience::Zero => Some(is_so(self)),
            Patience::Endless => self.drive(is_so).then_some(true),
        }
    }

    pub(crate) fn wake(&mut self, id: usize) {
        if self.tasks[id].phase == Phase::Suspended {
            self.tasks[id].phase = Phase::Ready;
            self.ready.push_back(id);
        }
    }

    pub(crate) fn begin_shutdown(&mut self, pending: Shutdown) {
        self.closed = true;
        if pending == Shutdown::Cancel {
            for id in 0..self.tasks.len() {
                if matches!(self.tasks[id].phase, Phase::Ready | Phase::Suspended) {
                    self.cancel(id);
                }
            }
        }
    }

    /// Returns true if no accepted task still needs a run.
    pub(crate) fn is_drained(&self) -> bool {
        self.tasks
            .iter()
            .all(|task| !matches!(task.phase, Phase::Ready | Phase::Suspended))
    }

    pub(crate) fn complete(&mut self, id: usize, outcome: Outcome) -> bool {
        let open = matches!(self.tasks[id].phase, Phase::Open | Phase::Held);
        if open {
            self.end(id, outcome);
        }
        open
    }

    pub(crate) fn drop_promise(&mut self, id: usize) {
        self.complete(id, Outcome::Broken);
        self.tasks[id].promise = false;
        self.free_if_gone(id);
    }

    pub(crate) fn is_waited(&self, ids: &[usize], when: ReturnWhen, taken: &[bool]) -> bool {
        let done = |at: usize| taken[at] || self.is_done(ids[at]);
        let failed = |at: usize| {
            let task = &self.tasks[ids[at]];
            !taken[at]
                && matches!(task.phase, Phase::Done(outcome) if outcome.is_failure(task.fallible))
        };
        let all = (0..ids.len()).all(done);
        all || match when {
            ReturnWhen::FirstCompleted => (0..ids.len()).any(done),
            ReturnWhen::FirstError => (0..ids.len()).any(failed),
            ReturnWhen::AllCompleted => false,
        }
    }

    /// Plays a map from its creation to its drop. Returns `None` if the map would wait for ever.
    pub(crate) fn map(
        &mut self,
        mut items: u8,
        size: u8,
        unordered: bool,
        take: u8,
        detach: bool,
    ) -> Option<Seen> {
        let size = usize::from(size).min(SLOTS);
        let (mut flight, mut yielded): (Vec<usize>, Vec<Option<Outcome>>) =
            (Vec::new(), Vec::new());
        let (mut refused, mut over) = (false, false);
        for _ in 0..take {
            let mut admit = |oracle: &mut Self, flight: &mut Vec<usize>| {
                oracle.claim().expect("a slot is free");
                if items == 0 {
                    oracle.figures.in_use -= 1;
                    return false;
                }
                items -= 1;
                flight.push(oracle.tasks.len());
                let body = map_body(oracle.tasks.len());
                oracle
                    .submit_claimed(body, None, false)
                    .expect("the executor is open");
                oracle.tasks.last_mut().expect("just added").mapped = true;
                true
            };
            let mut exhausted = false;
            while !refused && !over && !exhausted && flight.len() < size {
                refused = self.closed;
                if refused || self.figures.in_use == SLOTS {
                    break;
                }
                exhausted = !admit(self, &mut flight);
            }
            if flight.is_empty() && !refused && !over && !exhausted {
                if !self.drive(|oracle| oracle.figures.in_use < SLOTS) {
                    return None;
                }
                admit(self, &mut flight);
            }
            let next = if unordered {
                if !flight.is_empty()
                    && !self.drive(|oracle| flight.iter().any(|&id| oracle.is_done(id)))
                {
                    return None;
                }
                flight
                    .iter()
                    .copied()
                    .filter(|&id| self.is_done(id))
                    .min_by_key(|&id| self.tasks[id].place)
            } else {
                flight.first().copied()
            };
            yielded.push(match next {
                Some(id) => {
                    if !self.drive(|oracle| oracle.is_done(id)) {
                        return None;
                    }
                    flight.retain(|flying| *flying != id);
                    let outcome = self.outcome(id);
                    self.drop_handle(id);
                    outcome
                }
                None if refused && !over => {
                    over = true;
                    // A map without items left is refused nothing.
                    (items > 0).then_some(Outcome::Cancelled)
                }
                None => None,
            });
        }
        for &id in flight.iter().filter(|_| !detach) {
            self.cancel(id);
        }
        flight.into_iter().for_each(|id| self.drop_handle(id));
        Some(Seen::Outcomes(yielded))
    }

    pub(crate) fn state(&self, id: usize) -> TaskState {
        match self.tasks[id].phase {
            _ if self.is_gone(id) => TaskState::Gone,
            Phase::Done(Outcome::Cancelled) => TaskState::Cancelled,
            Phase::Done(_) => TaskState::Finished,
            Phase::Open => TaskState::Pending,
            Phase::Ready if self.tasks[id].polled == 0 => TaskState::Pending,
            Phase::Ready | Phase::Suspended | Phase::Held => TaskState::Running,
        }
    }
}

/// Some items of a map panic.
pub(crate) fn map_body(id: usize) -> Body {
    if id % 4 == 3 {
        Body::Panics(0)
    } else {
        Body::Returns(0)
    }
}
