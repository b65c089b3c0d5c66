//! Running ready tasks in the calling thread.
#![forbid(unsafe_code)]

use super::Executor;
use crate::completion::execute;
use crate::host::{LevelOf, Park, level};
use crate::order::Level;

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// Runs the next ready task in the calling thread: the oldest, of the highest level if there
    /// are several. Returns false if there was none.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// assert_eq!([executor.run_one(), executor.run_one()], [true, false]);
    /// ```
    pub fn run_one(&self) -> bool {
        self.run_one_from(Level::BASE)
    }

    /// Runs the next ready task from a level on.
    fn run_one_from(&self, floor: LevelOf<H>) -> bool {
        let registry = self.registry();
        let seat = registry.current_seat();
        match registry.take_next(seat, floor) {
            Some(running) => {
                execute(registry, running, seat);
                true
            }
            None => false,
        }
    }

    /// Runs ready tasks in the calling thread until there is none, those they submit included.
    /// Returns how many it ran.
    ///
    /// # Blocking
    ///
    /// As long as the tasks take; for ever if each submits another.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// executor.submit(|| ()).unwrap().detach();
    /// assert_eq!(executor.run_until_idle(), 2);
    /// ```
    pub fn run_until_idle(&self) -> usize {
        let mut ran = 0;
        while self.run_one() {
            ran += 1;
        }
        ran
    }

    /// As [`run_one`](Self::run_one), for tasks of level `LEVEL` and above only.
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// assert!(!executor.run_one_at::<1>());
    /// assert!(executor.run_one_at::<0>());
    /// ```
    pub fn run_one_at<const LEVEL: usize>(&self) -> bool {
        self.run_one_from(level::<LEVEL, H>())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Waker};

    use super::*;
    use crate::completion::listeners::notify_waiter;
    use crate::error::TaskError;
    use crate::host::SpinHost;
    use crate::registry::ListenerEvent;
    use crate::slot::Advanced;
    use crate::sync::{AtomicUsize, Ordering};

    #[test]
    fn a_callback_that_comes_after_the_completer_found_the_code_for_waiters_is_called() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        static EXECUTOR: Executor<0, 4, 64, SpinHost> = Executor::new();
        let mut handle = EXECUTOR.submit(|| 7).unwrap();
        let registry = handle.registry();
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut handle).poll(&mut context).is_pending());
        let running = registry.take_next(None, ()).unwrap();
        let Advanced::Ended { ending, .. } = running.advance(|_| ()) else {
            panic!("a closure ends");
        };
        let Err(ending) = ending.finish() else {
            panic!("the handle listens");
        };
        handle
            .add_done_callback(|outcome: Result<&i32, &TaskError>| {
                assert_eq!(outcome, Ok(&7));
                CALLS.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        let last = notify_waiter(registry, ListenerEvent::Completed(ending));
        assert!(last.is_none(), "the handle pins the slot");
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
        assert_eq!(handle.result(), Ok(7));
    }
}
