//! Listeners of several kinds in one cell, and handles that are dropped while a task ends.
#![forbid(unsafe_code)]

use super::*;

/// Counts its wakes.
struct Wakes(AtomicUsize);

impl std::task::Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Leaves a waker in a handle's cell. Returns how often it was woken.
fn polled<T>(handle: &mut crate::JoinHandle<'static, T, Modelled>) -> Arc<Wakes> {
    let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    assert!(Pin::new(handle).poll(&mut context).is_pending());
    wakes
}

#[test]
fn a_callback_that_joins_a_waker_while_the_task_ends_is_called_once() {
    model_static::<2>(|pool| {
        let mut handle = pool.submit(|| 7).unwrap();
        let wakes = polled(&mut handle);
        let driver = thread::spawn(|| assert!(pool.run_one()));
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let added = handle.add_done_callback(move |outcome| {
            assert_eq!(outcome.ok(), Some(&7));
            counter.fetch_add(1, Ordering::Relaxed);
        });
        added.unwrap();
        driver.join().unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(handle.try_result(), Some(Ok(7)));
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_group_in_the_cell_of_a_waker_wakes_and_so_does_the_waker() {
    model_static::<2>(|pool| {
        let mut handles = [pool.submit(|| 1).unwrap(), pool.submit(|| 2).unwrap()];
        let wakes = polled(&mut handles[0]);
        // The waiting thread drives too.
        let driver = thread::spawn(|| _ = pool.run_one());
        let done = wait(&mut handles, ReturnWhen::AllCompleted);
        drop(done);
        driver.join().unwrap();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(handles.map(|handle| handle.result()), [Ok(1), Ok(2)]);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_polled_handle_that_is_dropped_while_its_task_ends_drops_the_value_once() {
    model_static::<1>(|pool| {
        let (counted, drops) = Counted::new();
        let mut handle = pool.submit(move || counted).unwrap();
        let wakes = polled(&mut handle);
        let driver = thread::spawn(|| assert!(pool.run_one()));
        drop(handle);
        driver.join().unwrap();
        assert!(wakes.0.load(Ordering::Relaxed) <= 1);
        assert_eq!(Arc::strong_count(&wakes), 1, "no cell keeps the waker");
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_handle_that_is_dropped_while_its_promise_is_kept_and_dropped_frees_the_slot_once() {
    model_static::<1>(|pool| {
        let (counted, drops) = Counted::new();
        let (promise, handle) = pool.promise().unwrap();
        let canceller = handle.canceller();
        let keeper = thread::spawn(move || {
            let _ = promise.set_result(counted);
            drop(promise);
        });
        canceller.cancel();
        drop(handle);
        keeper.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(pool.stats().slots_in_use, 0);
        assert!(pool.reserve().is_ok());
    });
}

/// The task is taken between two looks of the canceller. Between two more it ends, and its slot is
/// used again.
#[test]
fn a_canceller_that_meets_a_slot_in_reuse_cancels_its_own_task_only() {
    model_leaked_within::<0, 1>(4, |pool| {
        let handle = pool.submit(|| 1).unwrap();
        let canceller = handle.canceller();
        let late = thread::spawn(move || canceller.cancel());
        pool.run_one();
        drop(handle);
        let next = pool.submit(|| 2);
        let cancelled = late.join().unwrap();
        // The thread that cancelled the first task may still have had its slot.
        let Ok(next) = next else {
            return assert!(cancelled);
        };
        assert!(!next.cancelled());
        assert!(pool.run_one());
        assert_eq!(next.result(), Ok(2));
    });
}
