//! Priority levels: what starts first, which worker takes it, and what rises.
#![cfg(feature = "std")]

use core::time::Duration;
use std::sync::Mutex;

use slotted::{Executor, Levels, Ordered, SimHost, Simulation, Spawn, StdHost, Worker};

mod against_a_model;
mod drivers;
mod found;
mod found_gated;
mod found_seeds;
mod order;
mod raising;
mod seeds;
mod tied;

/// A host of three levels, whose threads are the test's own.
type Host = Ordered<StdHost, Levels<3>>;
/// A host of three levels in virtual time.
type SimLevels = Ordered<SimHost, Levels<3>>;

/// What ran, in order.
struct Log(Mutex<Vec<u32>>);

impl Log {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A closure that notes a number.
    fn noting(&'static self, number: u32) -> impl FnOnce() + Send + 'static {
        move || self.note(number)
    }

    fn note(&self, number: u32) {
        self.0.lock().unwrap().push(number);
    }

    fn take(&self) -> Vec<u32> {
        core::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Simulated workers: number 0 serves level 2 only, number 1 levels 1 and 2, the others all.
struct Tied<'s>(&'s Simulation);

impl Spawn<SimLevels> for Tied<'_> {
    type Error = std::io::Error;

    fn spawn(&self, worker: Worker<'static, SimLevels>) -> Result<(), Self::Error> {
        let name = format!("worker {}", worker.index());
        self.0.spawn(&name, move || match worker.index() {
            0 => worker.serve::<2>().run(),
            1 => worker.serve::<1>().run(),
            _ => worker.run(),
        })
    }
}

/// An executor that the test may start and shut down, and that no other test uses.
fn leaked<const WORKERS: usize, const QUEUE: usize>()
-> &'static Executor<WORKERS, QUEUE, 64, SimLevels> {
    Box::leak(Box::default())
}

/// A task that takes a millisecond of virtual time.
fn a_millisecond() {
    SimHost::spend(Duration::from_millis(1));
}
