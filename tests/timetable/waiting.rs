//! Workers that wait for timed tasks.

use core::ops::ControlFlow;
use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{Every, Executor, ReturnWhen, Shutdown, StdHost, StdThreads, Timetable, wait};

const SHORT: Duration = Duration::from_millis(20);
/// Longer than any machine takes: a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(60);

type Pool = Executor<2, 8, 128>;

/// Runs `task` on a worker, with executor and timetable. Returns what it returns.
fn on_a_worker<R: Send + 'static>(
    task: impl FnOnce(&'static Pool, &'static Timetable<8, StdHost>) -> R + Send + 'static,
) -> R {
    let pool: &Pool = Box::leak(Box::default());
    let times: &Timetable<8, StdHost> = Box::leak(Box::default());
    pool.start(&StdThreads::new()).unwrap();
    let (tell, told) = channel();
    let task = Box::new(move || tell.send(task(pool, times)).unwrap());
    pool.submit(task).unwrap().detach();
    let value = told.recv_timeout(PATIENCE).expect("the task returns");
    pool.shutdown(Shutdown::Drain).unwrap();
    value
}

#[test]
fn a_worker_waits_for_a_delayed_task() {
    let result = on_a_worker(|pool, times| {
        let later = times.on(pool).submit_after(SHORT, || 7).unwrap();
        later.result()
    });
    assert_eq!(result, Ok(7));
}

#[test]
fn a_worker_waits_for_a_series_that_rests_between_two_runs() {
    let result = on_a_worker(|pool, times| {
        let mut runs = 0;
        let series = times.on(pool).submit_every(Every::new(SHORT), move |_| {
            runs += 1;
            if runs == 3 {
                ControlFlow::Break(runs)
            } else {
                ControlFlow::Continue(())
            }
        });
        series.unwrap().result()
    });
    assert_eq!(result, Ok(3));
}

#[test]
fn a_worker_waits_for_several_delayed_tasks() {
    let results = on_a_worker(|pool, times| {
        let later = times.on(pool);
        let mut handles = [1, 2].map(|number| {
            let task = move || number;
            later.submit_after(SHORT, task).unwrap()
        });
        let _ = wait(&mut handles, ReturnWhen::AllCompleted);
        handles.map(|handle| handle.result())
    });
    assert_eq!(results, [Ok(1), Ok(2)]);
}

#[test]
fn a_chain_of_waiting_workers_may_lead_to_a_delayed_task() {
    let result = on_a_worker(|pool, times| {
        let outer = pool.submit(move || {
            let later = times.on(pool).submit_after(SHORT, || 7).unwrap();
            later.result()
        });
        outer.unwrap().result()
    });
    assert_eq!(result, Ok(Ok(7)));
}
