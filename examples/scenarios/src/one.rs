//! One task and its handle, start and shutdown.

use core::future::pending;
use core::time::Duration;

use portable_atomic::{AtomicUsize, Ordering};
use slotted::{Clock, Executor, Refusal, Shutdown, Spawn, StartError, TaskError, TaskState};

use crate::{Board, Failure, SLOT_BYTES, SLOTS, Suite, Verdict, check, close};

/// Counts its own drop.
struct Dropped(&'static AtomicUsize);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    /// This is the first scenario, because an executor takes tasks before its start only if it was
    /// never shut down.
    pub(crate) fn submit_and_result<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        let early = self.executor.submit(|| 6 * 7)?;
        self.open(board)?;
        check!(early.result()? == 42);
        for number in 0..100_u32 {
            check!(self.executor.submit(move || number * 2)?.result()? == number * 2);
        }
        Ok(())
    }

    /// Every slot holds a promise, so no task ends meanwhile.
    pub(crate) fn full<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let mut promises = [const { None }; SLOTS];
        for place in &mut promises {
            *place = Some(self.executor.promise::<usize>()?);
        }
        let Err(refused) = self.executor.submit(|| 1000) else {
            return Err(Failure("nothing was refused"));
        };
        check!(refused.reason() == Refusal::Full);
        check!(self.executor.stats().slots_in_use == SLOTS);
        for (number, (promise, handle)) in promises.into_iter().flatten().enumerate() {
            check!(promise.set_result(number).is_ok());
            check!(handle.result()? == number);
        }
        check!(self.executor.submit(refused.into_inner())?.result()? == 1000);
        Ok(())
    }

    /// Without workers, so the task stays pending.
    pub(crate) fn cancel_pending<S: Spawn<H>>(&'static self, _: &Board<'_, S>) -> Verdict {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        DROPPED.store(0, Ordering::Relaxed);
        let executor: Executor<0, SLOTS, SLOT_BYTES, H> = Executor::new();
        let held = Dropped(&DROPPED);
        let handle = executor.submit(move || drop(held))?;
        let (other, canceller) = (executor.submit(|| 1)?, handle.canceller());
        check!(canceller.state() == TaskState::Pending && !handle.done());
        check!(handle.cancel() && handle.cancelled() && handle.done() && !handle.running());
        check!(DROPPED.load(Ordering::Relaxed) == 1);
        check!(handle.cancel());
        check!(matches!(handle.result(), Err(TaskError::Cancelled)));
        check!(canceller.state() == TaskState::Gone && !canceller.cancel());
        check!(other.result()? == 1);
        Ok(())
    }

    pub(crate) fn cancel_finished<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let handle = self.executor.submit(|| 7)?;
        check!(handle.error().is_none());
        check!(handle.done() && !handle.cancel() && !handle.cancelled());
        check!(handle.result()? == 7);
        Ok(())
    }

    pub(crate) fn callbacks<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        static SAID: AtomicUsize = AtomicUsize::new(0);
        fn say(digit: usize) {
            SAID.store(SAID.load(Ordering::Relaxed) * 10 + digit, Ordering::Relaxed);
        }
        SAID.store(0, Ordering::Relaxed);
        self.open(board)?;
        let (kept, handle) = self.executor.promise::<usize>()?;
        let (_open, cancelled) = self.executor.promise::<usize>()?;
        handle.add_done_callback(|outcome| say(outcome.copied().unwrap_or(9)))?;
        handle.add_done_callback(|_| say(4))?;
        cancelled.add_done_callback(|outcome| {
            say(if outcome.is_err_and(TaskError::is_cancelled) {
                1
            } else {
                9
            })
        })?;
        check!(cancelled.cancel());
        check!(kept.set_result(3).is_ok());
        // The task is done, so the callback runs here and now.
        handle.add_done_callback(|_| say(5))?;
        check!(SAID.load(Ordering::Relaxed) == 1345);

        // The worker that runs the task calls it, before the value can be taken.
        let task = self.executor.submit(|| 6)?;
        task.add_done_callback(|outcome| say(outcome.copied().unwrap_or(9)))?;
        check!(task.result()? == 6 && SAID.load(Ordering::Relaxed) == 13456);
        Ok(())
    }

    /// A task that waits for a pending task runs it in place.
    pub(crate) fn nested_wait<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        let executor = &self.executor;
        self.open(board)?;
        let outer = executor.submit(move || {
            let middle = executor
                .submit(move || executor.submit(|| 1).ok()?.result().ok().map(|one| one + 1))
                .ok()?;
            middle.result().ok()?.map(|two| two + 1)
        })?;
        check!(outer.result()? == Some(3));
        Ok(())
    }

    /// Waits on the board's clock. No wait times out early, and the handle stays valid.
    pub(crate) fn timeouts<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        const LONG: Duration = Duration::from_millis(20);
        self.open(board)?;
        let (promise, mut handle) = self.executor.promise::<u32>()?;
        check!(matches!(
            handle.result_timeout(Duration::ZERO),
            Err(TaskError::TimedOut)
        ));
        let began = H::now();
        check!(matches!(
            handle.result_timeout(LONG),
            Err(TaskError::TimedOut)
        ));
        let took = H::now() - began;
        check!(took >= H::TICKS_PER_SECOND / 50);
        check!(
            handle
                .error_timeout(LONG)
                .is_some_and(TaskError::is_timed_out)
        );

        let mut promises = [const { None }; SLOTS - 1];
        for place in &mut promises {
            *place = Some(self.executor.promise::<u32>()?);
        }
        let refused = self.executor.submit_timeout(|| 1, LONG);
        check!(refused.is_err_and(|refused| refused.reason() == Refusal::Full));
        drop(promises);

        check!(promise.set_result(5).is_ok());
        check!(handle.result_timeout(LONG)? == 5);
        Ok(())
    }

    pub(crate) fn restart<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        // Each life runs or cancels its pending tasks, refuses later ones, and ends before the next
        // life.
        for life in 0..10_usize {
            self.open(board)?;
            check!(matches!(
                self.executor.start(board.spawn),
                Err(StartError::AlreadyStarted)
            ));
            let handle = self.executor.submit(move || life)?;
            close(&self.executor, board, Shutdown::Drain)?;
            check!(handle.done() && handle.result()? == life);
            check!(
                self.executor
                    .submit(|| ())
                    .is_err_and(|refused| refused.reason() == Refusal::ShutDown)
            );

            self.open(board)?;
            let (task, rests) = (
                self.executor.submit(move || life)?,
                self.executor.submit_future(pending::<()>())?,
            );
            close(&self.executor, board, Shutdown::Cancel)?;
            check!(task.done() && rests.cancelled());
        }
        Ok(())
    }
}
