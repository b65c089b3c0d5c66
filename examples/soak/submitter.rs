//! A thread that submits in every way, and its own random choices.

use core::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use slotted::{Canceller, TaskState};

use crate::awaiter::Awaiter;
use crate::faults;
use crate::latency::Latency;
use crate::operations::OPERATIONS;
use crate::pool::{POOLS, Pool};
use crate::posts;
use crate::task::{Deed, Task};

/// So many operations, then the submitter leaves the executors, so that their lives can end.
const ROUND: usize = 24;
/// So many cancellers are kept until long after their tasks ended.
const LATE: usize = 16;

pub(crate) struct Submitter {
    /// What the choices of the current operation come from.
    pub(crate) random: Rng,
    /// The name of the current operation.
    pub(crate) operation: &'static str,
    /// What the generator of each operation comes from. So the n-th operation is the same in each
    /// run with the same seed, whatever the others did.
    operations: Rng,
    /// What the choices of executors come from.
    rounds: Rng,
    pub(crate) latency: Latency,
    pub(crate) awaiter: Awaiter,
    /// Cancellers of tasks that have ended.
    late: [Option<Canceller<'static>>; LATE],
    pub(crate) counts: [u64; OPERATIONS.len()],
}

/// What a submitter has done.
pub(crate) struct Report {
    pub(crate) latency: Latency,
    pub(crate) counts: [u64; OPERATIONS.len()],
}

/// Submits until `stop`.
pub(crate) fn work(number: usize, mut random: Rng, stop: &AtomicBool) -> Report {
    posts::take_watched(format!("submitter {number}"));
    let mut submitter = Submitter {
        operations: random.fork(),
        rounds: random.fork(),
        random,
        operation: "none",
        latency: Latency::new(),
        awaiter: Awaiter::start(format!("awaiter {number}")),
        late: [None; LATE],
        counts: [0; OPERATIONS.len()],
    };
    while !stop.load(Ordering::Relaxed) {
        submitter.round();
    }
    if submitter.awaiter.stop().is_err() {
        faults::report(&format_args!("awaiter {number} panicked"));
    }
    posts::give_up();
    Report {
        latency: submitter.latency,
        counts: submitter.counts,
    }
}

impl Submitter {
    /// Enters one executor or two, and does a few operations there.
    fn round(&mut self) {
        posts::note("enters an executor");
        let first = self.rounds.usize(..POOLS.len());
        let second = (first + self.rounds.usize(1..POOLS.len())) % POOLS.len();
        let entered = POOLS[first].try_enter();
        // It waits for a gate only while it has no other.
        let (pool, _gate) = match entered {
            Some(gate) => (&POOLS[first], gate),
            None => (&POOLS[second], POOLS[second].enter()),
        };
        let other = &POOLS[POOLS.len() - first - second];
        let other_gate = if self.rounds.u8(..4) == 0 {
            other.try_enter()
        } else {
            None
        };
        let pools = [pool, other];
        let pools = &pools[..1 + usize::from(other_gate.is_some())];
        for _ in 0..ROUND {
            if pools.iter().any(|pool| self.ask_for_end(pool)) {
                return;
            }
            self.step(pools);
        }
    }

    fn step(&mut self, pools: &[&'static Pool]) {
        self.random = self.operations.fork();
        let which = self.random.usize(..OPERATIONS.len());
        let operation = &OPERATIONS[which];
        self.operation = operation.name;
        posts::note(operation.name);
        (operation.run)(self, pools);
        self.counts[which] += 1;
        posts::note("between operations");
    }

    /// Asks for the end of the life if its ledger is full.
    fn ask_for_end(&self, pool: &Pool) -> bool {
        let is_full = pool.ledger.is_full();
        if is_full {
            pool.ask_for_end();
        }
        is_full
    }

    pub(crate) fn pick(&mut self, pools: &[&'static Pool]) -> &'static Pool {
        pools[self.random.usize(..pools.len())]
    }

    pub(crate) fn task(&mut self, pool: &'static Pool) -> Option<Task> {
        Task::new(pool, self.deed())
    }

    pub(crate) fn deed(&mut self) -> Deed {
        match self.random.u8(..32) {
            0 => Deed::NestMap,
            1 => Deed::Nest,
            2 => Deed::NestScope,
            _ => self.flat_deed(),
        }
    }

    /// What any thread may do inside a task: nothing that waits for a slot.
    pub(crate) fn flat_deed(&mut self) -> Deed {
        match self.random.u8(..16) {
            0 | 1 => Deed::Panic,
            2..6 => Deed::Spin(self.random.u16(..1024)),
            _ => Deed::Nothing,
        }
    }

    /// Keeps the canceller of a task that has ended, and tries an old one.
    pub(crate) fn keep_late(&mut self, canceller: Canceller<'static>) {
        let place = self.random.usize(..LATE);
        let Some(old) = self.late[place].replace(canceller) else {
            return;
        };
        if old.state() != TaskState::Gone || old.cancel() {
            faults::report(&"a canceller acts on the next task of its slot");
        }
    }
}
