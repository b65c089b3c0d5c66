//! A thread of a program, with the handles and permits that it holds.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use slotted::{Clock, Permit, as_completed, wait};

use crate::host::BYTES;
use crate::ledger::{Account, Output};
use crate::limits::{take_completed_within, wait_for_all_within, wait_for_one_within};
use crate::play::{Promised, World};
use crate::program::{At, Body, Completion, Ending, Limit, Limited, Looks, Step, Way};
use crate::tasks::{
    Handle, Mission, Suspended, ask_any, cancel_any, perform, publish, run_chunks, run_joins,
    run_map, run_scope, take_all, wake_any,
};
use crate::world::{block_on, thread};

/// A thread of a program.
pub(crate) struct Actor<H: Clock> {
    world: Arc<World<H>>,
    number: usize,
    handles: Vec<(Handle<H>, Arc<Account>)>,
    permits: Vec<Permit<'static, BYTES, H>>,
}

impl<H: Clock> Actor<H> {
    pub(crate) fn new(world: Arc<World<H>>, number: usize) -> Self {
        Self {
            world,
            number,
            handles: Vec::new(),
            permits: Vec::new(),
        }
    }

    /// Takes the steps, and lets go of all that is left.
    pub(crate) fn play(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
        self.permits.clear();
        for (handle, account) in self.handles {
            if account.outlived_a_limit() {
                account.see(handle.result().as_ref());
            }
        }
    }

    /// Returns true if the thread may wait for a slot: no other thread waits for one of its own.
    fn may_wait_for_slots(&self) -> bool {
        self.handles.is_empty() && self.permits.is_empty() && self.world.frees_slots
    }

    fn chosen(&mut self, at: At) -> Option<&mut (Handle<H>, Arc<Account>)> {
        let place = usize::from(at) % self.handles.len().max(1);
        self.handles.get_mut(place)
    }

    fn step(&mut self, step: &Step) {
        let world = self.world.clone();
        match *step {
            Step::Submit(way, body) => self.submit(way, body),
            Step::Promise(how) => self.promise(how),
            Step::Reserve => self.permits.extend(world.pool.submitter().reserve()),
            Step::DropPermit => drop(self.permits.pop()),
            Step::Look(at) => {
                if let Some((handle, _)) = self.chosen(at) {
                    world.pool.raise(handle);
                }
                self.look(at);
            }
            Step::TryResult(at) => self.try_result(at),
            Step::Cancel(at) => {
                if let Some((handle, account)) = self.chosen(at) {
                    if handle.cancel() {
                        account.cancelled();
                    }
                }
            }
            Step::RequestStop(at) => self.request_stop(at),
            Step::Move(at, moments) => {
                if let Some((handle, _)) = self.chosen(at) {
                    world.pool.move_soon(handle, moments);
                }
            }
            Step::Budget(at, moments) => {
                if let Some((handle, account)) = self.chosen(at) {
                    account.has_budget();
                    world.pool.cancel_soon(handle, moments);
                }
            }
            Step::Callback(at, body) => self.add_callback(at, body),
            Step::End(at, ending) => self.end(at, ending),
            Step::Within(at, limited, limit) => self.wait_within(at, limited, limit),
            Step::Wait(when) => {
                let (mut handles, accounts) = self.take_handles();
                let _ = wait(&mut handles, when);
                take_all(handles, accounts);
            }
            Step::WaitWithin(when, limit) => {
                let (handles, accounts) = self.take_handles();
                wait_for_all_within(handles, accounts, when, limit);
            }
            Step::AsCompletedWithin(limit) => {
                let (handles, accounts) = self.take_handles();
                take_completed_within(handles, accounts, limit);
            }
            Step::AsCompleted => {
                let (handles, accounts) = self.take_handles();
                take_all(as_completed(handles), accounts);
            }
            Step::Map(map) if map.limit.is_some() || self.may_wait_for_slots() => {
                run_map(&world, map);
            }
            Step::Scope(tasks) => run_scope(&world, tasks),
            Step::Chunks(chunks) if self.may_wait_for_slots() => run_chunks(&world, chunks),
            Step::Map(_) | Step::Chunks(_) => {}
            Step::Joins(depth) => run_joins(&world, depth),
            Step::CancelAny(which) => cancel_any(&world, which),
            Step::AskAny(which) => ask_any(&world, which),
            Step::WakeAny(which) => wake_any(&world, which),
            Step::BeginShutdown(how) => world.begin_shutdown(how),
            Step::Shutdown(how) => world.shutdown(how),
            Step::ShutdownWithin(how, limit) => world.shutdown_within(how, limit),
            Step::Start => world.start(&world.crew),
            Step::StartRefused(worker) => world.start(&world.crew.refusing(worker)),
            Step::StartFailing(how, failing) => {
                world.shutdown(how);
                world.start(&world.crew.failing(Some(failing)));
            }
            Step::Drive(times) => (0..times).for_each(|_| _ = world.pool.run_one()),
        }
    }

    fn take_handles(&mut self) -> (Vec<Handle<H>>, Vec<Arc<Account>>) {
        core::mem::take(&mut self.handles).into_iter().unzip()
    }

    fn submit(&mut self, way: Way, body: Body) {
        let world = self.world.clone();
        let account = world.account(format!("thread {}: {way:?}, {body:?}", self.number));
        let mission = Mission::new(&world, &account, body);
        account.accepted();
        let submitter = world.pool.submitter();
        let submitted = match way {
            Way::Closure => submitter.submit(|| mission.run()).ok(),
            Way::Fallible => submitter.submit_fallible(|| mission.run()).ok(),
            Way::Blocking if self.may_wait_for_slots() => {
                submitter.submit_blocking(|| mission.run()).ok()
            }
            Way::Within(limit) => {
                match submitter.submit_timeout(|| mission.run(), limit.duration()) {
                    Ok(handle) => Some(handle),
                    // It came back, and can be tried again.
                    Err(refused) => submitter.submit(refused.into_inner()).ok(),
                }
            }
            Way::PermitWithin(limit) => {
                let permit = submitter.reserve_timeout(limit.duration());
                permit
                    .ok()
                    .and_then(|permit| permit.submit(|| mission.run()).ok())
            }
            Way::Future(rests) => {
                let future = Suspended::new(mission, rests);
                submitter.submit_future(future).ok()
            }
            Way::AsyncPermit if self.may_wait_for_slots() && world.has_workers => {
                let permit = block_on::<H, _>(submitter.reserve_async());
                permit
                    .ok()
                    .and_then(|permit| permit.submit(|| mission.run()).ok())
            }
            Way::Permit | Way::Blocking | Way::AsyncPermit => {
                let permit = self.permits.pop().or_else(|| submitter.reserve().ok());
                permit.and_then(|permit| permit.submit(|| mission.run()).ok())
            }
            Way::PermitFuture(rests) => {
                let permit = self.permits.pop().or_else(|| submitter.reserve().ok());
                let future = Suspended::new(mission, rests);
                permit.and_then(|permit| permit.submit_future(future).ok())
            }
            Way::At(date) if world.keeps_time => {
                account.is_dated();
                world.pool.submit_at(date, Box::new(|| mission.run()))
            }
            Way::Every(runs) if world.keeps_time => {
                account.is_dated();
                world.pool.submit_every(runs, Box::new(|| mission.run()))
            }
            Way::At(_) | Way::Every(_) => submitter.submit(|| mission.run()).ok(),
            Way::Stoppable(looks) => submitter
                .submit_stoppable(move |stop| mission.run_stoppable(stop, looks))
                .ok(),
            Way::PermitStoppable(looks) => {
                let permit = self.permits.pop().or_else(|| submitter.reserve().ok());
                permit.and_then(|permit| {
                    permit
                        .submit_stoppable(move |stop| mission.run_stoppable(stop, looks))
                        .ok()
                })
            }
        };
        match submitted {
            Some(handle) => {
                publish(&world, &handle, &account);
                if let Way::Stoppable(Looks::UntilAsked) | Way::PermitStoppable(Looks::UntilAsked) =
                    way
                {
                    world.endless.send((handle.canceller(), account.clone()));
                }
                self.handles.push((handle, account));
            }
            None => account.refused(),
        }
    }

    fn promise(&mut self, how: Completion) {
        let world = self.world.clone();
        let account = world.account(format!("thread {}: promise, {how:?}", self.number));
        let Ok((promise, handle)) = world.pool.submitter().promise::<Output>() else {
            return;
        };
        account.accepted();
        account.is_promise();
        publish(&world, &handle, &account);
        self.handles.push((handle, account.clone()));
        world.promises.send(Promised {
            promise,
            how,
            account,
        });
    }

    /// Other threads go on, so only what never turns back can be checked.
    fn look(&mut self, at: At) {
        let Some((handle, account)) = self.chosen(at) else {
            return;
        };
        let was_done = handle.done();
        let (was_cancelled, is_running) = (handle.cancelled(), handle.running());
        let was_asked = handle.stop_requested();
        if was_asked && !(handle.stop_requested() && account.takes_requests()) {
            account.fault("a task that was asked to stop is not".into());
        }
        if was_done && (is_running || !handle.done()) {
            account.fault("a task that was done is not".into());
        }
        if was_cancelled && !(handle.cancelled() && handle.done()) {
            account.fault("a task that was cancelled is not".into());
        }
    }

    fn request_stop(&mut self, at: At) {
        let Some((handle, account)) = self.chosen(at) else {
            return;
        };
        account.asks();
        if handle.request_stop() {
            account.first_asked();
            if !handle.cancelled() && !handle.stop_requested() {
                account.fault("a request that was the first is not there".into());
            }
        } else if account.takes_requests() && !handle.done() && !handle.stop_requested() {
            account.fault("a closure was refused a request".into());
        }
    }

    /// Cancels a task, or asks it to stop, from two threads at once, which wait for its end.
    fn cancel_by_two(handle: Handle<H>, account: &Arc<Account>) {
        let handle = Arc::new(handle);
        let (other, theirs) = (handle.clone(), account.clone());
        let waits = move |handle: &Handle<H>, account: &Account| match handle.cancel_and_wait() {
            Some(error) => account.see(Err(error)),
            None if handle.done() => {}
            None => account.fault("a task that was waited for is not done".into()),
        };
        let thread = thread::spawn(move || waits(&other, &theirs));
        waits(&handle, account);
        thread.join().expect("waiting does not panic");
    }

    fn try_result(&mut self, at: At) {
        let place = usize::from(at) % self.handles.len().max(1);
        let Some((handle, account)) = self.handles.get_mut(place) else {
            return;
        };
        // A task that is done may have none: its callbacks run.
        if let Some(result) = handle.try_result() {
            account.see(result.as_ref());
            // There is nothing to take any more.
            drop(self.handles.swap_remove(place));
        }
    }

    /// Waits for a task. If the limit passes, the handle stays, and gives the outcome later.
    fn wait_within(&mut self, at: At, limited: Limited, limit: Limit) {
        let place = usize::from(at) % self.handles.len().max(1);
        let Some((handle, account)) = self.handles.get_mut(place) else {
            return;
        };
        if wait_for_one_within(handle, account, limited, limit) {
            // There is nothing to take any more.
            drop(self.handles.swap_remove(place));
        }
    }

    fn add_callback(&mut self, at: At, body: Body) {
        let world = self.world.clone();
        let Some((handle, account)) = self.chosen(at) else {
            return;
        };
        let called = account.clone();
        account.callback_added();
        let added = handle.add_done_callback(move |outcome| {
            called.callback_called();
            called.see(outcome);
            perform(&world, body);
        });
        if added.is_err() {
            account.callback_refused();
        }
    }

    fn end(&mut self, at: At, ending: Ending) {
        if self.handles.is_empty() {
            return;
        }
        let (mut handle, account) = {
            let place = usize::from(at) % self.handles.len();
            self.handles.swap_remove(place)
        };
        match ending {
            Ending::Await if self.world.has_workers => {
                account.see(block_on::<H, _>(handle).as_ref());
            }
            Ending::Result | Ending::Await => account.see(handle.result().as_ref()),
            Ending::Inline => account.see(handle.result_inline().as_ref()),
            Ending::WaitThenTake => {
                account.see(handle.wait());
                if let Some(result) = handle.try_result() {
                    account.see(result.as_ref());
                }
            }
            Ending::Drop => drop(handle),
            Ending::Detach => handle.detach(),
            Ending::Forget => self.forget(handle, &account),
            Ending::CancelOnDrop => {
                account.perhaps_cancelled();
                drop(handle.cancel_on_drop());
            }
            Ending::CancelSync => {
                account.asks();
                account.perhaps_cancelled();
                account.see(handle.cancel_sync().as_ref());
            }
            Ending::CancelByTwo => {
                account.asks();
                account.perhaps_cancelled();
                Self::cancel_by_two(handle, &account);
            }
        }
    }

    /// Leaks a slot, if enough are left.
    fn forget(&mut self, handle: Handle<H>, account: &Account) {
        let one_less = |left: usize| left.checked_sub(1);
        let forgettable = &self.world.forgettable;
        let forgets = forgettable.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        if forgets.is_ok() {
            account.forgotten();
            core::mem::forget(handle);
        }
    }
}
