//! Futures whose output is the task's outcome: their hook polls them, and not their table.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn a_wake_during_the_poll_of_an_outcome_or_after_it_is_not_lost() {
    model_static::<1>(|pool| {
        let kept_waker = Arc::new(Mutex::new(None));
        let handover = Handover(kept_waker.clone(), false);
        let outcome = async move {
            handover.await;
            Err::<u8, _>(TaskError::Broken)
        };
        let handle = pool.submit_future_outcome(outcome).unwrap();
        let driver = thread::spawn(move || handle.result());
        // Bound: loom runs the driver meanwhile.
        loop {
            let waker: Option<Waker> = kept_waker.lock().unwrap().take();
            if let Some(waker) = waker {
                waker.wake();
                break;
            }
            thread::yield_now();
        }
        assert_eq!(driver.join().unwrap(), Err(TaskError::Broken));
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_waker_and_a_canceller_leave_an_outcome_dropped_once() {
    model_static::<1>(|pool| {
        let (counted, drops) = Counted::new();
        let kept_waker = Arc::new(Mutex::new(None));
        let handover = Handover(kept_waker.clone(), false);
        let outcome = async move {
            handover.await;
            Ok(counted)
        };
        let handle = pool.submit_future_outcome(outcome).unwrap();
        assert!(pool.run_one());
        let waker: Waker = kept_waker.lock().unwrap().take().unwrap();
        let woken = thread::spawn(move || {
            waker.wake();
            pool.run_one();
        });
        let cancelled = handle.cancel();
        woken.join().unwrap();
        if cancelled {
            assert_eq!(drops.load(Ordering::Relaxed), 1);
        }
        drop(handle);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}
