//! The engine under seeds: programs in which threads meet, played in hundreds of orders. A lost
//! wake is a wait that nothing can end.

use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Poll, Waker};
use std::sync::{Arc, Mutex};

use slotted::{Shutdown, SimHost, Simulation};

use crate::pool;

const SEEDS: u64 = if cfg!(miri) { 2 } else { 300 };

/// More submitters than slots: each waits in line for a slot.
#[test]
fn submitters_wait_in_line_for_slots() {
    Simulation::check_seeds(0..SEEDS, |simulation| {
        let pool = pool::<2, 2>();
        pool.start(simulation).unwrap();
        for _ in 0..3 {
            let submit = move || {
                for _ in 0..3 {
                    pool.submit_blocking(SimHost::let_others_run)
                        .unwrap()
                        .detach();
                }
            };
            simulation.spawn("submitter", submit).unwrap();
        }
        pool.submit_blocking(|| ()).unwrap().result().unwrap();
        simulation.settle();
        assert_eq!(simulation.running_threads(), 2); // the workers
        assert_eq!(pool.stats().completed, 10);
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn several_threads_wait_for_one_task() {
    Simulation::check_seeds(0..SEEDS, |simulation| {
        let pool = pool::<1, 4>();
        pool.start(simulation).unwrap();
        let handle = Arc::new(pool.submit(SimHost::let_others_run).unwrap());
        for _ in 0..3 {
            let handle = handle.clone();
            let wait = move || assert!(handle.error().is_none());
            simulation.spawn("waiter", wait).unwrap();
        }
        assert!(handle.error().is_none());
        simulation.settle();
        assert_eq!(simulation.running_threads(), 1); // the worker
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn callbacks_are_added_while_the_task_ends() {
    Simulation::check_seeds(0..SEEDS, |simulation| {
        let pool = pool::<1, 8>();
        pool.start(simulation).unwrap();
        let calls = Arc::new(AtomicU32::new(0));
        let call = || {
            let calls = calls.clone();
            move |_: Result<&(), &_>| {
                SimHost::let_others_run();
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        let handle = pool.submit(SimHost::let_others_run).unwrap();
        handle.add_done_callback(call()).unwrap();
        SimHost::let_others_run();
        handle.add_done_callback(call()).unwrap();
        SimHost::let_others_run();
        handle.add_done_callback(call()).unwrap();
        handle.result().unwrap();
        simulation.settle();
        assert_eq!(calls.load(Ordering::Relaxed), 3);
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

/// The wake may come before, during and after the poll that waits for it.
#[test]
fn a_thread_wakes_a_future_while_workers_leave() {
    Simulation::check_seeds(0..SEEDS, |simulation| {
        let pool = pool::<2, 4>();
        pool.start(simulation).unwrap();
        // Whether the device is ready, and the waker that it calls.
        let device = Arc::new(Mutex::new((false, None::<Waker>)));
        let polled = device.clone();
        let future = poll_fn(move |context| {
            {
                let mut device = polled.lock().unwrap();
                if device.0 {
                    return Poll::Ready(7);
                }
                device.1 = Some(context.waker().clone());
            }
            SimHost::let_others_run();
            Poll::Pending
        });
        let handle = pool.submit_future(future).unwrap();
        let interrupt = move || {
            SimHost::let_others_run();
            let waker = {
                let mut device = device.lock().unwrap();
                device.0 = true;
                device.1.take()
            };
            SimHost::let_others_run();
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        simulation.spawn("interrupt", interrupt).unwrap();
        SimHost::let_others_run();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn a_canceller_and_a_worker_meet() {
    Simulation::check_seeds(0..SEEDS, |simulation| {
        let pool = pool::<1, 2>();
        pool.start(simulation).unwrap();
        let runs = Arc::new(AtomicU32::new(0));
        let task = |runs: &Arc<AtomicU32>| {
            let runs = runs.clone();
            move || runs.fetch_add(1, Ordering::Relaxed)
        };
        let first = pool.submit(task(&runs)).unwrap();
        let canceller = first.canceller();
        let cancelled = Arc::new(AtomicU32::new(0));
        let counts = cancelled.clone();
        let cancel = move || {
            SimHost::let_others_run();
            counts.fetch_add(u32::from(canceller.cancel()), Ordering::Relaxed);
        };
        simulation.spawn("canceller", cancel).unwrap();
        SimHost::let_others_run();
        drop(first);
        // Perhaps in the slot of the first.
        let second = pool.submit(task(&runs)).unwrap();
        assert!(second.result().is_ok());
        simulation.settle();
        assert_eq!(
            runs.load(Ordering::Relaxed) + cancelled.load(Ordering::Relaxed),
            2
        );
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}
