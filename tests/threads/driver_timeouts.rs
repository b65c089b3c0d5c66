//! A driver runs ready tasks while it waits, because there are no workers, and still times out. It
//! reads the clock between two tasks, and a timeout of zero runs no task.

use core::future::{Future, poll_fn};
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use core::time::Duration;

use slotted::{Clock, Executor, Park, TaskError, as_completed_timeout};

/// A host for one thread, whose clock the test moves. Each test has a clock of its own, `TEST`.
struct Stepped<const TEST: usize>;

static NOW: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

impl<const TEST: usize> Park for Stepped<TEST> {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        1
    }

    fn park() {}

    fn unpark((): &()) {}
}

impl<const TEST: usize> Clock for Stepped<TEST> {
    const TICKS_PER_SECOND: u64 = 1;

    fn now() -> u64 {
        NOW[TEST].load(Ordering::Relaxed)
    }

    fn park_until(deadline: u64) {
        NOW[TEST].store(deadline, Ordering::Relaxed);
    }
}

/// A future that is always ready for a poll, and takes a second for each.
fn restless<const TEST: usize>(polls: u64) -> impl Future<Output = ()> + Send {
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        NOW[TEST].fetch_add(1, Ordering::Relaxed);
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn a_driver_times_out_although_a_task_is_always_ready() {
    static EXECUTOR: Executor<0, 4, 64, Stepped<0>> = Executor::new();
    let (_promise, mut handle) = EXECUTOR.promise::<()>().unwrap();
    EXECUTOR
        .submit_future(restless::<0>(1000))
        .unwrap()
        .detach();
    assert!(matches!(
        handle.result_timeout(Duration::from_secs(10)),
        Err(TaskError::TimedOut)
    ));
    assert_eq!(NOW[0].load(Ordering::Relaxed), 10, "in time");
}

#[test]
fn a_timeout_of_zero_runs_nothing() {
    let executor: Executor<0, 4, 64, Stepped<1>> = Executor::new();
    let mut handle = executor.submit(|| 1).unwrap();
    assert!(matches!(
        handle.result_timeout(Duration::ZERO),
        Err(TaskError::TimedOut)
    ));
    assert!(matches!(
        handle.error_timeout(Duration::ZERO),
        Some(TaskError::TimedOut)
    ));
    let timeout = as_completed_timeout([handle], Duration::ZERO)
        .next()
        .unwrap()
        .expect_err("nothing is done");
    assert_eq!((timeout.unfinished(), timeout.total()), (1, 1));
    assert_eq!(executor.stats().queued, 1);
}
