//! Hosts that are unusual, and hosts that are wrong: they may cost time or a worker, and nothing else.
#![cfg(feature = "std")]

mod stage;

use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread;

use futures_core::Stream;
use slotted::{
    Clock, Executor, Park, Pending, Ran, Refusal, ReturnWhen, ShutdownError, Spawn, StartError, StdHost, StdThreads,
    TaskError, Worker, as_completed, as_completed_timeout, wait, wait_timeout,
};

use crate::stage::{Actor, Crew, Stage, rounds, within_limit};

/// The host has no more threads.
#[derive(Debug, PartialEq, Eq)]
struct NoThread;

/// Gives each worker to a function of the test.
struct By<F>(F);

impl<H: Park, F: Fn(Worker<H>) -> Result<(), NoThread>> Spawn<H> for By<F> {
    type Error = NoThread;

    fn spawn(&self, worker: Worker<H>) -> Result<(), NoThread> {
        (self.0)(worker)
    }
}

/// Hands the workers to the test.
fn keep<H: Park>(to: &Sender<Worker<H>>) -> By<impl Fn(Worker<H>) -> Result<(), NoThread>> {
    By(|worker| {
        to.send(worker).unwrap();
        Ok(())
    })
}

// ---- Spawn: refusals ------------------------------------------------------------------------------------------------

/// What was submitted survives the refusal, and the next start runs it, whatever the first workers were just doing.
#[test]
fn refused_start_can_be_tried_again() {
    static POOL: Executor<3, 8> = Executor::new();
    within_limit(|| {
        rounds(|_| {
            for refused_at in 0..3 {
                let task = POOL.submit(|| 1).unwrap();
                let crew = Crew::default();
                let refused = POOL.start(&By(|worker: Worker<StdHost>| {
                    if worker.index() == refused_at { Err(NoThread) } else { crew.spawn(worker).map_err(|_| NoThread) }
                }));
                let Err(StartError::Refused { started, reason: NoThread }) = refused else { panic!("{refused:?}") };
                assert_eq!(started, refused_at);
                crew.join();

                let crew = Crew::default();
                POOL.start(&crew).unwrap();
                assert_eq!(task.result().unwrap(), 1);
                assert_eq!(POOL.submit(|| 2).unwrap().result().unwrap(), 2);
                POOL.shutdown(Pending::Run).unwrap();
                crew.join();
            }
        });
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}
