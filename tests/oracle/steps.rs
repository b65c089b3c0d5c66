//! One step of a program, taken by the real executor and by the oracle.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

use slotted::{
    Refusal, ReturnWhen, StdThreads, TaskError, as_completed, as_completed_timeout,
    error::CallbackRefusal, wait, wait_timeout,
};

use crate::foreign::lock;
use crate::mission::Mission;
use crate::model::{Oracle, Phase, map_body};
use crate::pair::Pair;
use crate::program::{Body, Patience, Step};
use crate::seen::{Event, Outcome, Seen};
use crate::{EXPECTED, Handle};

/// The one of `count` things that a number chooses.
fn choose(which: u8, count: usize) -> Option<usize> {
    usize::from(which).checked_rem(count)
}

fn refused<T>(result: Result<T, Refusal>) -> Seen {
    result.map_or_else(Seen::Refused, |_| Seen::Nothing)
}

impl Pair {
    /// Takes a step on both sides. Returns what the oracle expects and what was seen, or `None` if
    /// the step has nothing to work on.
    pub(crate) fn step(&mut self, step: &Step) -> Option<(Seen, Seen)> {
        let executor = self.shared.executor;
        Some(match *step {
            Step::Submit(body) => {
                let expected = refused(self.oracle.submit(body, None, false));
                let seen = executor.submit(Mission::new(&self.shared, body).closure());
                (expected, self.keep_submitted(seen))
            }
            Step::SubmitFallible(body) => {
                let expected = refused(self.oracle.submit(body, None, true));
                let seen = executor.submit_fallible(Mission::new(&self.shared, body).closure());
                (expected, self.keep_submitted(seen))
            }
            Step::SubmitFuture(suspensions, body) => {
                let expected = refused(self.oracle.submit(body, Some(suspensions), false));
                let mut mission = Mission::new(&self.shared, body);
                mission.suspensions = suspensions;
                let seen = executor.submit_future(mission);
                (expected, self.keep_submitted(seen))
            }
            Step::Promise => {
                let expected = self.oracle.reserve();
                if expected.is_ok() {
                    self.oracle.add(Phase::Open, Body::Returns(0), None, false);
                }
                let seen = executor.promise().map(|(promise, handle)| {
                    self.keep(handle);
                    self.promises
                        .push((self.handles[self.handles.len() - 1].0, promise));
                });
                (refused(expected), refused(seen))
            }
            Step::Reserve => {
                let expected = refused(self.oracle.reserve());
                let seen = executor.reserve();
                (
                    expected,
                    refused(seen.map(|permit| self.permits.push(permit))),
                )
            }
            Step::SubmitPermit(body) => {
                let permit = self.permits.pop()?;
                let expected = refused(self.oracle.submit_claimed(body, None, false));
                let seen = permit.submit(Mission::new(&self.shared, body).closure());
                (expected, self.keep_submitted(seen))
            }
            Step::DropPermit => {
                drop(self.permits.pop()?);
                self.oracle.figures.in_use -= 1;
                (Seen::Nothing, Seen::Nothing)
            }
            Step::RunOne => (
                Seen::Yes(self.oracle.run_one()),
                Seen::Yes(executor.run_one()),
            ),
            Step::RunUntilIdle => {
                let mut ran = 0;
                while self.oracle.run_one() {
                    ran += 1;
                }
                (Seen::Count(ran), Seen::Count(executor.run_until_idle()))
            }
            Step::Wake(which) => {
                let mut ids: Vec<usize> = lock(&self.shared.wakers).keys().copied().collect();
                ids.sort_unstable();
                let id = ids[choose(which, ids.len())?];
                // A stale waker may poll another task in vain.
                if self.oracle.is_gone(id) {
                    return None;
                }
                self.oracle.wake(id);
                let waker = lock(&self.shared.wakers)[&id].clone();
                waker.wake();
                (Seen::Nothing, Seen::Nothing)
            }
            Step::SetRunning(which) => {
                let (id, promise) = &self.promises[choose(which, self.promises.len())?];
                let expected = match self.oracle.tasks[*id].phase {
                    Phase::Open => {
                        self.oracle.tasks[*id].phase = Phase::Held;
                        Seen::Yes(true)
                    }
                    Phase::Done(Outcome::Cancelled) => Seen::Yes(false),
                    _ => Seen::Nothing,
                };
                (
                    expected,
                    promise
                        .set_running_or_notify_cancel()
                        .map_or(Seen::Nothing, Seen::Yes),
                )
            }
            Step::Keep(which, value) => {
                let (id, promise) = &self.promises[choose(which, self.promises.len())?];
                let expected = self.oracle.complete(*id, Outcome::Value(*id, value));
                (
                    Seen::Yes(expected),
                    Seen::Yes(promise.set_result(Ok((*id, value))).is_ok()),
                )
            }
            Step::Break(which, cancelled) => {
                let (id, promise) = &self.promises[choose(which, self.promises.len())?];
                let (outcome, error) = match cancelled {
                    true => (Outcome::Cancelled, TaskError::Cancelled),
                    false => (Outcome::Broken, TaskError::Broken),
                };
                let expected = self.oracle.complete(*id, outcome);
                (
                    Seen::Yes(expected),
                    Seen::Yes(promise.set_error(error).is_ok()),
                )
            }
            Step::DropPromise(which) => {
                let (id, promise) = self.promises.remove(choose(which, self.promises.len())?);
                self.oracle.drop_promise(id);
                drop(promise);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::CancelThrough(which) => {
                let cancellers = lock(&self.shared.cancellers).clone();
                let id = choose(which, cancellers.len())?;
                let expected = self.oracle.cancel_through(id);
                (
                    Seen::Yes(expected),
                    Seen::Yes(cancellers[id].is_some_and(|canceller| canceller.cancel())),
                )
            }
            Step::Cancel(which) => {
                let at = choose(which, self.handles.len())?;
                let expected = !self.taken[at] && self.oracle.cancel(self.handles[at].0);
                (Seen::Yes(expected), Seen::Yes(self.handles[at].1.cancel()))
            }
            Step::CancelOnDrop(which) => {
                let (id, handle, taken) = self.remove(choose(which, self.handles.len())?);
                if !taken {
                    self.oracle.cancel(id);
                    self.oracle.drop_handle(id);
                }
                drop(handle.cancel_on_drop());
                (Seen::Nothing, Seen::Nothing)
            }
            Step::Drop(which) => {
                let (id, handle, _) = self.remove(choose(which, self.handles.len())?);
                self.oracle.drop_handle(id);
                drop(handle);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::Forget(which) => {
                let (_, handle, taken) = self.remove(choose(which, self.handles.len())?);
                self.forgotten += usize::from(!taken);
                core::mem::forget(handle);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::TryResult(which) => {
                let at = choose(which, self.handles.len())?;
                let expected = self.expected_outcome(at);
                let seen = self.handles[at]
                    .1
                    .try_result()
                    .map(|outcome| Outcome::of(outcome.as_ref()));
                (Seen::Outcomes(vec![expected]), Seen::Outcomes(vec![seen]))
            }
            Step::Await(which) => {
                let at = choose(which, self.handles.len())?;
                let expected = self.expected_outcome(at);
                let seen = match Pin::new(&mut self.handles[at].1)
                    .poll(&mut Context::from_waker(Waker::noop()))
                {
                    Poll::Ready(outcome) => Some(Outcome::of(outcome.as_ref())),
                    Poll::Pending => None,
                };
                (Seen::Outcomes(vec![expected]), Seen::Outcomes(vec![seen]))
            }
            Step::Result(which, patience) => self.result(which, patience)?,
            Step::Error(which, patience) => self.error(which, patience)?,
            Step::Callback(which, panics) => self.add_callback(which, panics)?,
            Step::Wait(count, when, patience) => self.wait(count, when, patience)?,
            Step::AsCompleted(count, take, patience) => {
                let count = choose(count, self.handles.len() + 1)?;
                self.as_completed(count, choose(take, count + 1)?, patience)?
            }
            Step::Map {
                items,
                size,
                unordered,
                take,
                detach,
            } => self.map(items, size, unordered, take, detach)?,
            Step::BeginShutdown(pending) => {
                self.oracle.begin_shutdown(pending);
                executor.begin_shutdown(pending);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::Shutdown(pending) => {
                self.oracle.begin_shutdown(pending);
                if !self.oracle.drive(Oracle::is_drained) {
                    return None;
                }
                (
                    Seen::Yes(true),
                    Seen::Yes(executor.shutdown(pending).is_ok()),
                )
            }
            Step::Start => {
                let expected = !self.oracle.closed || self.oracle.is_drained();
                self.oracle.closed &= !expected;
                (
                    Seen::Yes(expected),
                    Seen::Yes(executor.start(&StdThreads::new()).is_ok()),
                )
            }
        })
    }

    /// Takes a result. An endless wait consumes the handle.
    fn result(&mut self, which: u8, patience: Patience) -> Option<(Seen, Seen)> {
        let at = choose(which, self.handles.len())?;
        let (id, taken) = (self.handles[at].0, self.taken[at]);
        self.oracle
            .wait(patience, |oracle| taken || oracle.is_done(id))?;
        let expected = self.expected_outcome(at).unwrap_or(Outcome::TimedOut);
        let outcome = match patience {
            Patience::Zero => self.handles[at].1.result_timeout(Duration::ZERO),
            Patience::Endless => {
                let (id, handle, taken) = self.remove(at);
                if !taken {
                    self.oracle.drop_handle(id);
                }
                handle.result()
            }
        };
        Some((
            Seen::Outcomes(vec![Some(expected)]),
            Seen::Outcomes(vec![Some(Outcome::of(outcome.as_ref()))]),
        ))
    }

    /// Waits for an error without taking it.
    fn error(&mut self, which: u8, patience: Patience) -> Option<(Seen, Seen)> {
        let at = choose(which, self.handles.len())?;
        let (id, taken) = (self.handles[at].0, self.taken[at]);
        let done = self
            .oracle
            .wait(patience, |oracle| taken || oracle.is_done(id))?;
        let expected = match self.oracle.outcome(id) {
            _ if taken => Some(Outcome::AlreadyTaken),
            _ if !done => Some(Outcome::TimedOut),
            Some(Outcome::Value(..) | Outcome::Failure(..)) => None,
            outcome => outcome,
        };
        let error = match patience {
            Patience::Zero => self.handles[at].1.error_timeout(Duration::ZERO),
            Patience::Endless => self.handles[at].1.error(),
        };
        Some((
            Seen::Outcomes(vec![expected]),
            Seen::Outcomes(vec![error.map(|error| Outcome::of(Err(error)))]),
        ))
    }

    /// Adds a callback that logs the outcome.
    fn add_callback(&mut self, which: u8, panics: bool) -> Option<(Seen, Seen)> {
        let at = choose(which, self.handles.len())?;
        let (id, callback) = (self.handles[at].0, self.callbacks);
        self.callbacks += 1;
        let expected = match self.oracle.outcome(id) {
            _ if self.taken[at] => Seen::CallbackRefused(CallbackRefusal::AlreadyTaken),
            Some(outcome) => {
                self.oracle.call(callback, panics, outcome);
                Seen::Nothing
            }
            None if self.oracle.claim().is_err() => Seen::CallbackRefused(CallbackRefusal::Full),
            None => {
                self.oracle.tasks[id].callbacks.push((callback, panics));
                Seen::Nothing
            }
        };
        let shared = Arc::clone(&self.shared);
        let added = self.handles[at].1.add_done_callback(move |outcome| {
            shared.log(Event::Called(callback, Outcome::of(outcome)));
            assert!(!panics, "{EXPECTED} a callback panics");
        });
        Some((
            expected,
            added.map_or_else(
                |refused| Seen::CallbackRefused(refused.reason()),
                |()| Seen::Nothing,
            ),
        ))
    }

    /// Waits for the first `count` handles, and drops them.
    fn wait(&mut self, count: u8, when: ReturnWhen, patience: Patience) -> Option<(Seen, Seen)> {
        let count = choose(count, self.handles.len() + 1)?;
        let ids: Vec<usize> = self.handles.iter().take(count).map(|(id, _)| *id).collect();
        let taken: Vec<bool> = self.taken[..count].to_vec();
        self.oracle
            .wait(patience, |oracle| oracle.is_waited(&ids, when, &taken))?;
        let mut handles: Vec<Handle> = (0..count).map(|_| self.remove(0).1).collect();
        let mut expected: Vec<Outcome> = Vec::new();
        for (&id, &taken) in ids.iter().zip(&taken) {
            let outcome = if taken {
                Some(Outcome::AlreadyTaken)
            } else {
                self.oracle.outcome(id)
            };
            expected.extend(outcome);
            self.oracle.drop_handle(id);
        }
        expected.sort_unstable();
        let waited = match patience {
            Patience::Zero => wait_timeout(&mut handles, Duration::ZERO, when),
            Patience::Endless => wait(&mut handles, when),
        };
        let not_done = waited.not_done.len();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for handle in waited.done {
            outcomes.extend(
                handle
                    .try_result()
                    .map(|outcome| Outcome::of(outcome.as_ref())),
            );
        }
        outcomes.sort_unstable();
        Some((
            Seen::Waited(expected.clone(), count - expected.len()),
            Seen::Waited(outcomes, not_done),
        ))
    }

    /// Takes `take` results of a map, and drops or detaches the map.
    fn map(
        &mut self,
        items: u8,
        size: u8,
        unordered: bool,
        take: u8,
        detach: bool,
    ) -> Option<(Seen, Seen)> {
        let executor = self.shared.executor;
        let expected = self.oracle.map(items, size, unordered, take, detach)?;
        let (shared, worker) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let numbers = (0..items).map(|_| shared.register(None));
        let work = move |id| {
            worker.log(Event::Ran(id));
            worker.perform(id, map_body(id))
        };
        let map = executor.map(numbers, work).buffersize(usize::from(size));
        let mut map = if unordered { map.unordered() } else { map };
        let next = |_| map.next().map(|outcome| Outcome::of(outcome.as_ref()));
        let seen = (0..take).map(next).collect();
        if detach {
            map.detach();
        } else {
            drop(map);
        }
        Some((expected, Seen::Outcomes(seen)))
    }

    /// Yields `take` of `count` handles, and keeps those that are left.
    fn as_completed(
        &mut self,
        count: usize,
        take: usize,
        patience: Patience,
    ) -> Option<(Seen, Seen)> {
        // Handles whose result was taken come first, then those of tasks that are done, then the
        // others in the order of completion.
        let mut left: Vec<usize> = (0..count).collect();
        let rank = |oracle: &Oracle, at: usize| match oracle.outcome(self.handles[at].0) {
            _ if self.taken[at] => Some((0, at)),
            Some(_) => Some((1, at)),
            None => None,
        };
        let done_before: Vec<Option<(usize, usize)>> =
            (0..count).map(|at| rank(&self.oracle, at)).collect();
        let rank = |oracle: &Oracle, at: usize| {
            let id = self.handles[at].0;
            done_before[at].or_else(|| oracle.is_done(id).then(|| (2, oracle.tasks[id].place)))
        };
        let (mut expected, mut timeout) = (Vec::new(), None);
        for _ in 0..take {
            let found = self.oracle.wait(patience, |oracle| {
                left.iter().any(|&at| rank(oracle, at).is_some())
            })?;
            if !found {
                timeout = Some((left.len(), count));
                break;
            }
            let ready = left
                .iter()
                .copied()
                .filter_map(|at| Some((rank(&self.oracle, at)?, at)));
            let (_, at) = ready.min().expect("a ready handle was found");
            left.retain(|other| *other != at);
            if self.taken[at] {
                expected.push(Outcome::AlreadyTaken);
            } else {
                expected.extend(self.oracle.outcome(self.handles[at].0));
                self.oracle.drop_handle(self.handles[at].0);
            }
        }

        let given: Vec<(usize, Handle, bool)> = (0..count).map(|_| self.remove(0)).collect();
        let names: Vec<(usize, bool)> = given.iter().map(|(id, _, taken)| (*id, *taken)).collect();
        let handles: Vec<Handle> = given.into_iter().map(|(_, handle, _)| handle).collect();
        let (mut seen, mut timed_out) = (Vec::new(), None);
        let rest: Vec<Handle> = match patience {
            Patience::Endless => {
                let mut completed = as_completed(handles);
                seen.extend(
                    completed
                        .by_ref()
                        .take(take)
                        .map(|handle| Outcome::of(handle.result().as_ref())),
                );
                completed.into_handles().collect()
            }
            Patience::Zero => {
                let mut completed = as_completed_timeout(handles, Duration::ZERO);
                let mut rest = Vec::new();
                for _ in 0..take {
                    match completed.next() {
                        Some(Ok(handle)) => seen.push(Outcome::of(handle.result().as_ref())),
                        Some(Err(timeout)) => {
                            timed_out = Some((timeout.unfinished(), timeout.total()));
                            rest = timeout.into_handles().collect();
                            assert!(completed.next().is_none());
                            break;
                        }
                        None => break,
                    }
                }
                rest
            }
        };
        if rest.is_empty() {
            left.drain(..)
                .for_each(|at| self.oracle.drop_handle(names[at].0));
        }
        assert_eq!(
            rest.len(),
            left.len(),
            "the handles that are left come back"
        );
        for (handle, at) in rest.into_iter().zip(left) {
            self.handles.push((names[at].0, handle));
            self.taken.push(names[at].1);
        }
        Some((
            Seen::Yielded(expected, timeout),
            Seen::Yielded(seen, timed_out),
        ))
    }
}
