//! On std threads an owner keeps the time of its tasks: nothing calls `advance`.

use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{
    Clock, Every, Owned, OwnedTimedSubmitter, Shutdown, StdHost, StdThreads, TaskError, Timetable,
};

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);
/// Longer than any machine takes: a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(30);

type Radio = Owned<Vec<u64>, 16, 256>;
type Later = OwnedTimedSubmitter<Vec<u64>, 256>;

/// A started owner for ever, and a timetable.
fn start() -> (&'static Radio, &'static Timetable<8>, Later) {
    let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
    let times: &'static Timetable<8> = Box::leak(Box::new(Timetable::new()));
    radio.start(&StdThreads::new(), || Ok(vec![])).unwrap();
    (radio, times, times.on_owned(radio))
}

#[test]
fn the_owner_runs_a_delayed_task_in_its_thread_and_not_before_its_date() {
    let (radio, _, later) = start();
    let home = radio.submit(|_| thread::current().id()).unwrap();
    let home = home.result().unwrap();
    for _ in 0..20 {
        let date = StdHost::now() + 200_000;
        let task = |own: &mut Vec<u64>| {
            own.push(1);
            (thread::current().id(), StdHost::now())
        };
        let (place, ran_at) = later
            .submit_at(date, task)
            .unwrap()
            .result_inline()
            .unwrap();
        assert_eq!(place, home);
        assert!(ran_at >= date);
    }
    radio.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn an_earlier_date_wakes_the_owner_that_sleeps_until_a_later_one() {
    let (radio, times, later) = start();
    let hour = later.submit_after(HOUR, |_| ()).unwrap();
    for _ in 0..20 {
        let soon = later.submit_after(MOMENT, |own| own.len()).unwrap();
        assert_eq!(soon.result(), Ok(0));
    }
    let moved = later.submit_after(HOUR, |_| 8).unwrap();
    assert!(times.move_to(&moved, StdHost::now()));
    assert_eq!(moved.result(), Ok(8));
    radio.shutdown(Shutdown::Drain).unwrap();
    assert!(hour.cancelled());
    assert_eq!(times.next_date(), None);
}

/// Each task submits the next one: the owner is never idle.
#[test]
fn due_tasks_do_not_starve_while_the_owner_has_work() {
    static RADIO: Radio = Owned::new();
    static TIMES: Timetable<2> = Timetable::new();
    #[expect(clippy::ptr_arg, reason = "what is owned is a `Vec`")]
    fn go_on(own: &mut Vec<u64>) {
        if own.is_empty() {
            RADIO.submit(go_on).unwrap().detach();
        }
    }
    RADIO.start(&StdThreads::new(), || Ok(vec![])).unwrap();
    RADIO.submit(go_on).unwrap().detach();
    let timed = TIMES
        .on_owned(&RADIO)
        .submit_after(MOMENT, |own| own.push(1));
    assert_eq!(timed.unwrap().result(), Ok(()));
    RADIO.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_series_keeps_to_its_grid_and_a_polled_task_sleeps_meanwhile() {
    let (radio, times, later) = start();
    let first = StdHost::now() + 1_000_000;
    let mut dates = 0;
    let series = later.submit_every(Every::ticks(500_000).first_at(first), move |own, run| {
        dates += 1 + u64::from(run.missed);
        assert_eq!(run.date, first + (dates - 1) * 500_000);
        own.push(run.date);
        if dates < 40 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(StdHost::now())
        }
    });
    let before = StdHost::now();
    let mut sleep = later.sleep(MOMENT * 3).unwrap();
    let slept = radio.submit_poll(move |_, context| {
        let slept = Pin::new(&mut sleep).poll(context);
        slept.map(|()| StdHost::now() - before)
    });
    assert!(slept.unwrap().result().unwrap() >= 3_000_000);
    assert!(series.unwrap().result().unwrap() >= first + 39 * 500_000);
    radio.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_drain_waits_for_no_date_and_the_next_owner_keeps_the_time_too() {
    let (radio, times, later) = start();
    for _ in 0..3 {
        let hour = later.submit_after(HOUR, |_| ()).unwrap();
        radio.shutdown(Shutdown::Drain).unwrap();
        assert!(hour.cancelled());
        assert_eq!(times.next_date(), None);
        radio.start(&StdThreads::new(), || Ok(vec![])).unwrap();
        let soon = later.submit_after(MOMENT, |own| own.len()).unwrap();
        assert_eq!(soon.result(), Ok(0));
    }
    radio.shutdown(Shutdown::Drain).unwrap();
}

/// Another thread has the worker now: it keeps the time, and brings its own.
#[test]
fn a_worker_that_was_handed_over_keeps_the_time_in_its_new_thread() {
    let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
    let times: &'static Timetable<8> = Box::leak(Box::new(Timetable::new()));
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![1]);
    let _ = worker.run_one(&mut own);
    let soon = times.on_owned(radio).submit_after(MOMENT, |own| own.len());
    let owner = thread::spawn(move || worker.run(vec![1, 2]));
    assert_eq!(soon.unwrap().result(), Ok(2));
    radio.shutdown(Shutdown::Drain).unwrap();
    assert_eq!((owner.join().unwrap().len(), own.len()), (2, 1));
}

#[test]
fn cancel_sync_ends_a_series_of_an_owner_whether_it_runs_or_rests() {
    let (radio, times, later) = start();
    for _ in 0..20 {
        let (tell, told) = channel();
        let series = later.submit_every(Every::ticks(50_000), move |_, run| {
            let _ = tell.send(run.date);
            ControlFlow::<()>::Continue(())
        });
        told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(series.unwrap().cancel_sync(), Err(TaskError::Cancelled));
        assert!(told.iter().count() < 1000, "its closure is dropped");
    }
    assert_eq!(times.next_date(), None);
    radio.shutdown(Shutdown::Drain).unwrap();
}
