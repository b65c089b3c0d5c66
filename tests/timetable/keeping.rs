//! On std threads the workers keep the time: nothing calls `advance`.

use core::ops::ControlFlow;
use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{
    Clock, Every, Executor, Refusal, Shutdown, StdHost, StdThreads, TaskError, TimedSubmitter,
    Timetable,
};

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);
/// Longer than any machine takes: a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(30);

type Pool<const WORKERS: usize> = Executor<WORKERS, 16, 256>;
type Later = TimedSubmitter<256>;

/// A started executor for ever, and a timetable.
fn start<const WORKERS: usize>() -> (&'static Pool<WORKERS>, &'static Timetable<8>, Later) {
    let pool: &'static Pool<WORKERS> = Box::leak(Box::new(Pool::new()));
    let times: &'static Timetable<8> = Box::leak(Box::new(Timetable::new()));
    pool.start(&StdThreads::new()).unwrap();
    (pool, times, times.on(pool))
}

#[test]
fn a_delayed_task_runs_on_a_worker_and_not_before_its_date() {
    let (pool, _, later) = start::<2>();
    for _ in 0..20 {
        let date = StdHost::now() + 200_000;
        let ran_at = later
            .submit_at(date, StdHost::now)
            .unwrap()
            .result()
            .unwrap();
        assert!(ran_at >= date);
    }
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_thread_that_drives_an_executor_without_workers_keeps_the_time() {
    let (_, _, later) = start::<0>();
    assert_eq!(later.submit_after(MOMENT, || 7).unwrap().result(), Ok(7));
    let mut handle = later.submit_after(HOUR, || 7).unwrap();
    assert!(handle.result_timeout(MOMENT).unwrap_err().is_timed_out());
    assert!(handle.cancel());
}

#[test]
fn an_earlier_date_wakes_the_sleeper_that_keeps_the_time() {
    fn check<const WORKERS: usize>() {
        let (pool, times, later) = start::<WORKERS>();
        let hour = later.submit_after(HOUR, || ()).unwrap();
        for _ in 0..20 {
            assert_eq!(later.submit_after(MOMENT, || 7).unwrap().result(), Ok(7));
        }
        let moved = later.submit_after(HOUR, || 8).unwrap();
        let mover = std::thread::scope(|scope| {
            let moving = scope.spawn(|| times.move_to(&moved, StdHost::now()));
            moving.join().unwrap()
        });
        assert!(mover);
        assert_eq!(moved.result(), Ok(8));
        pool.shutdown(Shutdown::Drain).unwrap();
        assert!(hour.cancelled());
    }
    check::<0>();
    check::<1>();
    check::<3>();
}

/// The worker that kept the time is woken for a task that lasts until another worker has run the
/// timed one.
#[test]
fn a_worker_that_goes_to_work_passes_the_time_on() {
    let (pool, _, later) = start::<2>();
    for _ in 0..50 {
        let (sender, receiver) = channel();
        let timed = later
            .submit_after(MOMENT, move || sender.send(()).is_ok())
            .unwrap();
        let waits = pool
            .submit(move || receiver.recv_timeout(PATIENCE).is_ok())
            .unwrap();
        assert_eq!((waits.result(), timed.result()), (Ok(true), Ok(true)));
    }
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_worker_that_waits_for_a_timed_task_keeps_the_time_and_runs_it() {
    let (pool, _, later) = start::<1>();
    let nested = pool.submit(move || later.submit_after(MOMENT, || 7).unwrap().result());
    assert_eq!(nested.unwrap().result(), Ok(Ok(7)));
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// With a time limit a worker runs nothing meanwhile: another one does.
#[test]
fn a_worker_that_waits_with_a_time_limit_keeps_the_time() {
    let (pool, _, later) = start::<2>();
    let nested = pool.submit(move || {
        let mut timed = later.submit_after(MOMENT, || 7).unwrap();
        timed.result_timeout(PATIENCE)
    });
    assert_eq!(nested.unwrap().result(), Ok(Ok(7)));
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// Each task submits the next one: no worker is ever idle.
#[test]
fn due_tasks_do_not_starve_while_every_worker_has_work() {
    static POOL: Executor<1, 8> = Executor::new();
    static TIMES: Timetable<2> = Timetable::new();
    static STOP: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);
    fn go_on() {
        if !STOP.load(core::sync::atomic::Ordering::Relaxed) {
            POOL.submit(go_on).unwrap().detach();
        }
    }
    POOL.start(&StdThreads::new()).unwrap();
    POOL.submit(go_on).unwrap().detach();
    let timed = TIMES.on(&POOL).submit_after(MOMENT, || 7).unwrap();
    assert_eq!(timed.result(), Ok(7));
    STOP.store(true, core::sync::atomic::Ordering::Relaxed);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_series_on_workers_keeps_to_its_grid() {
    let (pool, _, later) = start::<2>();
    let first = StdHost::now() + 1_000_000;
    let mut dates = 0;
    let series = later.submit_every(Every::ticks(500_000).first_at(first), move |run| {
        assert_eq!((run.date - first) % 500_000, 0);
        dates += 1 + u64::from(run.missed);
        assert_eq!(run.date, first + (dates - 1) * 500_000);
        if dates < 40 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(StdHost::now())
        }
    });
    let ended = series.unwrap().result().unwrap();
    assert!(ended >= first + 39 * 500_000);
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn async_tasks_sleep() {
    let (pool, _, later) = start::<2>();
    async fn nap(later: Later, length: Duration) -> bool {
        let before = StdHost::now();
        later.sleep(length).unwrap().await;
        u128::from(StdHost::now() - before) >= length.as_nanos()
    }
    let naps = [3, 1, 2].map(|length| pool.submit_future(nap(later, MOMENT * length)).unwrap());
    assert_eq!(naps.map(|nap| nap.result()), [Ok(true), Ok(true), Ok(true)]);
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_drain_does_not_wait_for_dates_and_the_next_life_keeps_the_time_too() {
    let (pool, times, later) = start::<2>();
    for _ in 0..3 {
        let hour = later.submit_after(HOUR, || ()).unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert!(hour.cancelled());
        assert_eq!(times.next_date(), None);
        pool.start(&StdThreads::new()).unwrap();
        assert_eq!(later.submit_after(MOMENT, || 7).unwrap().result(), Ok(7));
    }
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_fifth_timetable_is_refused() {
    let (pool, _, _) = start::<1>();
    let tables =
        [(); 5].map(|()| -> &'static Timetable<1> { Box::leak(Box::new(Timetable::new())) });
    let handles = tables.map(|times| times.on(pool).submit_after(MOMENT, || 7));
    for (number, handle) in handles.into_iter().enumerate() {
        match handle {
            Ok(handle) => assert_eq!(handle.result(), Ok(7)),
            Err(refused) => assert_eq!((number, refused.reason()), (4, Refusal::NoTimer)),
        }
    }
    assert_eq!(pool.stats().refused, 1);
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn cancel_sync_ends_a_series_whether_it_runs_or_rests() {
    let (pool, times, later) = start::<2>();
    for _ in 0..20 {
        let (tell, told) = channel();
        let series = later.submit_every(Every::ticks(50_000), move |run| {
            let _ = tell.send(run.date);
            ControlFlow::<()>::Continue(())
        });
        told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(series.unwrap().cancel_sync(), Err(TaskError::Cancelled));
        assert!(told.iter().count() < 1000, "its closure is dropped");
    }
    assert_eq!(times.next_date(), None);
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_shutdown_that_stops_ends_a_series_and_a_task_that_was_due() {
    let (pool, times, later) = start::<1>();
    let (tell, told) = channel();
    let endless = pool.submit_stoppable(move |stop| {
        tell.send(()).unwrap();
        while !stop.requested() {
            std::thread::yield_now();
        }
    });
    told.recv_timeout(PATIENCE).unwrap();
    let due = later.submit_at(0, || ()).unwrap();
    let series = later.submit_every(Every::ticks(50_000), |_| ControlFlow::<()>::Continue(()));
    pool.shutdown(Shutdown::Stop).unwrap();
    assert_eq!(endless.unwrap().result(), Ok(()));
    assert!(due.cancelled() && series.unwrap().cancelled());
    assert_eq!(times.next_date(), None);
}
