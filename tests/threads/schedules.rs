//! Promises that are kept in schedules which are hard to meet. A test for each decides the order
//! of what threads do, by a host, a destructor or a callback of its own.

mod async_tasks;
mod callbacks;
mod cancel_and_reuse;
mod deadlock;
mod errors;
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
mod instructions;
mod not_started;
mod promises;
mod scopes;
mod several_handles;
mod shutdown_and_restart;
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
mod stepper;
mod support;
mod time_limits;
