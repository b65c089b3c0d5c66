//! The way of a task into a pool: from a value to a handle.

use core::time::Duration;

use heapless::Vec;
use slotted::error::{Refusal, SubmitError, TaskError};
use slotted::{Canceller, Executor, JoinHandle, Permit};

use crate::chunk::{self, Chunk, Outcomes};
use crate::entries::Entries;
use crate::pool_call::{CallPool, PoolCall, ReadOutcome, Typed};
use crate::run;
use crate::task::{Task, TaskId};

/// What a submitter asks for beside the task.
#[derive(Clone, Copy, Default)]
pub(crate) struct Terms {
    /// The most time that the task may take.
    pub(crate) limit: Option<Duration>,
    /// How often it is sent again if what runs it is lost.
    pub(crate) retries: u32,
}

/// A pool that takes tasks.
pub(crate) trait SubmitPool<const QUEUE: usize, const BYTES: usize>:
    CallPool<QUEUE, BYTES>
{
    /// Its futures are the calls. Each call holds a slot of it, and there are as many entries.
    fn executor(&self) -> &Executor<0, QUEUE, BYTES>;

    /// Calls `act` inside the pool's lock, if the pool takes calls. `act` calls no foreign code.
    fn with_open<R>(&self, act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R)
    -> Result<R, Refusal>;

    /// Sends a call on its way, whose future is in the executor, as the task of `canceller` there.
    fn send(&'static self, index: u16, ticket: u64, canceller: Option<Canceller<'static>>);
}

/// Submits a task. It comes back if there is no room for it.
pub(crate) fn submit<T, P, const QUEUE: usize, const BYTES: usize>(
    pool: &'static P,
    task: T,
    terms: Terms,
) -> Result<JoinHandle<'static, T::Output>, SubmitError<T>>
where
    T: Task<Output: Send + 'static> + 'static,
    P: SubmitPool<QUEUE, BYTES> + Sync,
{
    let permit = match pool.executor().reserve() {
        Ok(permit) => permit,
        Err(reason) => return Err(SubmitError::new(task, reason)),
    };
    submit_into(pool, permit, &task, terms).map_err(|reason| SubmitError::new(task, reason))
}

/// Submits a task into a permit's slot.
pub(crate) fn submit_into<T, P, const QUEUE: usize, const BYTES: usize>(
    pool: &'static P,
    permit: Permit<'static, BYTES>,
    task: &T,
    terms: Terms,
) -> Result<JoinHandle<'static, T::Output>, Refusal>
where
    T: Task<Output: Send + 'static> + 'static,
    P: SubmitPool<QUEUE, BYTES> + Sync,
{
    // Outside the lock: `Serialize` is foreign code.
    let mut bytes = [0; BYTES];
    let argument = run::encode(task, &mut bytes).map(|len| &bytes[..len]);
    begin(
        pool,
        permit,
        TaskId::of::<T>(),
        argument,
        Typed::<T>::new(),
        terms,
    )
}

/// Submits several tasks as one call, into a permit's slot.
pub(crate) fn submit_chunk<T, P, const N: usize, const QUEUE: usize, const BYTES: usize>(
    pool: &'static P,
    permit: Permit<'static, BYTES>,
    tasks: &Vec<T, N>,
) -> Result<JoinHandle<'static, Outcomes<T, N>>, Refusal>
where
    T: Task<Output: Send + 'static> + 'static,
    P: SubmitPool<QUEUE, BYTES> + Sync,
{
    // As above.
    let mut bytes = [0; BYTES];
    let argument = chunk::encode(tasks, &mut bytes).map(|len| &bytes[..len]);
    let (id, read) = (TaskId::of_chunk::<T>(), Chunk::of(tasks));
    begin(pool, permit, id, argument, read, Terms::default())
}

fn begin<R, T, P, const QUEUE: usize, const BYTES: usize>(
    pool: &'static P,
    permit: Permit<'static, BYTES>,
    id: TaskId,
    argument: Option<&[u8]>,
    read: R,
    terms: Terms,
) -> Result<JoinHandle<'static, T>, Refusal>
where
    R: ReadOutcome<Output = Result<T, TaskError>> + Send + Unpin + 'static,
    T: Send + 'static,
    P: SubmitPool<QUEUE, BYTES> + Sync,
{
    let begun = pool.with_open(|entries| entries.begin(id, argument, terms))?;
    let (index, ticket) = begun.ok_or(Refusal::Full)?;
    // First into the executor, then on its way: the pool's thread polls what has ended.
    let handle = permit.submit_future_outcome(PoolCall::new(pool, index, read));
    let handle = handle.map_err(|refused| refused.reason())?;
    pool.send(index, ticket, Some(handle.canceller()));
    Ok(handle)
}
