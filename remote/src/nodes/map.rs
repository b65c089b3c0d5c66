//! Maps over a pool of nodes.

use heapless::Vec;
use slotted::error::Refusal;
use slotted::map::{EachOf, Map, SubmitItem};
use slotted::{JoinHandle, Permit, StdHost, Submitter};

use super::pool::Nodes;
use crate::chunk::Outcomes;
use crate::pool_submit::{self, SubmitPool, Terms};
use crate::task::Task;

/// What [`Nodes::map`] returns.
pub type NodesMap<const NODES: usize, const QUEUE: usize, const BYTES: usize, I, T> = Map<
    'static,
    QUEUE,
    BYTES,
    &'static Nodes<NODES, QUEUE, BYTES>,
    I,
    (),
    <T as Task>::Output,
    StdHost,
>;

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize, T>
    SubmitItem<'static, BYTES, (), T, T::Output, StdHost> for &'static Nodes<NODES, QUEUE, BYTES>
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

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize, const N: usize, T>
    SubmitItem<'static, BYTES, EachOf<(), N>, Vec<T, N>, Outcomes<T, N>, StdHost>
    for &'static Nodes<NODES, QUEUE, BYTES>
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
