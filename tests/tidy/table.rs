//! The table of rooms, and the other lists that the rules look up.

/// One module of the crate root: `src/NAME.rs` and the files of `src/NAME/`.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// The rooms it uses: exactly these, all of them further up.
    pub(crate) uses: &'static [&'static str],
    /// The files of the room in which `unsafe` stands. All others forbid it.
    pub(crate) unsafe_in: &'static [&'static str],
}

pub(crate) const fn room(name: &'static str, uses: &'static [&'static str]) -> Room {
    Room {
        name,
        uses,
        unsafe_in: &[],
    }
}

pub(crate) const fn room_with_unsafe(
    name: &'static str,
    unsafe_in: &'static [&'static str],
    uses: &'static [&'static str],
) -> Room {
    Room {
        name,
        uses,
        unsafe_in,
    }
}

/// Every room, in the order of `lib.rs`: a room uses only rooms above it.
#[rustfmt::skip]
pub(crate) const ROOMS: &[Room] = &[
    // A value behind a critical section may be shared.
    room_with_unsafe(
        "sync",
        &["sync/critical_section.rs"],
        &[],
    ),
    room("unwind", &[]),
    room("error", &["unwind"]),
    room("step", &["error"]),
    room("list", &["sync"]),
    room("order", &["list"]),
    room("host", &["step", "order"]),
    room("timers", &["sync", "unwind", "host"]),
    room("time_keeper", &["sync"]),
    room("ready_queue", &["sync", "list", "order"]),
    // Types and bytes, and the rules for access to them.
    room_with_unsafe(
        "slot",
        &[
            "slot.rs", "slot/claim.rs", "slot/ends.rs", "slot/job.rs", "slot/kind.rs",
            "slot/lent.rs", "slot/polling.rs", "slot/stop.rs",
        ],
        &["sync", "unwind", "error", "list"],
    ),
    // The count of a scope is lowered through a pointer: the scope may be gone at once.
    room_with_unsafe(
        "count_latch",
        &["count_latch.rs"],
        &["sync", "unwind", "error", "host"],
    ),
    room("waiter", &["host"]),
    room("wait_table", &["host", "list", "waiter"]),
    // Waiters in line bring their nodes with them.
    room_with_unsafe(
        "free_slots",
        &["free_slots/line.rs"],
        &["sync", "unwind", "error", "host", "list", "waiter"],
    ),
    room("idle", &["order", "host", "ready_queue", "waiter"]),
    room("roster", &["error", "host", "waiter"]),
    // The layout of an executor's memory.
    room_with_unsafe(
        "registry",
        &["registry/memory.rs"],
        &[
            "sync", "unwind", "error", "step", "list", "order", "host", "timers", "time_keeper",
            "ready_queue", "slot", "waiter", "wait_table", "free_slots", "idle", "roster",
        ],
    ),
    // A waker is one pointer, made by hand.
    room_with_unsafe(
        "waker",
        &["waker.rs"],
        &["host", "slot", "registry"],
    ),
    // A callback meets the outcome of its own task. A scope's latch lives while it counts. A lent
    // closure gets what it expects.
    room_with_unsafe(
        "completion",
        &["completion.rs", "completion/lent.rs", "completion/timed.rs"],
        &[
            "sync", "unwind", "error", "step", "host", "list", "slot", "count_latch", "waiter",
            "roster", "registry", "waker",
        ],
    ),
    room("deadlock", &["host", "list", "slot", "registry"]),
    room(
        "blocking",
        &[
            "unwind", "error", "list", "order", "host", "slot", "waiter", "roster", "registry",
            "completion", "deadlock",
        ],
    ),
    // The raw pointer for C entry points.
    room_with_unsafe(
        "worker",
        &["worker.rs"],
        &[
            "unwind", "list", "order", "host", "slot", "waiter", "roster", "registry", "completion",
        ],
    ),
    room("spawn", &["host", "worker"]),
    room("start", &["unwind", "error", "host", "roster", "registry", "blocking", "worker"]),
    room("canceller", &["error", "host", "list", "slot", "registry", "completion"]),
    room(
        "handle",
        &[
            "unwind", "error", "host", "list", "slot", "waiter", "registry", "completion",
            "blocking", "canceller",
        ],
    ),
    room("promise", &["error", "host", "slot", "registry", "completion"]),
    room(
        "permit",
        &["error", "host", "slot", "registry", "completion", "handle", "promise"],
    ),
    room(
        "reserve",
        &["unwind", "error", "host", "list", "waiter", "free_slots", "registry", "blocking"],
    ),
    room(
        "submitter",
        &[
            "error", "host", "slot", "registry", "blocking", "handle", "promise", "permit",
            "reserve",
        ],
    ),
    room(
        "group",
        &[
            "sync", "unwind", "host", "list", "slot", "waiter", "wait_table", "registry",
            "completion", "deadlock", "blocking", "handle",
        ],
    ),
    room("wait", &["host", "wait_table", "blocking", "handle", "group"]),
    room("as_completed", &["host", "blocking", "handle", "group"]),
    room(
        "map",
        &[
            "unwind", "error", "host", "slot", "registry", "blocking", "handle", "permit",
            "group",
        ],
    ),
    // Closures that borrow.
    room_with_unsafe(
        "scope",
        &["scope.rs", "scope/lent.rs"],
        &[
            "sync", "unwind", "error", "host", "list", "slot", "waiter", "registry",
            "completion", "blocking", "handle", "permit", "reserve", "map",
        ],
    ),
    room("stats", &["sync", "host", "slot", "registry"]),
    room(
        "executor",
        &[
            "sync", "unwind", "error", "order", "host", "slot", "waiter", "roster", "registry",
            "completion", "blocking", "worker", "spawn", "start", "handle", "promise", "permit",
            "map", "scope", "stats",
        ],
    ),
    // The closures expect what the worker lends.
    room_with_unsafe(
        "owned",
        &["owned/worker.rs"],
        &[
            "sync", "unwind", "error", "list", "order", "host", "slot", "waiter", "roster",
            "registry", "completion", "blocking", "worker", "spawn", "start", "handle", "promise",
            "permit", "scope", "stats", "executor",
        ],
    ),
    room(
        "timetable",
        &[
            "sync", "unwind", "error", "list", "host", "timers", "slot", "registry", "waker",
            "completion", "canceller", "handle", "permit", "executor", "owned",
        ],
    ),
    room("levels", &["step", "order", "host", "registry", "handle", "executor", "timetable"]),
    room("plan", &["order", "host", "executor"]),
    room("sim", &["unwind", "error", "step", "order", "host", "worker", "spawn", "levels"]),
    room("docs", &[]),
];

/// What only `sync` may name, in any of its worlds.
pub(crate) const SOLE_NAMER: &str = "sync";
pub(crate) const SYNC_NAMES: &[&str] = &[
    "portable_atomic",
    "critical_section::",
    "core::sync::",
    "std::sync::",
    "loom::",
    "shuttle::",
];

/// File, name, and why the name may stand there nevertheless.
pub(crate) const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "unwind.rs",
        "std::sync::",
        "a panic payload is only `Send`: a mutex without contention makes its owner `Sync`",
    ),
    (
        "host/std.rs",
        "std::sync::",
        "the first reading of the clock is kept in a `OnceLock`; it synchronizes no task",
    ),
    (
        "sim/baton.rs",
        "std::sync::",
        "a simulated thread waits for its turn at a condition variable; tasks do not meet there",
    ),
];

/// What never stands in a library's code.
pub(crate) const NEVER: &[&str] = &[
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "dbg!",
    "todo!",
    "unimplemented!",
];

pub(crate) const LONGEST_FILE: usize = 600;

/// The columns of the widest line.
pub(crate) const WIDEST_LINE: usize = 100;

/// What a lock guards is made of these.
pub(crate) const LOCKED_TYPES: &[&str] = &["Cell<", "WaiterCell<", "List<", "Stack", "Line<"];
