//! A pool of threads, whose tasks and gates are on the board.

use core::time::Duration;
use std::sync::Arc;

use slotted::{Executor, JoinHandle, Refusal, Shutdown, StdThreads};

use crate::board::{Board, Job, fail, say};
use crate::world::{Handle, Kind, World};

impl<const WORKERS: usize, const QUEUE: usize> World for Executor<WORKERS, QUEUE> {
    fn kind(&'static self) -> Kind {
        Kind::Threads
    }

    fn submit(&'static self, board: &Arc<Board>, job: Job) -> Result<Handle, Refusal> {
        assert!(!job.dies, "a thread cannot");
        let board = Arc::clone(board);
        Ok(self.submit(move || board.run(job))?)
    }

    fn submit_nested(&'static self, value: u32) -> Result<Handle, Refusal> {
        let inner = move || self.submit(move || value).map(JoinHandle::result);
        let outer = move || match inner() {
            Ok(Ok(value)) => value,
            other => fail(format!("{other:?}")),
        };
        Ok(self.submit(outer)?)
    }

    fn map_unstarted(&'static self, items: u32) -> u32 {
        let mut left = 0..items;
        drop(self.map(&mut left, |item: u32| item));
        items - left.count() as u32
    }

    fn map(&'static self, items: Vec<(u32, bool)>, is_zero: bool, take: usize) -> Vec<String> {
        let function = |(number, fails): (u32, bool)| {
            if fails {
                fail(format!("item {number}"));
            }
            number
        };
        let say = |outcome: Result<u32, _>| say(outcome.as_ref().map(|value| *value));
        let map = self.map(items, function);
        match is_zero {
            true => map.timeout(Duration::ZERO).take(take).map(say).collect(),
            false => map.take(take).map(say).collect(),
        }
    }

    fn begin_shutdown(&'static self, how: Shutdown) {
        self.begin_shutdown(how);
    }

    fn shutdown(&'static self, how: Shutdown) {
        self.shutdown(how).expect("this thread is no worker");
    }

    fn start(&'static self) -> bool {
        self.start(&StdThreads::new()).is_ok()
    }

    fn await_begun(&'static self, board: &Board, task: u32) {
        board.await_begun(task);
    }

    fn open(&'static self, board: &Board, gate: u32) {
        board.open(gate);
    }

    fn end(&'static self, board: &Board) {
        board.end();
    }

    fn slots_in_use(&'static self) -> usize {
        self.stats().slots_in_use
    }
}
