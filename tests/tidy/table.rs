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
    room_with_unsafe("sync", &["sync/critical_section.rs"], &[]),
    room("unwind", &[]),
    room("error", &["unwind"]),
    room("host", &[]),
    room("state", &["sync"]),
    // Types and bytes.
    room_with_unsafe("job", &["job.rs"], &["unwind", "error", "state"]),
    room("queue", &["sync"]),
    // The rules for access to the bytes.
    room_with_unsafe(
        "slot",
        &["slot.rs", "slot/claim.rs", "slot/receiver.rs"],
        &["sync", "unwind", "error", "state", "job", "queue"],
    ),
    // The count of a scope is lowered through a pointer: the scope may be gone at once.
    room_with_unsafe("tally", &["tally.rs"], &["sync", "unwind", "error", "host"]),
    room("waiter", &["host", "queue"]),
    // The layout of an executor's memory, and lazy functions.
    room_with_unsafe(
        "registry",
        &["registry/memory.rs", "registry/late.rs"],
        &["sync", "unwind", "error", "host", "state", "queue", "slot", "waiter"],
    ),
    // A callback meets the outcome of its own task. A scope's tally lives while it counts.
    room_with_unsafe(
        "completion",
        &["completion.rs"],
        &["sync", "unwind", "error", "host", "queue", "slot", "tally", "waiter", "registry"],
    ),
    room(
        "blocking",
        &["sync", "error", "host", "queue", "slot", "waiter", "registry", "completion"],
    ),
    // The pointer for C entry points.
    room_with_unsafe(
        "worker",
        &["worker.rs"],
        &["sync", "unwind", "host", "waiter", "registry", "completion"],
    ),
    room("spawn", &["host", "worker"]),
    // The lifetime of a lent executor.
    room_with_unsafe(
        "start",
        &["start.rs"],
        &["sync", "unwind", "error", "host", "waiter", "registry", "blocking", "worker", "spawn"],
    ),
    // A waker is one pointer, made by hand.
    room_with_unsafe("waker", &["waker.rs"], &["host", "slot", "registry"]),
    room("canceller", &["host", "state", "queue", "registry", "completion"]),
    room(
        "handle",
        &[
            "unwind", "error", "host", "slot", "waiter", "registry", "completion", "blocking",
            "canceller",
        ],
    ),
    room("permit", &["error", "host", "job", "slot", "registry", "handle"]),
    room(
        "intake",
        &["error", "host", "job", "queue", "slot", "registry", "blocking", "handle", "permit"],
    ),
    room("promise", &["sync", "error", "host", "state", "slot", "registry", "completion"]),
    room(
        "group",
        &[
            "unwind", "host", "queue", "slot", "waiter", "registry", "completion", "blocking",
            "handle",
        ],
    ),
    room("wait", &["host", "waiter", "blocking", "handle", "group"]),
    room("as_completed", &["host", "waiter", "blocking", "handle", "group"]),
    room(
        "map",
        &[
            "unwind", "error", "host", "job", "waiter", "blocking", "handle", "permit", "intake",
            "group",
        ],
    ),
    // Closures that borrow, and the borrow of the tally.
    room_with_unsafe(
        "scope",
        &["scope.rs"],
        &[
            "sync", "unwind", "error", "host", "job", "slot", "tally", "waiter", "registry",
            "completion", "blocking", "handle", "permit", "intake", "map",
        ],
    ),
    room("stats", &["sync", "host", "state", "registry"]),
    room(
        "executor",
        &[
            "sync", "error", "host", "state", "job", "registry", "completion", "blocking",
            "worker", "spawn", "start", "waker", "handle", "permit", "intake", "promise", "map",
            "scope", "stats",
        ],
    ),
];

/// What only `sync` may name, in any of its worlds.
pub(crate) const SOLE_NAMER: &str = "sync";
pub(crate) const SYNC_NAMES: &[&str] = &[
    "portable_atomic",
    "critical_section::",
    "core::sync::",
    "std::sync::",
    "loom::",
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
