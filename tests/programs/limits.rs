//! Calls with a time limit. What a limit cuts short is still there when it has passed.

use core::time::Duration;
use std::sync::Arc;

use slotted::{Clock, ReturnWhen, as_completed_timeout, wait_timeout};

use crate::ledger::Account;
use crate::play::World;
use crate::program::{Body, Limit, Limited};
use crate::tasks::{Handle, Mission, publish, take_all};

impl Limit {
    /// A moment is a microsecond.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

/// Waits for a task. Returns true if its outcome was taken.
pub(crate) fn wait_for_one_within<H: Clock>(
    handle: &mut Handle<H>,
    account: &Account,
    limited: Limited,
    limit: Limit,
) -> bool {
    let limit = limit.duration();
    match limited {
        Limited::Result => account.see_within(handle.result_timeout(limit).as_ref()),
        Limited::CancelSync => {
            account.asks();
            account.perhaps_cancelled();
            account.see_within(handle.cancel_sync_timeout(limit).as_ref())
        }
        Limited::Wait => {
            let is_known = account.see_within(handle.wait_timeout(limit));
            is_known && see_again(handle, account)
        }
        Limited::Error => {
            let is_known = match handle.error_timeout(limit) {
                Some(error) => account.see_within(Err(error)),
                None => true,
            };
            is_known && see_again(handle, account)
        }
    }
}

/// Takes an outcome that a wait has lent. Returns true.
fn see_again<H: Clock>(handle: &mut Handle<H>, account: &Account) -> bool {
    match handle.try_result() {
        Some(result) => account.see(result.as_ref()),
        None => account.fault("an outcome that was lent is not there".into()),
    }
    true
}

/// Waits for all handles. What is done has an outcome, and the others give theirs later.
pub(crate) fn wait_for_all_within<H: Clock>(
    mut handles: Vec<Handle<H>>,
    mut accounts: Vec<Arc<Account>>,
    when: ReturnWhen,
    limit: Limit,
) {
    let total = handles.len();
    let waited = wait_timeout(&mut handles, limit.duration(), when);
    let (done, not_done) = (waited.done.len(), waited.not_done.len());
    let mut taken = 0;
    for handle in waited.done {
        if let Some(result) = handle.try_result() {
            taken += 1;
            if let Ok(output) = result {
                if !Account::take_of(&mut accounts, &output) {
                    accounts[0].fault("a wait gave another task's value".into());
                }
            }
        }
    }
    if taken != done || done + not_done != total {
        let counts = format!("{taken} outcomes of {done}, and {not_done}, are {total}");
        accounts[0].fault(counts);
    }
    take_all(handles.split_off(done), accounts);
}

/// Yields handles as they are done. Those that the limit leaves behind come back.
pub(crate) fn take_completed_within<H: Clock>(
    handles: Vec<Handle<H>>,
    accounts: Vec<Arc<Account>>,
    limit: Limit,
) {
    let total = handles.len();
    let (mut done, mut left) = (Vec::new(), Vec::new());
    for completed in as_completed_timeout(handles, limit.duration()) {
        match completed {
            Ok(handle) => done.push(handle),
            Err(timeout) => {
                let unfinished = timeout.unfinished();
                left.extend(timeout.into_handles());
                if left.len() != unfinished {
                    accounts[0].fault("a limit that passed lost a handle".into());
                }
            }
        }
    }
    if done.len() + left.len() != total || !done.iter().all(Handle::done) {
        accounts[0].fault("a handle was lost, or yielded too early".into());
    }
    done.append(&mut left);
    take_all(done, accounts);
}

/// Submits a task that only returns, and waits for its end: first with the limit, then without.
pub(crate) fn submit_and_wait_within<H: Clock>(world: &Arc<World<H>>, limit: Limit) {
    let account = world.account("nested, with a limit".into());
    let mission = Mission::new(world, &account, Body::Returns);
    account.accepted();
    let submitter = world.pool.submitter();
    match submitter.submit_timeout(move || mission.run(), limit.duration()) {
        Ok(mut handle) => {
            publish(world, &handle, &account);
            if !account.see_within(handle.result_timeout(limit.duration()).as_ref()) {
                account.see(handle.result().as_ref());
            }
        }
        Err(_) => account.refused(),
    }
}
