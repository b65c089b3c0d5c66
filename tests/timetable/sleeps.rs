//! Async tasks that sleep.

use core::future::Future;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::pin::pin;
use std::sync::Arc;
use std::task::Wake;

use slotted::Refusal;

use crate::{Log, Manual, at, leak};

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_future_sleeps_until_its_dates() {
    let (pool, times) = leak::<2, 2>();
    let log = Log::default();
    let noted = log.clone();
    let task = pool.submit_future(async move {
        times.on(pool).sleep(Duration::from_millis(5))?.await;
        noted.note(<Manual as slotted::Clock>::now());
        times.on(pool).sleep_until(12)?.await;
        noted.note(<Manual as slotted::Clock>::now());
        Ok::<_, Refusal>(())
    });
    let task = task.unwrap();
    for tick in 0..20 {
        at(tick, pool, times);
    }
    assert_eq!(log.take(), [5, 12]);
    assert_eq!(task.result(), Ok(Ok(())));
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_sleep_works_under_any_executor_and_wakes_the_last_waker_once() {
    let (pool, times) = leak::<1, 1>();
    let (first, last) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let mut sleep = pin!(times.on(pool).sleep_until(10).unwrap());
    let mut poll = |wakes: &Arc<Wakes>| {
        let waker = Waker::from(wakes.clone());
        sleep.as_mut().poll(&mut Context::from_waker(&waker))
    };
    assert_eq!(poll(&first), Poll::Pending);
    assert_eq!(poll(&last), Poll::Pending);
    Manual::set(10);
    assert_eq!(times.advance(), None);
    assert_eq!(times.advance(), None);
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
    assert_eq!(last.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(&first), Poll::Ready(()));
    assert!(times.on(pool).sleep_until(1).is_ok(), "the timer is free");
    assert_eq!(Arc::strong_count(&first), 1, "no waker is left behind");
    assert_eq!(Arc::strong_count(&last), 1, "no waker is left behind");
}

#[test]
fn a_sleep_that_is_over_before_its_first_poll_is_ready_then() {
    let (pool, times) = leak::<1, 1>();
    let mut sleep = pin!(times.on(pool).sleep_until(3).unwrap());
    Manual::set(3);
    times.advance();
    let ready = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(ready, Poll::Ready(()));
}

#[test]
fn a_dropped_sleep_frees_its_timer_and_wakes_nothing() {
    let (pool, times) = leak::<1, 1>();
    let wakes = Arc::new(Wakes::default());
    {
        let mut sleep = pin!(times.on(pool).sleep_until(3).unwrap());
        let waker = Waker::from(wakes.clone());
        assert!(
            sleep
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(Arc::strong_count(&wakes), 1, "the waker was dropped");
    assert_eq!(times.next_date(), None);
    Manual::set(3);
    assert_eq!(times.advance(), None);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_forgotten_sleep_costs_its_timer_and_nothing_else() {
    let (pool, times) = leak::<2, 2>();
    core::mem::forget(times.on(pool).sleep_until(3).unwrap());
    let task = times.on(pool).submit_at(4, || 4).unwrap();
    assert_eq!(
        times.on(pool).submit_at(4, || 4).unwrap_err().reason(),
        Refusal::NoTimer
    );
    assert_eq!(at(4, pool, times), 1);
    assert_eq!(task.result(), Ok(4));
}

#[test]
fn a_waker_that_panics_stops_no_other_task() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }
    let (pool, times) = leak::<2, 2>();
    let mut sleep = pin!(times.on(pool).sleep_until(1).unwrap());
    let waker = Waker::from(Arc::new(Panics));
    assert!(
        sleep
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let task = times.on(pool).submit_at(2, || 2).unwrap();
    assert_eq!(at(2, pool, times), 1);
    assert_eq!(task.result(), Ok(2));
}
