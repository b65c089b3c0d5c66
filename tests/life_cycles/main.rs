//! Every way a task can live, once each.
//!
//! A [`Case`] fixes these dimensions:
//!
//! - what the task does if it is left alone,
//! - when it is cancelled, and through what,
//! - when its handle goes, and how,
//! - how a waiter waits for it,
//! - which destructor panics.
//!
//! The suite plays every combination that has a meaning. With `WORKERS = 0` it steps the executor,
//! and with `WORKERS = 1` a worker that the test holds. The only other threads are the waiters.
//!
//! "Cancelled while pending" is any [`Body`](case::Body) that is cancelled before its start.
//! "Cancelled between polls" is a body that is suspended, and cancelled while running.
//!
//! Each case counts what was made and dropped: the task's capture (its closure or future), its
//! value, its callback, its panic payload. Each is dropped exactly once. Only a forgotten handle
//! leaks its slot, and with it the value or the error (with the payload) in the slot.
#![cfg(feature = "std")]

mod books;
mod case;
mod ledger;
mod play;
mod script;
#[path = "../stage/foreign.rs"]
mod foreign;
#[path = "../stage/keep.rs"]
mod keep;

use core::panic::AssertUnwindSafe;
use std::panic::{self, catch_unwind};

use crate::case::{BODIES, Case, DROP_PANICS, FATES, WAITS, cancels};
use crate::foreign::hide_panics;
use crate::ledger::is_expected;
use crate::play::play;

fn play_all<const WORKERS: usize>() -> usize {
    hide_panics(is_expected);
    let mut played = 0;
    for body in BODIES {
        for cancel in cancels() {
            for fate in FATES {
                for wait in WAITS {
                    for drop_panics in DROP_PANICS {
                        let case = Case {
                            workers: WORKERS,
                            body,
                            cancel,
                            fate,
                            wait,
                            drop_panics,
                        };
                        if case.is_possible() {
                            if let Err(panic) =
                                catch_unwind(AssertUnwindSafe(|| play::<WORKERS>(case)))
                            {
                                eprintln!("failed: {case:?}");
                                panic::resume_unwind(panic);
                            }
                            played += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{played} life cycles with {WORKERS} workers");
    played
}

#[test]
fn every_life_cycle_without_workers() {
    assert_eq!(play_all::<0>(), 11_973);
}

#[test]
fn every_life_cycle_with_a_worker() {
    assert_eq!(play_all::<1>(), 14_235);
}
