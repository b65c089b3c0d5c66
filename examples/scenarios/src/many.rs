//! Many tasks and handles at once.

use core::time::Duration;

use portable_atomic::{AtomicUsize, Ordering};
use slotted::{
    Clock, ReturnWhen, Shutdown, Spawn, as_completed, as_completed_timeout, wait, wait_timeout,
};

use crate::{Board, Failure, SLOTS, Suite, Verdict, check, close};

/// Long enough for a task, also if the desktop stops the emulator for a while.
const LIMIT: Duration = Duration::from_millis(200);

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    pub(crate) fn map<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        // The input is endless. The results come in its order.
        for (number, square) in
            (0_u32..100).zip(self.executor.map(0_u32.., |number: u32| number * number))
        {
            check!(square? == number * number);
        }
        let mut sum = 0;
        for square in self
            .executor
            .map(0_u32..100, |number| number * number)
            .buffersize(3)
            .unordered()
        {
            sum += square?;
        }
        check!(sum == 328_350);
        // The iterator is dropped early. It cancels the pending tasks and keeps no slot.
        check!(matches!(
            self.executor.map(0_u32.., |number: u32| number).next(),
            Some(Ok(0))
        ));
        check!(
            self.executor
                .map(0_u32..10, |number| number)
                .chunksize::<4>()
                .filter(Result::is_ok)
                .count()
                == 10
        );
        Ok(())
    }

    pub(crate) fn as_completed<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let (_open, cancelled) = self.executor.promise()?;
        check!(cancelled.cancel());
        // The tasks may have ended by now.
        let mut completed = as_completed([
            cancelled,
            self.executor.submit(|| 1)?,
            self.executor.submit(|| 4)?,
        ]);
        check!(completed.next().is_some_and(|first| first.cancelled()));
        let mut sum = 0;
        for handle in completed {
            check!(handle.done());
            sum += handle.result()?;
        }
        check!(sum == 5);

        // The promise stays open, so its handle is left over.
        let (promise, never) = self.executor.promise::<u32>()?;
        let mut completed = as_completed_timeout([never, self.executor.submit(|| 8)?], LIMIT);
        let Some(Ok(handle)) = completed.next() else {
            return Err(Failure("the task comes first"));
        };
        check!(handle.result()? == 8);
        let Some(Err(timeout)) = completed.next() else {
            return Err(Failure("the promise times out"));
        };
        check!((timeout.unfinished(), timeout.total()) == (1, 2));
        check!(timeout.into_handles().all(|handle| !handle.done()));
        drop(promise);
        Ok(())
    }

    pub(crate) fn wait<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let (promise, never) = self.executor.promise::<Result<u32, u32>>()?;
        let fails = self.executor.submit_fallible(|| Err(3))?;
        let mut handles = [never, self.executor.submit(|| Ok(2))?, fails];
        let first = wait(&mut handles, ReturnWhen::FirstCompleted);
        check!(!first.done.is_empty() && first.not_done.len() + first.done.len() == 3);
        let failed = wait(&mut handles, ReturnWhen::FirstError);
        check!(failed.done.iter().any(|handle| handle.done()) && !failed.not_done.is_empty());
        let timed = wait_timeout(&mut handles, LIMIT, ReturnWhen::AllCompleted);
        check!((timed.done.len(), timed.not_done.len()) == (2, 1));
        check!(promise.set_result(Ok(4)).is_ok());
        check!(
            wait(&mut handles, ReturnWhen::AllCompleted)
                .not_done
                .is_empty()
        );
        let mut sum = 0;
        for handle in handles {
            let (Ok(value) | Err(value)) = handle.result()?;
            sum += value;
        }
        check!(sum == 9);
        Ok(())
    }

    /// Tasks borrow from the stack of the thread that waits for them.
    pub(crate) fn scope<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.open(board)?;
        let mut numbers = [0_u32; 50];
        for (place, number) in (0..).zip(&mut numbers) {
            *number = place;
        }
        let sums = self.executor.scope(|s| -> Result<_, Failure> {
            let (left, right) = numbers.split_at(20);
            let left = s.submit(|| left.iter().sum::<u32>())?;
            let right = s.submit(|| right.iter().sum::<u32>())?;
            Ok((left.result()?, right.result()?))
        })?;
        check!(sums == (190, 1035));
        let shared = self.executor.scope(|s| {
            s.for_each_chunk(&mut numbers, 7, |chunk| {
                chunk.iter_mut().for_each(|number| *number += 1)
            })
        });
        check!(shared.is_ok());
        check!(
            numbers
                .iter()
                .zip(1..)
                .all(|(number, expected)| *number == expected)
        );
        Ok(())
    }

    /// Submits tasks until each worker has run some. Each task runs once.
    pub(crate) fn every_worker<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        let verdict = self.submit_until_each_ran(board);
        close(&self.unstarted, board, Shutdown::Drain)?;
        verdict
    }

    fn submit_until_each_ran<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        /// More rounds than any schedule needs.
        const ROUNDS: usize = 100;
        static RAN: AtomicUsize = AtomicUsize::new(0);
        RAN.store(0, Ordering::Relaxed);
        let executor = &self.unstarted;
        let mut workers = [0; WORKERS];
        let mut rounds = 0;
        while workers.contains(&0) && rounds < ROUNDS {
            rounds += 1;
            let mut handles = [const { None }; SLOTS];
            for place in &mut handles {
                *place = Some(executor.submit(|| {
                    RAN.fetch_add(1, Ordering::Relaxed);
                    // Two milliseconds: longer than the time slice of an RTOS, whose first worker
                    // could run all tasks in one slice otherwise.
                    let end = H::now() + H::TICKS_PER_SECOND / 500;
                    while H::now() < end {
                        core::hint::spin_loop();
                    }
                    H::current_id()
                })?);
            }
            // The first tasks come before the start: later ones may go to an interrupt at once, and
            // none to the main thread.
            if rounds == 1 {
                executor.start(board.spawn)?;
            }
            // The main thread's worker runs one task. The others have the rest while the main
            // thread is busy.
            let _ = (board.turn)();
            let pause = H::now() + 2;
            while H::now() < pause && executor.stats().queued > 0 {
                core::hint::spin_loop();
            }
            for handle in handles.into_iter().flatten() {
                let id = handle.result()?;
                let known = workers.iter().position(|worker| [0, id].contains(worker));
                check!(known.is_some());
                if let Some(place) = known {
                    workers[place] = id;
                }
            }
        }
        check!(!workers.contains(&0));
        check!(RAN.load(Ordering::Relaxed) == rounds * SLOTS);
        Ok(())
    }
}
