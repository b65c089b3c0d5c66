//! Maps over a pool of processes.

use heapless::Vec;
use slotted::error::Refusal;
use slotted::map::{EachOf, Map, SubmitItem};
use slotted::{JoinHandle, Permit, StdHost, Submitter};

use super::pool::Processes;
use crate::chunk::Outcomes;
use crate::pool_submit::{self, SubmitPool, Terms};
use crate::task::Task;

/// What [`Processes::map`] returns.
pub type PoolMap<const PROCS: usize, const QUEUE: usize, const BYTES: usize, I, T> = Map<
    'static,
    QUEUE,
    BYTES,
    &'static Processes<PROCS, QUEUE, BYTES>,
    I,
    (),
    <T as Task>::Output,
    StdHost,
>;

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize, T>
    SubmitItem<'static, BYTES, (), T, T::Output, StdHost>
    for &'static Processes<PROCS, QUEUE, BYTES>
where
    T: Task<Output: Send + 'static> + 'static,
{
    fn submitter(&self) -> Submitter<'static, BYTES> {
        self.executor().submitter()
    }

    fn submit_item(
        &self,
        permit: Permit<'static, BYTES>,
        (): (),
        task: T,
    ) -> Result<JoinHandle<'static, T::Output>, Refusal> {
        pool_submit::submit_into(*self, permit, &task, Terms::default())
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize, const N: usize, T>
    SubmitItem<'static, BYTES, EachOf<(), N>, Vec<T, N>, Outcomes<T, N>, StdHost>
    for &'static Processes<PROCS, QUEUE, BYTES>
where
    T: Task<Output: Send + 'static> + 'static,
{
    fn submitter(&self) -> Submitter<'static, BYTES> {
        self.executor().submitter()
    }

    fn submit_item(
        &self,
        permit: Permit<'static, BYTES>,
        _: EachOf<(), N>,
        tasks: Vec<T, N>,
    ) -> Result<JoinHandle<'static, Outcomes<T, N>>, Refusal> {
        pool_submit::submit_chunk(*self, permit, &tasks)
    }
}
