//! An executor whose one worker owns something, and lends it to each task.
//!
//! Most tests run the worker by hand, in the test's own thread. No test sleeps in order to
//! synchronize.
#![cfg(all(feature = "std", not(any(loom, shuttle))))]

mod connection;
mod found;
mod handles;
mod levels;
mod lives;
mod lives_found;
mod order;
mod places;
mod polls;
mod polls_lives;
mod products;
mod promises;
mod scopes;
mod scopes_found;
mod simulated;
mod waits_found;
