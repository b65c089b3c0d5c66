//! An owner's dates and polled tasks in virtual time.

use core::ops::ControlFlow;
use core::task::{Poll, Waker};
use std::sync::{Arc, Mutex};

use slotted::{Every, Owned, Ran, Shutdown, SimHost, Simulation, TaskError, Timetable};

use crate::{millis, now_millis};

type Radio = Owned<Vec<u64>, 8, 256, SimHost>;

/// An owner with a thread of its own, and a timetable.
fn start(simulation: &Simulation) -> (&'static Radio, &'static Timetable<8, SimHost>) {
    let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
    let worker = radio.worker().unwrap();
    simulation
        .spawn("owner", move || drop(worker.run(vec![])))
        .unwrap();
    (radio, Box::leak(Box::new(Timetable::new())))
}

#[test]
fn an_owner_keeps_the_time_to_the_tick_under_every_seed() {
    Simulation::check_seeds(0..100, |simulation| {
        let (radio, times) = start(simulation);
        let later = times.on_owned(radio);
        let note = |own: &mut Vec<u64>| own.push(now_millis());
        let handles = [30, 10, 20, 1000].map(|delay| later.submit_after(millis(delay), note));
        let every = Every::new(millis(25));
        let series = later.submit_every(every, move |own, run| {
            assert_eq!((run.late, run.missed), (0, 0));
            own.push(now_millis());
            ControlFlow::<()>::Continue(())
        });
        simulation.run_until(15_000_000);
        let seen = radio.submit(|own| own.clone()).unwrap();
        assert_eq!(seen.result_inline(), Ok(vec![10]));
        simulation.run_until(100_000_000);
        let seen = radio.submit(|own| own.clone()).unwrap();
        assert_eq!(seen.result_inline(), Ok(vec![10, 20, 25, 30, 50, 75, 100]));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(now_millis(), 100);
        let [.., last] = handles;
        assert!(last.unwrap().cancelled() && series.unwrap().cancelled());
        assert_eq!(times.next_date(), None);
    });
}

/// A waker, a canceller and an inline waiter meet a polled task; its owner leaves sooner or later.
#[test]
fn every_order_of_threads_polls_in_the_owner_alone_and_ends_each_task_once() {
    Simulation::check_seeds(0..if cfg!(miri) { 2 } else { 1000 }, |simulation| {
        let (radio, times) = start(simulation);
        let gate = Arc::new(Mutex::new((false, None::<Waker>)));
        let inside = gate.clone();
        let polled = radio.submit_poll(move |own, context| {
            own.push(0);
            let mut inside = inside.lock().unwrap();
            inside.1 = Some(context.waker().clone());
            if inside.0 {
                Poll::Ready(own.len())
            } else {
                Poll::Pending
            }
        });
        let polled = polled.unwrap();
        let canceller = polled.canceller();
        let timed = times
            .on_owned(radio)
            .submit_after(millis(1), |own| own.len());
        let opener = move || {
            let waker = {
                let mut inside = gate.lock().unwrap();
                inside.0 = true;
                inside.1.take()
            };
            waker.into_iter().for_each(Waker::wake);
        };
        simulation.spawn("opener", opener).unwrap();
        let cancelled = Arc::new(Mutex::new(false));
        let tells = cancelled.clone();
        let cancels = move || *tells.lock().unwrap() = canceller.cancel();
        simulation.spawn("canceller", cancels).unwrap();
        let ended = polled.result_inline();
        let sent = timed.unwrap().result_inline().unwrap();
        simulation.settle();
        assert_eq!(
            ended == Err(TaskError::Cancelled),
            *cancelled.lock().unwrap()
        );
        assert!(sent <= 2, "{sent} polls");
        radio.shutdown(Shutdown::Drain).unwrap();
        simulation.settle();
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

/// The waiters may sleep already when the only thread leaves that could run what they wait for.
#[test]
fn waiters_hear_that_the_owner_of_a_resting_or_dated_task_has_left() {
    Simulation::check_seeds(0..if cfg!(miri) { 2 } else { 300 }, |simulation| {
        let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
        let times: &'static Timetable<8, SimHost> = Box::leak(Box::new(Timetable::new()));
        let rests = |_: &mut Vec<u64>, _: &mut core::task::Context<'_>| Poll::<()>::Pending;
        let rests = radio.submit_poll(rests).unwrap();
        let dated = times.on_owned(radio).submit_after(millis(9), |_| ());
        let dated = dated.unwrap();
        let (canceller, mut worker) = (rests.canceller(), radio.worker().unwrap());
        let waits = move || assert_eq!(dated.result(), Err(TaskError::NotStarted));
        simulation.spawn("waiter", waits).unwrap();
        let owner = move || {
            SimHost::let_others_run();
            assert_eq!(worker.run_one(&mut vec![]), Ran::Task);
            SimHost::let_others_run();
        };
        simulation.spawn("owner", owner).unwrap();
        assert_eq!(rests.result_inline(), Err(TaskError::NotStarted));
        simulation.settle();
        assert_eq!(simulation.running_threads(), 0);
        assert!(canceller.cancel(), "it waits for another owner");
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(times.next_date(), None);
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

#[test]
fn a_drain_meets_wakes_and_an_owner_that_leaves_early() {
    Simulation::check_seeds(0..if cfg!(miri) { 2 } else { 1000 }, |simulation| {
        let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
        let mut worker = radio.worker().unwrap();
        let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
        let handles = [0, 1, 2].map(|_| {
            let keeps = wakers.clone();
            let rests = move |own: &mut Vec<u64>, context: &mut core::task::Context<'_>| {
                own.push(0);
                keeps.lock().unwrap().push(context.waker().clone());
                Poll::<()>::Pending
            };
            radio.submit_poll(rests).unwrap()
        });
        // Some polls, some wakes, and then it leaves.
        let owner = move || {
            let mut own = vec![];
            for _ in 0..5 {
                SimHost::let_others_run();
                let _ = worker.run_one(&mut own);
            }
        };
        simulation.spawn("owner", owner).unwrap();
        let wakes = wakers.clone();
        let waker = move || {
            for _ in 0..4 {
                SimHost::let_others_run();
                let waker = wakes.lock().unwrap().pop();
                waker.into_iter().for_each(Waker::wake);
            }
        };
        simulation.spawn("waker", waker).unwrap();
        radio.shutdown(Shutdown::Drain).unwrap();
        for handle in handles {
            assert_eq!(handle.result(), Err(TaskError::Cancelled));
        }
        simulation.settle();
        assert_eq!(Arc::strong_count(&wakers), 1, "each closure was dropped");
        assert_eq!(radio.stats().slots_in_use, 0);
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}
