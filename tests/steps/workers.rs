//! The steps of workers, and of tasks that end because an executor breaks.

use core::pin::pin;
use core::task::{Context, Waker};
use std::sync::Mutex;

use slotted::error::WorkerStartError;
use slotted::{Executor, Outcome, Park, Ran, Shutdown, Spawn, StdHost, Step, Worker};

use crate::told;

/// Std's threads, and keeps what they tell.
struct Desktop;

impl Park for Desktop {
    type Thread = std::thread::Thread;
    type Order = slotted::Fifo;
    fn current() -> Self::Thread {
        StdHost::current()
    }
    fn current_id() -> usize {
        StdHost::current_id()
    }
    fn park() {
        StdHost::park();
    }
    fn unpark(thread: &Self::Thread) {
        StdHost::unpark(thread);
    }
    fn note(step: impl FnOnce() -> Step) {
        told::tell(step());
    }
}

type Pool<const WORKERS: usize> = Executor<WORKERS, 4, 128, Desktop>;

/// Keeps the workers for the test.
#[derive(Default)]
struct Keep(Mutex<Vec<Worker<'static, Desktop>>>);

impl Spawn<Desktop> for Keep {
    type Error = ();
    fn spawn(&self, worker: Worker<'static, Desktop>) -> Result<(), ()> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}

fn address<T>(pool: &'static T) -> usize {
    core::ptr::from_ref(pool).addr()
}

#[test]
fn a_worker_is_idle_before_it_sleeps_and_busy_after() {
    static POOL: Pool<1> = Executor::new();
    let keep = Keep::default();
    POOL.start(&keep).unwrap();
    let worker = keep.0.lock().unwrap().pop().unwrap();
    let thread = std::thread::spawn(move || worker.run());
    assert_eq!(POOL.submit(|| 1).unwrap().result(), Ok(1));
    POOL.shutdown(Shutdown::Drain).unwrap();
    thread.join().unwrap();
    let steps = told::take(address(&POOL));
    told::check(&steps, &POOL.stats(), false);
    let by_worker_0 = |step: &&Step| {
        matches!(
            step,
            Step::Started {
                worker: Some(0),
                ..
            }
        )
    };
    assert_eq!(steps.iter().filter(by_worker_0).count(), 1);
}

#[test]
fn an_async_worker_is_idle_while_it_is_awaited() {
    static POOL: Pool<1> = Executor::new();
    let keep = Keep::default();
    POOL.start(&keep).unwrap();
    let mut worker = keep.0.lock().unwrap().pop().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut ready = pin!(worker.ready());
        assert!(ready.as_mut().poll(&mut context).is_pending());
        assert!(ready.as_mut().poll(&mut context).is_pending());
        POOL.submit(|| ()).unwrap().detach();
        assert!(ready.as_mut().poll(&mut context).is_ready());
    }
    assert_eq!(worker.run_one(), Ran::Task);
    assert_eq!(worker.run_one(), Ran::Nothing);
    {
        let ready = pin!(worker.ready());
        assert!(ready.poll(&mut context).is_pending());
    }
    POOL.begin_shutdown(Shutdown::Drain);
    assert_eq!(worker.run_one(), Ran::Left);
    let steps = told::take(address(&POOL));
    told::check(&steps, &POOL.stats(), false);
    let of_workers = { steps.iter() }.map(|step| match step {
        Step::Idle { worker: 0, .. } => 'i',
        Step::Busy { worker: 0, .. } => 'b',
        _ => '.',
    });
    assert_eq!(of_workers.collect::<String>(), "ibi.b..ib");
}

#[test]
fn tasks_of_an_executor_that_breaks_end_as_broken() {
    static POOL: Pool<1> = Executor::new().on_worker_start(|_| Err(WorkerStartError));
    let keep = Keep::default();
    let task = POOL.submit(|| 1).unwrap();
    POOL.start(&keep).unwrap();
    let mut worker = keep.0.lock().unwrap().pop().unwrap();
    assert_eq!(worker.run_one(), Ran::Left);
    assert!(task.result().is_err());
    let steps = told::take(address(&POOL));
    told::check(&steps, &POOL.stats(), false);
    assert!(matches!(
        steps[..],
        [
            Step::Submitted { .. },
            Step::Ended {
                outcome: Outcome::Broken,
                ..
            }
        ]
    ));
}

#[test]
fn a_panic_is_an_outcome() {
    static POOL: Pool<0> = Executor::new();
    let task = POOL
        .submit(|| std::panic::resume_unwind(Box::new(1)))
        .unwrap();
    let ended: Result<(), _> = task.result();
    assert!(ended.unwrap_err().is_panicked());
    let steps = told::take(address(&POOL));
    told::check(&steps, &POOL.stats(), false);
    assert!(matches!(
        steps[2],
        Step::Ended {
            outcome: Outcome::Panicked,
            ..
        }
    ));
}
