//! What tasks and callbacks do.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::resume_unwind;
use std::sync::Arc;

use slotted::{Canceller, Clock, JoinHandle, Park, ReturnWhen, Scope, Stop, TaskError, wait};

use crate::host::BYTES;
use crate::ledger::{Account, Capture, Output};
use crate::limits::submit_and_wait_within;
use crate::play::World;
use crate::program::{Body, Date, Looks, Map, Rests};
use crate::world::{thread, with};

/// Thrown by tasks and callbacks that panic.
pub(crate) struct Expected;

/// What a task captures.
pub(crate) struct Mission<H: Clock> {
    capture: Capture,
    body: Body,
    world: Arc<World<H>>,
}

impl<H: Clock> Mission<H> {
    pub(crate) fn new(world: &Arc<World<H>>, account: &Arc<Account>, body: Body) -> Self {
        Self {
            capture: account.capture(),
            body,
            world: world.clone(),
        }
    }

    /// The task, which looks whether it was asked to stop, and then does the rest.
    pub(crate) fn run_stoppable(self, stop: &Stop, looks: Looks) -> Output {
        let mut left = match looks {
            Looks::Times(times) => times,
            Looks::UntilAsked => 1,
        };
        // Bound: the looks, or the request of a helper.
        while left > 0 && !stop.requested() {
            if looks != Looks::UntilAsked {
                left -= 1;
            }
            thread::yield_now();
        }
        if stop.requested() {
            self.capture.0.saw_request();
            if stop.check().is_ok() {
                self.capture.0.fault("a request was taken back".into());
            }
        }
        self.run()
    }

    /// The task.
    pub(crate) fn run(self) -> Output {
        self.capture.0.ran();
        self.check_thread();
        perform(&self.world, self.body);
        match self.body {
            Body::Fails => Err(self.capture.0.failure()),
            _ => Ok(self.capture.0.value()),
        }
    }
}

impl<H: Clock> Mission<H> {
    /// A thread that waits for the end of a scope runs tasks of the scope, and no others.
    fn check_thread(&self) {
        let id = H::current_id();
        let in_scope = with(&self.world.in_scopes, |ids| ids.contains(&id));
        if in_scope && self.world.has_workers {
            self.capture.0.fault("the owner of a scope runs it".into());
        }
    }
}

/// A task that is suspended so many times.
pub(crate) struct Suspended<H: Clock> {
    mission: Option<Mission<H>>,
    rests: Rests,
}

impl<H: Clock> Suspended<H> {
    pub(crate) fn new(mission: Mission<H>, rests: Rests) -> Self {
        mission.capture.0.is_future();
        Self {
            mission: Some(mission),
            rests,
        }
    }
}

impl<H: Clock> Future for Suspended<H> {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Output> {
        let Some(mission) = &self.mission else {
            panic!("a task is polled after its end");
        };
        if self.rests.times == 0 {
            let mission = self.mission.take().expect("it was there");
            return Poll::Ready(mission.run());
        }
        let world = mission.world.clone();
        let waker = context.waker();
        with(&world.wakers, |wakers| wakers.push(waker.clone()));
        self.rests.times -= 1;
        if self.rests.wakes_itself {
            waker.wake_by_ref();
        } else {
            world.alarm.send(waker.clone());
        }
        Poll::Pending
    }
}

/// What the body of a task or a callback does.
pub(crate) fn perform<H: Clock>(world: &Arc<World<H>>, body: Body) {
    match body {
        Body::Returns | Body::Fails => {}
        Body::Panics => resume_unwind(Box::new(Expected)),
        Body::Submits => drop(submit(world)),
        Body::SubmitsAndWaits => {
            if let Some((handle, account)) = submit(world) {
                account.see(handle.result().as_ref());
            }
        }
        Body::SubmitsAndRunsInline => {
            if let Some((handle, account)) = submit(world) {
                account.see(handle.result_inline().as_ref());
            }
        }
        Body::SubmitsAndWaitsForBoth => {
            if let (Some((one, first)), Some((two, second))) = (submit(world), submit(world)) {
                let mut handles = [one, two];
                let _ = wait(&mut handles, ReturnWhen::AllCompleted);
                take_all(handles, vec![first, second]);
            }
        }
        Body::SubmitsAndWaitsWithin(limit) => submit_and_wait_within(world, limit),
        Body::SubmitsAndWaitsForDates(runs) => {
            if let Some((handle, account)) = submit_dated(world, runs) {
                account.see(handle.result().as_ref());
            }
        }
        Body::SubmitsAndCancels => submit_and_cancel(world),
        Body::CancelsAny(which) => cancel_any(world, which),
        Body::AsksAny(which) => ask_any(world, which),
        Body::WakesAny(which) => wake_any(world, which),
        Body::Scopes(tasks) => run_scope(world, tasks),
        // Another thread would wait for a slot, and may hold the last one.
        Body::Maps(map) if map.limit.is_some() || world.crew.is_worker::<H>() => {
            run_map(world, map);
        }
        Body::Chunks(chunks) if world.crew.is_worker::<H>() => run_chunks(world, chunks),
        Body::Maps(_) | Body::Chunks(_) => {}
        Body::Joins(depth) => run_joins(world, depth),
        // In a worker it is an error. Elsewhere a future would wait for itself.
        Body::ShutsDown(how) if world.crew.is_worker::<H>() => world.shutdown(how),
        Body::BeginsShutdown(how) | Body::ShutsDown(how) => world.begin_shutdown(how),
    }
}

/// Takes the results of handles whose order is lost.
pub(crate) fn take_all<H: Clock>(
    handles: impl IntoIterator<Item = Handle<H>>,
    mut accounts: Vec<Arc<Account>>,
) {
    for handle in handles {
        if let Ok(output) = handle.result() {
            if !Account::take_of(&mut accounts, &output) {
                accounts[0].fault("a wait gave another task's value".into());
            }
        }
    }
}

pub(crate) type Handle<H> = JoinHandle<'static, Output, H>;

/// Submits a task that only returns, if there is room.
fn submit<H: Clock>(world: &Arc<World<H>>) -> Option<(Handle<H>, Arc<Account>)> {
    let account = world.account("nested".into());
    let mission = Mission::new(world, &account, Body::Returns);
    account.accepted();
    match world.pool.submitter().submit(move || mission.run()) {
        Ok(handle) => {
            publish(world, &handle, &account);
            Some((handle, account))
        }
        Err(_) => {
            account.refused();
            None
        }
    }
}

/// Submits a task for a date, or a series of so many runs more, if there is room. It only returns.
fn submit_dated<H: Clock>(world: &Arc<World<H>>, runs: u8) -> Option<(Handle<H>, Arc<Account>)> {
    if !world.keeps_time {
        return submit(world);
    }
    let account = world.account("nested, at dates".into());
    let mission = Mission::new(world, &account, Body::Returns);
    account.accepted();
    account.is_dated();
    let task = Box::new(move || mission.run());
    let submitted = match runs {
        0 => world.pool.submit_at(Date::Soon(2), task),
        runs => world.pool.submit_every(runs, task),
    };
    let Some(handle) = submitted else {
        account.refused();
        return None;
    };
    publish(world, &handle, &account);
    Some((handle, account))
}

/// Submits a task that ends only if it is asked, if there is room. Cancels it, or asks it, and
/// waits for its end.
fn submit_and_cancel<H: Clock>(world: &Arc<World<H>>) {
    let account = world.account("nested, until asked".into());
    let mission = Mission::new(world, &account, Body::Returns);
    account.accepted();
    let task = move |stop: &Stop| mission.run_stoppable(stop, Looks::UntilAsked);
    match world.pool.submitter().submit_stoppable(task) {
        Ok(handle) => {
            publish(world, &handle, &account);
            account.asks();
            account.perhaps_cancelled();
            account.see(handle.cancel_sync().as_ref());
        }
        Err(_) => account.refused(),
    }
}

/// Asks a task to stop. The account knows of the request before the task does.
pub(crate) fn ask<H: Park>(canceller: Canceller<'_, H>, account: &Account) {
    account.asks();
    if canceller.request_stop() {
        account.first_asked();
    }
}

/// Lets any thread cancel the task.
pub(crate) fn publish<H: Clock>(world: &World<H>, handle: &Handle<H>, account: &Arc<Account>) {
    let canceller = handle.canceller();
    with(&world.cancellers, |all| {
        all.push((canceller, account.clone()))
    });
}

pub(crate) fn cancel_any<H: Clock>(world: &World<H>, which: u8) {
    let chosen = with(&world.cancellers, |all| {
        let place = usize::from(which) % all.len().max(1);
        all.get(place).cloned()
    });
    if let Some((canceller, account)) = chosen {
        if canceller.cancel() {
            account.cancelled();
        }
    }
}

pub(crate) fn ask_any<H: Clock>(world: &World<H>, which: u8) {
    let chosen = with(&world.cancellers, |all| {
        let place = usize::from(which) % all.len().max(1);
        all.get(place).cloned()
    });
    if let Some((canceller, account)) = chosen {
        ask(canceller, &account);
    }
}

pub(crate) fn wake_any<H: Clock>(world: &World<H>, which: u8) {
    let chosen = with(&world.wakers, |all| {
        let place = usize::from(which) % all.len().max(1);
        all.get(place).cloned()
    });
    if let Some(waker) = chosen {
        waker.wake();
    }
}

pub(crate) fn run_map<H: Clock>(world: &Arc<World<H>>, map: Map) {
    let items = (0..map.items).map(|item| {
        let account = world.account(format!("item {item} of {map:?}"));
        // Dropping the map cancels it, and a shutdown loses it.
        account.perhaps_cancelled();
        account.accepted();
        Mission::new(world, &account, Body::Returns)
    });
    let submitter = world.pool.submitter();
    let results = submitter.map::<3, _, _, _>(items, Mission::run);
    let mut results = results.buffersize(usize::from(map.buffersize));
    if map.unordered {
        results = results.unordered();
    }
    if map.inline {
        results = results.inline();
    }
    let Some(limit) = map.limit else {
        take_some(world, &mut results, map);
        if map.detach {
            results.detach();
        }
        return;
    };
    let mut results = results.timeout(limit.duration());
    take_some(world, &mut results, map);
    if map.detach {
        results.detach();
    }
}

/// Takes so many results of a map. A limit that passes is its last word.
fn take_some<H: Clock>(
    world: &Arc<World<H>>,
    results: &mut impl Iterator<Item = Result<Output, TaskError>>,
    map: Map,
) {
    let mut limit_passed = false;
    for result in results.take(usize::from(map.take)) {
        let went_on = limit_passed;
        limit_passed |= matches!(result, Err(TaskError::TimedOut));
        if went_on || limit_passed && map.limit.is_none() {
            let account = world.account(format!("results of {map:?}"));
            account.fault("a map goes on after its limit, or has none".into());
        }
    }
}

pub(crate) fn run_scope<H: Clock>(world: &Arc<World<H>>, tasks: u8) {
    let accounts = { 0..tasks }.map(|_| world.account("of a scope".into()));
    let accounts: Vec<_> = accounts.collect();
    let id = H::current_id();
    with(&world.in_scopes, |ids| ids.push(id));
    world.pool.submitter().scope::<3, _>(|scope| {
        for account in &accounts {
            let capture = account.capture();
            account.accepted();
            let run = move || {
                capture.0.ran();
            };
            match scope.submit(run) {
                Ok(handle) => handle.detach(),
                Err(_) => account.refused(),
            }
        }
    });
    with(&world.in_scopes, |ids| {
        let place = ids.iter().position(|&other| other == id);
        place.map(|place| ids.swap_remove(place))
    });
    for account in &accounts {
        account.check_ended();
    }
}

/// Joins, each in the first closure of the one before. Each closure runs once, whatever happens.
pub(crate) fn run_joins<H: Clock>(world: &Arc<World<H>>, depth: u8) {
    let accounts = { 0..depth }.map(|_| world.account("of a join".into()));
    let accounts: Vec<_> = accounts.collect();
    let id = H::current_id();
    with(&world.in_scopes, |ids| ids.push(id));
    let joined = world
        .pool
        .submitter()
        .scope::<1, _>(|scope| join(scope, &accounts));
    with(&world.in_scopes, |ids| {
        let place = ids.iter().position(|&other| other == id);
        place.map(|place| ids.swap_remove(place))
    });
    for account in &accounts {
        account.check_ended();
        account.expect(joined == depth, "a join ended before its closures");
    }
}

/// Returns how many closures ran.
fn join<H: Park>(scope: &Scope<'_, '_, 1, BYTES, H>, accounts: &[Arc<Account>]) -> u8 {
    let Some((account, rest)) = accounts.split_first() else {
        return 0;
    };
    let capture = account.capture();
    account.accepted();
    let (deeper, one) = scope.join(
        || join(scope, rest),
        move || {
            capture.0.ran();
            1
        },
    );
    deeper + one
}

pub(crate) fn run_chunks<H: Clock>(world: &Arc<World<H>>, chunks: u8) {
    let mut numbers = vec![0_u8; usize::from(chunks)];
    let all = world.pool.submitter().scope::<3, _>(|scope| {
        let add_one = |chunk: &mut [u8]| chunk.iter_mut().for_each(|number| *number += 1);
        scope.for_each_chunk(&mut numbers, 1, add_one).is_ok()
    });
    let least = u8::from(all && !world.cancels_at_shutdown && !world.breaks);
    if !numbers.iter().all(|number| (least..=1).contains(number)) {
        world
            .account("chunks".into())
            .fault(format!("the chunks ran {numbers:?} times"));
    }
}
