//! What happens between threads: workers, submitters, waiters and drivers of unusual hosts.
//!
//! A test decides a hard order by waiting until it sees a thread asleep. No test sleeps in order
//! to synchronize.
#![cfg(feature = "std")]

mod api;
mod deadlocks;
mod driver_timeouts;
mod hosts;
mod lives;
mod panics;
mod schedules;
mod wakeups;
#[path = "../stage/mod.rs"]
mod stage;
