//! A worker that was unparked, and that its scheduler does not let run, holds up no task of
//! another worker.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use slotted::{Executor, Levels, Park, Ran, Shutdown, Spawn, StdHost, Worker};

struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes a host whose threads park until a gate is open, and a function that has a worker in such
/// a thread and one that is an async task. `$tied` is the number of the one that serves level 1.
macro_rules! gated {
    ($play:ident) => {
        struct Gated;
        static PARKED: AtomicBool = AtomicBool::new(false);
        static IS_OPEN: AtomicBool = AtomicBool::new(false);

        impl Park for Gated {
            type Thread = std::thread::Thread;
            type Order = Levels<2>;
            const FAIR: bool = true;
            fn current() -> Self::Thread {
                StdHost::current()
            }
            fn current_id() -> usize {
                StdHost::current_id()
            }
            fn park() {
                PARKED.store(true, Ordering::Release);
                StdHost::park();
                while !IS_OPEN.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
            }
            fn unpark(thread: &Self::Thread) {
                StdHost::unpark(thread);
            }
        }

        /// Worker 0 runs in a thread, and worker 1 stays with the test. `TIED` serves level 1.
        struct Threads<const TIED: usize>(Mutex<Option<Worker<'static, Gated>>>);

        impl<const TIED: usize> Spawn<Gated> for Threads<TIED> {
            type Error = std::io::Error;
            fn spawn(&self, worker: Worker<'static, Gated>) -> std::io::Result<()> {
                let number = worker.index();
                let worker = if number == TIED {
                    worker.serve::<1>()
                } else {
                    worker
                };
                if number == 1 {
                    *self.0.lock().unwrap() = Some(worker);
                    return Ok(());
                }
                std::thread::Builder::new()
                    .spawn(move || worker.run())
                    .map(drop)
            }
        }

        /// The thread is unparked for the first task. Returns whether the second wakes the other
        /// worker.
        fn $play<const TIED: usize>(
            pool: &'static Executor<2, 4, 64, Gated>,
            first: impl FnOnce(),
            second: impl FnOnce(),
        ) -> usize {
            let threads = Threads::<TIED>(Mutex::default());
            pool.start(&threads).unwrap();
            while !PARKED.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            first();
            let mut worker = threads.0.into_inner().unwrap().unwrap();
            let counts = Arc::new(Counts(AtomicUsize::new(0)));
            let waker = Waker::from(counts.clone());
            {
                let mut ready = pin!(worker.ready());
                let mut context = Context::from_waker(&waker);
                assert_eq!(ready.as_mut().poll(&mut context), Poll::Pending);
                second();
            }
            let woken = counts.0.load(Ordering::Relaxed);
            IS_OPEN.store(true, Ordering::Release);
            pool.begin_shutdown(Shutdown::Drain);
            while worker.run_one() != Ran::Left {}
            pool.shutdown(Shutdown::Drain).unwrap();
            woken
        }
    };
}

#[test]
fn an_urgent_task_relies_on_no_general_worker_that_was_unparked() {
    gated!(play);
    static POOL: Executor<2, 4, 64, Gated> = Executor::new();
    let low = || POOL.submit(|| ()).unwrap().detach();
    let urgent = || POOL.level::<1>().submit(|| ()).unwrap().detach();
    assert_eq!(play::<1>(&POOL, low, urgent), 1);
}

#[test]
fn a_low_task_relies_on_no_tied_worker_that_was_unparked() {
    gated!(play);
    static POOL: Executor<2, 4, 64, Gated> = Executor::new();
    let low = || POOL.submit(|| ()).unwrap().detach();
    let urgent = || POOL.level::<1>().submit(|| ()).unwrap();
    // The general worker rests before the urgent task comes, which goes to the tied one, and is
    // cancelled.
    assert_eq!(
        play::<0>(
            &POOL,
            || (),
            || {
                assert!(urgent().cancel());
                low();
            }
        ),
        1
    );
}
