//! Faults on purpose: hosts that fail, clocks that are wrong, and code of the user that panics.
//!
//! A *point* is a place where code that is not the crate's runs: a closure, a destructor, a waker,
//! an iterator, a function of the host. The tests do not choose points by hand. They play a program
//! once and count its points. Then they play it once for each of them, with a panic there, and once
//! more for each pair of them. So a point that a later change adds is tested without a new test.
//!
//! After each play:
//!
//! - every value was dropped exactly once,
//! - the panic landed where its [`Within`](points::Within) says, and the figures counted it,
//! - no slot and no timer is taken, and the executor can be started again,
//! - it serves as many tasks as it has slots.
//!
//! The threads are simulated: a wait that cannot end fails at once.
//!
//! A destructor that panics while a panic unwinds aborts the process. That is the language's rule,
//! so no point panics there. `aborts` plays those in processes of their own.
#![cfg(all(feature = "std", not(any(loom, shuttle))))]

mod aborts;
mod clock;
#[path = "../stage/forever.rs"]
mod forever;
mod hooks;
mod host;
mod host_panics;
#[cfg(not(miri))]
#[path = "../stage/keep.rs"]
mod keep;
mod maps;
mod owners;
mod points;
mod program;
mod rig;
mod scopes;
mod shaky;
mod tasks;
mod waits;
mod wakers;
