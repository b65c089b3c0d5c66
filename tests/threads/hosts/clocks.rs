//! Clocks that jump back, and clocks near their last tick.

use core::cell::Cell;
use core::time::Duration;

use slotted::{
    Clock, Executor, Park, Refusal, ReturnWhen, StdHost, TaskError, as_completed_timeout,
    wait_timeout,
};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static JUMPS: Cell<u32> = const { Cell::new(0) };
}

/// One thread, whose clock jumps back in its sleep as often as the test says. After that the thread
/// sleeps to the deadline.
#[derive(Debug)]
struct SetBack;

impl Park for SetBack {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        panic!("the only thread sleeps without a deadline");
    }

    fn unpark((): &()) {}
}

impl Clock for SetBack {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        NOW.get()
    }

    fn park_until(deadline: u64) {
        match JUMPS.get().checked_sub(1) {
            Some(left) => {
                JUMPS.set(left);
                NOW.set(NOW.get() / 2);
            }
            None => NOW.set(deadline),
        }
    }
}

/// The wait takes longer and still ends at its deadline.
#[test]
fn a_clock_that_jumps_back_only_lengthens_a_wait() {
    let pool: Executor<0, 2, 64, SetBack> = Executor::new();
    let (promise, mut handle) = pool.promise::<u8>().unwrap();
    let (also, another) = pool.promise::<u8>().unwrap();
    let timeout = Duration::from_millis(10);
    let times_out = |wait: &mut dyn FnMut() -> bool| {
        NOW.set(1000);
        JUMPS.set(3);
        assert!(wait());
        assert_eq!(
            (NOW.get(), JUMPS.get()),
            (1010, 0),
            "the wait ends at the deadline of the call"
        );
    };
    times_out(&mut || handle.result_timeout(timeout).unwrap_err().is_timed_out());
    times_out(&mut || {
        handle
            .error_timeout(timeout)
            .is_some_and(TaskError::is_timed_out)
    });
    times_out(&mut || {
        pool.submit_timeout(|| (), timeout)
            .is_err_and(|error| error.reason() == Refusal::Full)
    });
    let mut handles = [handle, another];
    times_out(&mut || {
        wait_timeout(&mut handles, timeout, ReturnWhen::FirstCompleted)
            .not_done
            .len()
            == 2
    });
    // The call sets the deadline, and the clock jumps back three times before it.
    NOW.set(1000);
    JUMPS.set(3);
    let mut completed = as_completed_timeout(handles, timeout);
    let late = completed.next().unwrap().unwrap_err();
    assert_eq!((late.unfinished(), NOW.get()), (2, 1010));

    promise.set_result(1).unwrap();
    also.set_result(2).unwrap();
    assert_eq!(
        late.into_handles()
            .map(|handle| handle.result().unwrap())
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn a_deadline_beyond_the_last_tick_is_the_last_tick() {
    let pool: Executor<0, 1, 64, SetBack> = Executor::new();
    let (_promise, mut handle) = pool.promise::<u8>().unwrap();
    NOW.set(u64::MAX - 5);
    assert!(
        handle
            .result_timeout(Duration::from_secs(1))
            .unwrap_err()
            .is_timed_out()
    );
    assert_eq!(NOW.get(), u64::MAX);
    assert!(
        handle
            .result_timeout(Duration::MAX)
            .unwrap_err()
            .is_timed_out()
    );
}
