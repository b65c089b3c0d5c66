//! The peers: common solutions to the same problem, each written as its users would write it.

mod async_executor;
mod channel;
mod chili;
mod condvar;
mod forte;
mod futures;
mod python;
mod rayon;
mod slotted;
mod threadpool;
mod tokio;

use crate::arguments::Effort;
use crate::pool::Pool;
use crate::sample::Figures;
use crate::workload::{self, Workload};

pub use python::measure as measure_python;
pub use slotted::SLOTTED;

pub type Run = fn(Effort) -> Figures;

/// How a peer runs a workload.
#[derive(Clone, Copy)]
pub enum Found {
    Here(Run),
    /// A Python script measures it, with its executor of this kind.
    Python(&'static str),
    /// The pool's workers would all wait for queued tasks. Known from the peer's design; the suite
    /// does not try.
    Deadlock,
    /// The peer has no such operation.
    Missing,
}

pub struct Peer {
    pub name: &'static str,
    pub find: fn(Workload) -> Found,
}

/// The peers, in the order of the tables.
pub const PEERS: &[Peer] = &[
    Peer {
        name: SLOTTED,
        find: slotted::find,
    },
    Peer {
        name: "slotted, no spinning",
        find: slotted::find_park_at_once,
    },
    Peer {
        name: "slotted, pinned",
        find: slotted::find_pinned,
    },
    Peer {
        name: SLOTTED_INLINE,
        find: slotted::find_inline,
    },
    Peer {
        name: "slotted map",
        find: slotted::find_map,
    },
    Peer {
        name: "slotted scope",
        find: slotted::find_scope,
    },
    Peer {
        name: SLOTTED_JOIN,
        find: slotted::find_join,
    },
    Peer {
        name: "slotted, 1 worker",
        find: slotted::find_one_worker,
    },
    Peer {
        name: "slotted, 2 workers",
        find: slotted::find_two_workers,
    },
    Peer {
        name: "slotted, 4 workers",
        find: slotted::find_four_workers,
    },
    Peer {
        name: "slotted, 8 workers",
        find: slotted::find_eight_workers,
    },
    Peer {
        name: "rayon + oneshot",
        find: rayon::find_oneshot,
    },
    Peer {
        name: "rayon + crossbeam-channel",
        find: rayon::find_channel,
    },
    Peer {
        name: "threadpool",
        find: threadpool::find,
    },
    Peer {
        name: "tokio spawn",
        find: tokio::find,
    },
    Peer {
        name: "tokio spawn_blocking",
        find: tokio::find_blocking,
    },
    Peer {
        name: "futures ThreadPool",
        find: futures::find,
    },
    Peer {
        name: "async-executor",
        find: async_executor::find,
    },
    Peer {
        name: "own: channel + oneshot",
        find: channel::find_oneshot,
    },
    Peer {
        name: "own: channel + bounded(1)",
        find: channel::find_bounded,
    },
    Peer {
        name: "own: Mutex + Condvar",
        find: condvar::find,
    },
    Peer {
        name: "forte",
        find: forte::find,
    },
    Peer {
        name: "chili",
        find: chili::find,
    },
    Peer {
        name: "Python, threads",
        find: python::find_threads,
    },
    Peer {
        name: "Python, processes",
        find: python::find_processes,
    },
];

/// The name of the waiter that runs pending tasks itself.
pub const SLOTTED_INLINE: &str = "slotted inline";

/// The name of the row that forks with `join`, as users of `slotted` fork.
pub const SLOTTED_JOIN: &str = "slotted join";

/// Peers whose calling thread is a worker too: it may run its own task, and then waits for no other
/// thread.
const CALLERS_ARE_WORKERS: [&str; 2] = ["forte", "chili"];

/// Returns true if the row is that of another crate.
pub fn is_peer(name: &str) -> bool {
    !name.starts_with(SLOTTED)
}

/// Returns true if the row is that of another crate, whose callers run no tasks.
pub fn is_pool(name: &str) -> bool {
    is_peer(name) && !CALLERS_ARE_WORKERS.contains(&name)
}

pub fn peer(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

/// The workloads that every pool can run.
fn pool<P: Pool>(workload: Workload) -> Found {
    Found::Here(match workload {
        Workload::One => workload::one::<P>,
        Workload::OneAfterPause => workload::one_after_pause::<P>,
        Workload::Stream => workload::stream::<P>,
        Workload::SeveralStreams => workload::several_streams::<P>,
        Workload::Completion => workload::completion::<P>,
        Workload::Array => workload::array::<P>,
        Workload::Footprint => workload::footprint::<P>,
        Workload::Latency => workload::latency::<P>,
        Workload::ForkJoin => return Found::Deadlock,
        Workload::Cancel | Workload::Wake | Workload::Scale => return Found::Missing,
    })
}
