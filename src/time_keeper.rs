//! Which worker keeps the time: the sleeper that wakes at the next date of a timetable.
//!
//! Only with `std`, and only of hosts with [`KEEPS_TIME`](crate::Park::KEEPS_TIME). Elsewhere the
//! room is empty.
//!
//! Invariant **One Keeper**: while a worker sleeps, one of those that sleep keeps the time; or a
//! worker is awake that will keep it when it sleeps, or passes it on before it runs a task.
#![forbid(unsafe_code)]

#[cfg(not(feature = "std"))]
mod absent;
#[cfg(feature = "std")]
mod present;

#[cfg(not(feature = "std"))]
pub(crate) use absent::TimeKeeper;
#[cfg(feature = "std")]
pub(crate) use present::TimeKeeper;

/// What the first timed task leaves, so that other programs need not link it. `A` moves what is
/// due, and returns the next date.
#[derive(Clone, Copy)]
pub(crate) struct TimeHooks<A> {
    pub(crate) advance: A,
    pub(crate) park_until: fn(u64),
}
