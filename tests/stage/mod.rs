//! What several suites share: hosts, futures, and a limit on how long a test may take.
//!
//! The suite of threads uses the whole stage. Other suites include single files of it by path.

mod actor;
mod crew;
mod forever;
mod keep;
mod outcomes;
mod raise;
mod rounds;
mod suspended;

pub(crate) use self::actor::{Actor, Habits, Stage, StageWith};
pub(crate) use self::crew::{Crew, with_crew};
pub(crate) use self::forever::forever;
pub(crate) use self::keep::keep;
pub(crate) use self::outcomes::would_deadlock;
pub(crate) use self::raise::raise;
pub(crate) use self::rounds::{Pace, play, rounds, within_limit};
pub(crate) use self::suspended::{suspended, suspended_once};
