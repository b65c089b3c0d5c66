//! The timed work: each operation of an executor, in the situations with the most to do.

use core::array::from_fn;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use critical_section::Mutex;
use slotted::{
    Executor, JoinHandle, Ran, Refusal, ReturnWhen, Shutdown, Spawn, SpinHost, TaskError, Worker,
    as_completed, wait,
};

const WORKERS: usize = 2;

/// An executor with two workers. The operations start, drive and stop it.
pub(crate) struct Workload<const QUEUE: usize> {
    pub(crate) executor: Executor<WORKERS, QUEUE, 64, SpinHost>,
}

/// An operation: its name, and its function for few slots and for many.
type Operation = (
    &'static str,
    fn(&'static Workload<8>),
    fn(&'static Workload<64>),
);

/// The order gives each operation what it needs: the first starts the executor, the last but one
/// shuts it down, and the last starts it anew.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("start", Workload::start, Workload::start),
    ("submit, to the last slot", Workload::fill, Workload::fill),
    (
        "submit to a full executor",
        Workload::overfill,
        Workload::overfill,
    ),
    (
        "cancel in the middle of the queue",
        Workload::cancel,
        Workload::cancel,
    ),
    ("run and take results", Workload::run, Workload::run),
    ("callbacks", Workload::callbacks, Workload::callbacks),
    ("a promise", Workload::promise, Workload::promise),
    ("wait for several", Workload::wait, Workload::wait),
    (
        "as_completed",
        Workload::as_completed,
        Workload::as_completed,
    ),
    ("map", Workload::map, Workload::map),
    ("scope", Workload::scope, Workload::scope),
    ("wake, poll and rest", Workload::wake, Workload::wake),
    (
        "a worker waits for a task",
        Workload::nested,
        Workload::nested,
    ),
    (
        "a worker waits for itself",
        Workload::deadlock,
        Workload::deadlock,
    ),
    ("shutdown", Workload::shutdown, Workload::shutdown),
    ("a shutdown that stops", Workload::stop, Workload::stop),
];

/// Keeps the workers between the turns of the loop.
struct Keep(Mutex<[Cell<Option<Worker<'static, SpinHost>>>; WORKERS]>);

static SMALL_WORKERS: Keep = Keep::new();
static LARGE_WORKERS: Keep = Keep::new();

impl Keep {
    const fn new() -> Self {
        Self(Mutex::new([const { Cell::new(None) }; WORKERS]))
    }

    /// The keeper for an executor with that many slots.
    fn of(slots: usize) -> &'static Self {
        if slots == 8 {
            &SMALL_WORKERS
        } else {
            &LARGE_WORKERS
        }
    }

    /// Makes a worker run a task. The loop's own sections take the worker out and put it back; they
    /// do almost nothing.
    fn run_one(&self, index: usize) -> Ran {
        let Some(mut worker) =
            critical_section::with(|section| self.0.borrow(section)[index].take())
        else {
            return Ran::Left;
        };
        let ran = worker.run_one();
        critical_section::with(|section| self.0.borrow(section)[index].set(Some(worker)));
        ran
    }
}

impl Spawn<SpinHost> for &Keep {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, SpinHost>) -> Result<(), Infallible> {
        let index = worker.index();
        // The worker of an earlier life is dropped outside the section.
        drop(critical_section::with(|section| {
            self.0.borrow(section)[index].replace(Some(worker))
        }));
        Ok(())
    }
}

type Handle<T = usize> = JoinHandle<'static, T, SpinHost>;

impl<const QUEUE: usize> Workload<QUEUE> {
    fn submit(&'static self, number: usize) -> Handle {
        self.executor.submit(move || number).expect("there is room")
    }

    /// Runs both workers in turn until the queue is empty.
    fn drive(&self) {
        let workers = Keep::of(QUEUE);
        while workers.run_one(0) == Ran::Task || workers.run_one(1) == Ran::Task {}
    }

    fn start(&'static self) {
        assert!(self.executor.start(&Keep::of(QUEUE)).is_ok());
        // The first turn attaches the workers.
        self.drive();
    }

    fn all(&'static self) -> [Handle; QUEUE] {
        from_fn(|number| self.submit(number))
    }

    fn fill(&'static self) {
        let handles = self.all();
        assert!(self.executor.stats().queued == QUEUE);
        self.finish(handles);
    }

    /// Leaves an empty queue to the next operation. Its longest section is no longer than those of
    /// a submit.
    fn finish(&'static self, handles: [Handle; QUEUE]) {
        self.drive();
        drop(handles);
        assert!(self.executor.stats().slots_in_use == 0);
    }

    /// Leaves an empty queue to the next operation.
    fn discard(&'static self, handles: [Handle; QUEUE]) {
        for handle in handles {
            drop(handle.cancel_on_drop());
        }
        assert!(self.executor.stats().slots_in_use == 0);
    }

    fn overfill(&'static self) {
        let handles = self.all();
        let refused = self
            .executor
            .submit(|| 0)
            .err()
            .map(|refused| refused.reason());
        assert!(refused == Some(Refusal::Full));
        self.finish(handles);
    }

    fn cancel(&'static self) {
        let handles = self.all();
        for place in [QUEUE / 2, 0, QUEUE - 1] {
            assert!(handles[place].cancel() && handles[place].cancelled());
        }
        assert!(self.executor.stats().queued == QUEUE - 3);
        self.discard(handles);
    }

    fn run(&'static self) {
        let handles = self.all();
        self.drive();
        let sum: usize = handles
            .into_iter()
            .filter_map(|handle| handle.result().ok())
            .sum();
        assert!(sum == QUEUE * (QUEUE - 1) / 2);
    }

    fn callbacks(&'static self) {
        static CALLED: Mutex<Cell<usize>> = Mutex::new(Cell::new(0));
        let called = || critical_section::with(|section| CALLED.borrow(section).get());
        let before = called();
        let count = || {
            critical_section::with(|section| {
                CALLED.borrow(section).set(CALLED.borrow(section).get() + 1)
            })
        };
        let (run, cancelled) = (self.submit(1), self.submit(2));
        for handle in [&run, &cancelled] {
            assert!(handle.add_done_callback(move |_| count()).is_ok());
            assert!(handle.add_done_callback(move |_| count()).is_ok());
        }
        assert!(cancelled.cancel());
        self.drive();
        assert!(run.result().is_ok() && called() == before + 4);
    }

    fn promise(&'static self) {
        let (promise, handle) = self.executor.promise::<usize>().expect("there is room");
        assert!(promise.set_result(3).is_ok() && promise.set_result(4).is_err());
        assert!(handle.result().is_ok_and(|value| value == 3));
        let (promise, handle) = self.executor.promise::<usize>().expect("there is room");
        drop(promise);
        assert!(matches!(handle.result(), Err(TaskError::Broken)));
    }

    fn wait(&'static self) {
        let mut handles = self.all();
        assert!(
            !wait(&mut handles, ReturnWhen::FirstCompleted)
                .done
                .is_empty()
        );
        assert!(
            wait(&mut handles, ReturnWhen::AllCompleted)
                .not_done
                .is_empty()
        );
        assert!(handles.iter().all(Handle::done));
    }

    fn as_completed(&'static self) {
        let handles = self.all();
        assert!(handles[QUEUE / 2].cancel());
        let succeeded = as_completed(handles)
            .filter_map(|handle| handle.result().ok())
            .count();
        assert!(succeeded == QUEUE - 1);
    }

    fn map(&'static self) {
        assert!(
            self.executor
                .map(0..2 * QUEUE, |number| number)
                .filter(Result::is_ok)
                .count()
                == 2 * QUEUE
        );
        assert!(
            self.executor
                .map(0..2 * QUEUE, |number| number)
                .unordered()
                .take(3)
                .count()
                == 3
        );
    }

    fn scope(&'static self) {
        let numbers: [usize; 8] = from_fn(|number| number);
        let sum = self.executor.scope(|s| {
            let (left, right) = numbers.split_at(3);
            let left = s.submit(|| left.iter().sum::<usize>());
            // The end of the scope waits for this task.
            assert!(s.submit(|| right.iter().sum::<usize>()).is_ok());
            left.ok().and_then(|left| left.result().ok())
        });
        assert!(sum == Some(3));
    }

    fn wake(&'static self) {
        static WAKER: Mutex<RefCell<Option<Waker>>> = Mutex::new(RefCell::new(None));
        let mut polls = 0;
        let future = poll_fn(move |context| {
            critical_section::with(|section| {
                WAKER
                    .borrow_ref_mut(section)
                    .replace(context.waker().clone())
            });
            polls += 1;
            if polls == 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let handle = self.executor.submit_future(future).expect("there is room");
        self.drive();
        for _ in 0..2 {
            let waker = critical_section::with(|section| WAKER.borrow_ref(section).clone())
                .expect("it was polled");
            waker.wake_by_ref();
            // The waker finds the task queued.
            waker.wake();
            self.drive();
        }
        assert!(handle.result().is_ok());
    }

    /// Waits in another order than that of the queue.
    fn nested(&'static self) {
        let outer = self.executor.submit(move || {
            let (first, last) = (self.submit(1), self.submit(2));
            last.result().ok()?.checked_sub(first.result().ok()?)
        });
        let outer = outer.expect("there is room");
        self.drive();
        assert!(outer.result().is_ok_and(|difference| difference == Some(1)));
    }

    fn deadlock(&'static self) {
        static OWN: Mutex<RefCell<Option<Handle<()>>>> = Mutex::new(RefCell::new(None));
        static FOUND: Mutex<Cell<bool>> = Mutex::new(Cell::new(false));
        let handle = self.executor.submit(|| {
            let own = critical_section::with(|section| OWN.borrow_ref_mut(section).take());
            let found =
                own.is_some_and(|own| matches!(own.result(), Err(TaskError::WouldDeadlock)));
            critical_section::with(|section| FOUND.borrow(section).set(found));
        });
        critical_section::with(|section| {
            OWN.borrow_ref_mut(section)
                .replace(handle.expect("there is room"))
        });
        self.drive();
        assert!(critical_section::with(|section| FOUND
            .borrow(section)
            .take()));
    }

    fn shutdown(&'static self) {
        let handles = self.all();
        self.executor.begin_shutdown(Shutdown::Cancel);
        assert!(handles.iter().all(Handle::cancelled));
        for worker in 0..WORKERS {
            while Keep::of(QUEUE).run_one(worker) != Ran::Left {}
        }
        assert!(self.executor.shutdown(Shutdown::Cancel).is_ok());
    }

    /// A task that runs asks all that run, itself too.
    fn stop(&'static self) {
        self.start();
        let handle = self.executor.submit_stoppable(|stop| {
            self.executor.begin_shutdown(Shutdown::Stop);
            stop.requested()
        });
        for worker in 0..WORKERS {
            while Keep::of(QUEUE).run_one(worker) != Ran::Left {}
        }
        assert!(handle.is_ok_and(|handle| handle.stop_requested() && handle.result() == Ok(true)));
    }
}
