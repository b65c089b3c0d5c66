//! What a review of time budgets found, or could not break.

use core::future::Future;

use slotted::Refusal;

use crate::{Manual, at, leak};

/// The largest table that compiles. A section that begins within eight of the last number of a
/// `u16` overflows: debug panics in the lock, release looks for ever.
#[test]
fn a_table_of_the_largest_size_is_searched_to_its_end() {
    static TIMES: crate::Times<65_534> = crate::Times::new();
    let (pool, times) = (leak::<2, 1>().0, &TIMES);
    let naps = (0..65_533)
        .map(|_| times.on(pool).sleep_until(u64::MAX).unwrap())
        .collect::<Vec<_>>();
    let handle = pool.submit(|| ()).unwrap();
    times.cancel_at(&handle, 10).unwrap(); // the last one
    times.cancel_at(&handle, 20).unwrap(); // found at the end of the table
    let other = pool.submit(|| ()).unwrap();
    assert_eq!(times.cancel_at(&other, 20), Err(Refusal::NoTimer));
    assert!(times.cancel_never(&handle));
    drop(naps);
}

/// "Returns true if it had one in this timetable whose date has not come."
#[test]
fn cancel_never_is_false_once_the_date_has_come() {
    let (pool, times) = leak::<4, 1>();
    let victim = pool.submit(|| ()).unwrap();
    times.cancel_at(&victim, 10).unwrap();
    let victim = std::sync::Arc::new(victim);
    let same = victim.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let called = victim.add_done_callback(move |_| {
        tell.send(times.cancel_never(&same)).unwrap();
    });
    assert!(called.is_ok());
    Manual::set(10);
    times.advance();
    assert!(victim.cancelled());
    assert!(!told.recv().unwrap(), "it is being cancelled");
}

/// All that is foreign panics, also the payloads' destructors: `advance` does not unwind.
#[test]
fn nothing_that_panics_unwinds_out_of_advance() {
    struct Bad(u32);
    impl Drop for Bad {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                std::panic::panic_any(Bad2(self.0));
            }
        }
    }
    struct Bad2(u32);
    impl Drop for Bad2 {
        fn drop(&mut self) {
            if self.0 > 0 && !std::thread::panicking() {
                std::panic::panic_any(Bad2(self.0 - 1));
            }
        }
    }
    struct Wakes;
    impl std::task::Wake for Wakes {
        fn wake(self: std::sync::Arc<Self>) {
            std::panic::panic_any(Bad2(1));
        }
    }
    let (pool, times) = leak::<8, 8>();
    let bad = Bad(2);
    let closure = pool
        .submit(move || {
            let _bad = &bad;
        })
        .unwrap();
    times.cancel_at(&closure, 1).unwrap();
    for _ in 0..2 {
        let bad = Bad(1);
        let called = closure.add_done_callback(move |_| {
            let _bad = &bad;
            std::panic::panic_any(Bad2(2));
        });
        assert!(called.is_ok());
    }
    let mut waited = pool.submit(|| ()).unwrap();
    times.cancel_at(&waited, 1).unwrap();
    let waker = core::task::Waker::from(std::sync::Arc::new(Wakes));
    let mut context = core::task::Context::from_waker(&waker);
    assert!(
        core::pin::Pin::new(&mut waited)
            .poll(&mut context)
            .is_pending()
    );
    let bad = Bad(1);
    let future = pool
        .submit_future(async move {
            let _bad = &bad;
            core::future::pending::<()>().await;
        })
        .unwrap();
    times.cancel_at(&future, 1).unwrap();
    let last = pool.submit(|| ()).unwrap();
    times.cancel_at(&last, 1).unwrap();
    Manual::set(1);
    assert_eq!(times.advance(), None);
    assert!(last.cancelled() && closure.cancelled() && future.cancelled());
    assert_eq!(pool.stats().callbacks_panicked, 2);
    drop((waited, closure, future, last));
    assert_eq!(pool.stats().slots_in_use, 0);
}

/// A timer goes round all its owners with a foreign, counted waker: dropped once each time.
#[test]
fn a_timer_that_changes_its_purpose_drops_each_waker_once() {
    struct Counts;
    impl std::task::Wake for Counts {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let (pool, times) = leak::<4, 1>();
    let counts = std::sync::Arc::new(Counts);
    let waker = core::task::Waker::from(counts.clone());
    let mut context = core::task::Context::from_waker(&waker);
    for round in 0..20_u64 {
        let now = round * 100;
        Manual::set(now);
        let mut nap = Box::pin(times.on(pool).sleep_until(now + 10).unwrap());
        assert!(nap.as_mut().poll(&mut context).is_pending());
        assert!(nap.as_mut().poll(&mut context).is_pending());
        if round % 3 == 0 {
            Manual::set(now + 10);
            times.advance();
            if round % 2 == 0 {
                assert!(nap.as_mut().poll(&mut context).is_ready());
            }
        }
        drop(nap);
        assert_eq!(std::sync::Arc::strong_count(&counts), 2);
        let handle = pool.submit(|| ()).unwrap();
        times.cancel_at(&handle, now + 20).unwrap();
        assert!(times.on(pool).sleep_until(1).is_err());
        match round % 4 {
            0 => assert!(times.cancel_never(&handle)),
            1 => {
                Manual::set(now + 20);
                times.advance();
                assert!(handle.cancelled());
            }
            _ => {
                assert!(handle.cancel()); // swept
            }
        }
        let timed = times.on(pool).submit_at(now + 30, || 7).unwrap();
        assert!(times.move_to(&timed, now + 31));
        assert_eq!(
            at(now + 31, pool, times),
            if handle.cancelled() { 1 } else { 2 }
        );
        assert_eq!(timed.result(), Ok(7));
    }
}

/// Random calls against a model: dates, budgets, series, moves. What is due acts, in order of
/// dates; timers never leak.
#[test]
fn a_long_random_run_leaks_no_timer() {
    const TIMERS: usize = 12;
    let (pool, times) = leak::<16, TIMERS>();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut now = 0;
    let mut tasks: Vec<(slotted::JoinHandle<'static, (), Manual>, Option<u64>, bool)> = Vec::new();
    let mut naps = Vec::new();
    let rounds = if cfg!(miri) { 300 } else { 200_000 };
    for _ in 0..rounds {
        match random(9) {
            0 => {
                if let Ok(handle) = pool.submit(|| ()) {
                    tasks.push((handle, None, false));
                }
            }
            1 => {
                if let Ok(handle) = times.on(pool).submit_at(now + random(9), || ()) {
                    tasks.push((handle, None, true));
                }
            }
            2 | 3 if !tasks.is_empty() => {
                let index = random(tasks.len() as u64) as usize;
                let date = now + random(9);
                let (handle, budget, _) = &mut tasks[index];
                if times.cancel_at(handle, date).is_ok() {
                    *budget = (!handle.done()).then_some(date);
                }
            }
            4 if !tasks.is_empty() => {
                let index = random(tasks.len() as u64) as usize;
                let (handle, budget, _) = &mut tasks[index];
                let had = times.cancel_never(handle);
                assert!(had || budget.is_none() || handle.done());
                *budget = None;
            }
            5 if !tasks.is_empty() => {
                let index = random(tasks.len() as u64) as usize;
                let _ = times.move_to(&tasks[index].0, now + random(9));
            }
            6 => {
                if naps.len() < 4 {
                    naps.extend(times.on(pool).sleep_until(now + random(9)));
                } else {
                    drop(naps.swap_remove(random(4) as usize));
                }
            }
            7 => {
                if random(3) == 0 {
                    pool.run_one();
                }
            }
            _ => {
                now += random(3);
                Manual::set(now);
                let next = times.advance();
                assert!(next.is_none_or(|next| next > now));
                for (handle, budget, _) in &tasks {
                    if budget.is_some_and(|date| date <= now) {
                        assert!(handle.done());
                    }
                }
                tasks.retain(|(handle, ..)| !handle.done());
            }
        }
        if random(40) == 0 {
            let held = tasks
                .iter()
                .filter(|(handle, budget, timed)| {
                    let _ = timed;
                    budget.is_some() && !handle.done()
                })
                .count();
            assert!(held <= TIMERS);
        }
    }
    for (handle, ..) in &tasks {
        let _ = handle.cancel();
    }
    naps.clear();
    let all = (0..TIMERS)
        .map(|_| times.on(pool).sleep_until(now + 100))
        .collect::<Result<Vec<_>, _>>();
    assert!(all.is_ok(), "a timer leaked");
}

mod threads {
    //! A host that keeps the time and says when a thread parks.

    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;
    use std::sync::mpsc::channel;

    use slotted::{Clock, Executor, Park, Spawn, StdHost, StdThreads, Timetable, Worker};

    static PLAIN_PARKS: AtomicUsize = AtomicUsize::new(0);

    struct Keeps;

    impl Park for Keeps {
        type Thread = std::thread::Thread;
        type Order = slotted::Fifo;
        const KEEPS_TIME: bool = true;
        fn current() -> std::thread::Thread {
            std::thread::current()
        }
        fn current_id() -> usize {
            StdHost::current_id()
        }
        fn park() {
            if std::thread::current().name() == Some("worker") {
                PLAIN_PARKS.fetch_add(1, Ordering::SeqCst);
            }
            std::thread::park();
        }
        fn unpark(thread: &std::thread::Thread) {
            thread.unpark();
        }
    }

    impl Clock for Keeps {
        const TICKS_PER_SECOND: u64 = StdHost::TICKS_PER_SECOND;
        fn now() -> u64 {
            StdHost::now()
        }
        fn park_until(deadline: u64) {
            <StdHost as Clock>::park_until(deadline);
        }
    }

    struct Threads;
    impl Spawn<Keeps> for Threads {
        type Error = std::io::Error;
        fn spawn(&self, worker: Worker<'static, Keeps>) -> Result<(), Self::Error> {
            std::thread::Builder::new()
                .name("worker".into())
                .spawn(|| worker.run())
                .map(drop)
        }
    }

    /// A callback that waits a moment, in a worker that is about to sleep in a wait: the worker
    /// then sleeps without being counted asleep, so that a date set afterwards wakes no thread.
    #[test]
    fn a_date_after_a_callback_that_waited_is_kept() {
        static POOL: Executor<1, 8, 256, Keeps> = Executor::new();
        static TIMES: Timetable<4, Keeps> = Timetable::new();
        POOL.start(&Threads).unwrap();
        let (_never, silent) = POOL.promise::<()>().unwrap();
        let (tell, told) = channel();
        let victim = POOL.promise::<()>().unwrap();
        let silent = std::sync::Mutex::new(silent);
        let called = victim.1.add_done_callback(move |_| {
            let mut silent = silent.lock().unwrap();
            let waited = silent.result_timeout(Duration::from_millis(1));
            assert!(waited.unwrap_err().is_timed_out());
            tell.send(PLAIN_PARKS.load(Ordering::SeqCst)).unwrap();
        });
        assert!(called.is_ok());
        let (answer, asked) = POOL.promise::<u8>().unwrap();
        let waits = POOL
            .submit(move || {
                TIMES.cancel_at(&victim.1, 0).unwrap();
                asked.result().is_err()
            })
            .unwrap();
        let before = told.recv().unwrap();
        while PLAIN_PARKS.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
        // The only worker sleeps in its wait, and nothing else is to come.
        let probe = POOL.promise::<()>().unwrap();
        TIMES
            .cancel_after(&probe.1, Duration::from_millis(5))
            .unwrap();
        let mut probed = probe.1;
        let kept = probed.result_timeout(Duration::from_secs(3));
        assert!(answer.set_result(1).is_ok());
        assert_eq!(waits.result(), Ok(false));
        assert!(kept.unwrap_err().is_cancelled(), "the budget is lost");
    }

    /// A callback in a worker that is about to sleep submits: nothing is forgotten.
    #[test]
    fn what_callbacks_and_destructors_submit_is_run() {
        fn check<const WORKERS: usize>() {
            struct Submits<F: FnMut()>(F);
            impl<F: FnMut()> Drop for Submits<F> {
                fn drop(&mut self) {
                    (self.0)();
                }
            }
            let pool: &'static Executor<WORKERS, 16, 256> = Box::leak(Box::new(Executor::new()));
            let times: &'static Timetable<8> = Box::leak(Box::new(Timetable::new()));
            pool.start(&StdThreads::new()).unwrap();
            let (tell, told) = channel();
            for round in 0..3000_u64 {
                let tell = tell.clone();
                let dropped = tell.clone();
                let submits = Submits(move || {
                    let tell = dropped.clone();
                    pool.submit(move || tell.send(1).unwrap()).unwrap().detach();
                });
                let task = times
                    .on(pool)
                    .submit_after(Duration::from_secs(60), move || {
                        let _submits = &submits;
                    })
                    .unwrap();
                let called = task.add_done_callback(move |_| {
                    pool.submit(move || tell.send(2).unwrap()).unwrap().detach();
                });
                assert!(called.is_ok());
                times
                    .cancel_at(&task, StdHost::now() + (round * 37) % 20_000)
                    .unwrap();
                if round % 2 == 0 {
                    task.detach();
                } else {
                    assert!(task.result().unwrap_err().is_cancelled());
                }
                for _ in 0..2 {
                    told.recv_timeout(Duration::from_secs(20))
                        .expect("a task is never run");
                }
            }
            pool.shutdown(slotted::Shutdown::Drain).unwrap();
        }
        check::<1>();
        check::<2>();
    }

    /// Many threads arm, move, take away, sweep and advance at once: no timer is lost, no later
    /// task cancelled, no budget forgotten.
    #[test]
    fn a_storm_leaks_no_timer_and_hits_no_other_task() {
        const TIMERS: usize = 21;
        static POOL: Executor<0, 64, 256> = Executor::new();
        static TIMES: Timetable<TIMERS> = Timetable::new();
        let rounds = if cfg!(miri) { 60 } else { 30_000_u64 };
        std::thread::scope(|scope| {
            for number in 0..4_u64 {
                scope.spawn(move || {
                    let mut seed = 0x1234_5678_9abc_def1_u64 ^ number << 40;
                    let mut random = move |below: u64| {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        seed % below
                    };
                    for _ in 0..rounds {
                        let Ok(plain) = POOL.submit(|| ()) else {
                            POOL.run_until_idle();
                            continue;
                        };
                        // It has no budget: nothing ends it but a run.
                        let Ok(budgeted) = POOL.submit(|| ()) else {
                            continue;
                        };
                        let now = StdHost::now();
                        let date = now + random(3) * 1000;
                        let set = TIMES.cancel_at(&budgeted, date).is_ok();
                        match random(6) {
                            0 => {
                                TIMES.cancel_never(&budgeted);
                            }
                            1 => {
                                let _ = TIMES.cancel_at(&budgeted, now + random(20_000));
                            }
                            2 => {
                                if let Ok(nap) = TIMES.on(&POOL).sleep_until(now + random(5000)) {
                                    TIMES.advance();
                                    drop(nap);
                                }
                            }
                            3 => {
                                if let Ok(timed) =
                                    TIMES.on(&POOL).submit_at(now + random(5000), || ())
                                {
                                    TIMES.move_to(&timed, now);
                                    timed.detach();
                                }
                            }
                            4 => {
                                POOL.run_until_idle();
                            }
                            _ => {
                                if set {
                                    while StdHost::now() < date {}
                                    // Another thread may hold it for a moment.
                                    while !budgeted.done() {
                                        TIMES.advance();
                                    }
                                }
                            }
                        }
                        TIMES.advance();
                        budgeted.detach();
                        assert_eq!(plain.result(), Ok(()));
                    }
                });
            }
        });
        while TIMES.next_date().is_some_and(|date| date < u64::MAX) {
            TIMES.advance();
            POOL.run_until_idle();
        }
        let all = (0..TIMERS)
            .map(|_| TIMES.on(&POOL).sleep_until(u64::MAX))
            .collect::<Result<Vec<_>, _>>();
        assert!(all.is_ok(), "a timer leaked: {TIMES:?}");
        drop(all);
        assert_eq!(POOL.stats().slots_in_use, 0);
    }
}
