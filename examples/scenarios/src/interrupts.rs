//! What an interrupt may do: complete, wake, submit.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use critical_section::Mutex;
use portable_atomic::{AtomicUsize, Ordering};
use slotted::{Clock, JoinHandle, Promise, Spawn};

use crate::owned::Driver;
use crate::{Board, Suite, Verdict, check};

/// The work of the next interrupt. The interrupt takes each item out of its cell first, so it wakes
/// and completes outside critical sections.
pub(crate) struct Armed<H: Clock> {
    /// The promise to keep.
    promise: Mutex<RefCell<Option<Promise<'static, usize, H>>>>,
    /// The waker to call after setting `woken_in`.
    waker: Mutex<RefCell<Option<Waker>>>,
    /// The level that called the waker; 0 before.
    woken_in: AtomicUsize,
    /// How many tasks to submit, one in each interrupt.
    tasks: AtomicUsize,
    /// The handle of the last submitted task.
    handle: Mutex<RefCell<Option<JoinHandle<'static, usize, H>>>>,
    /// How many bytes to submit to the line of the loop, one in each interrupt.
    pub(crate) bytes: Mutex<RefCell<usize>>,
    /// The driver that lives in the interrupt.
    pub(crate) driver: Mutex<RefCell<Option<Driver<H>>>>,
}

impl<H: Clock> Armed<H> {
    pub(crate) const fn new() -> Self {
        Self {
            promise: Mutex::new(RefCell::new(None)),
            waker: Mutex::new(RefCell::new(None)),
            woken_in: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            handle: Mutex::new(RefCell::new(None)),
            bytes: Mutex::new(RefCell::new(0)),
            driver: Mutex::new(RefCell::new(None)),
        }
    }
}

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    /// Does an interrupt's part of the running scenario. The board calls it from a periodic
    /// interrupt that is not a worker.
    pub fn interrupt(&'static self) {
        self.interrupt_lines();
        let armed = &self.armed;
        if let Some(promise) = critical_section::with(|section| armed.promise.take(section)) {
            // No other completer has this promise.
            let _ = promise.set_result(H::current_id());
        }
        if let Some(waker) = critical_section::with(|section| armed.waker.take(section)) {
            // Release: the poll after the wake-up sees it.
            armed.woken_in.store(H::current_id(), Ordering::Release);
            waker.wake();
        }
        let left = armed.tasks.load(Ordering::Relaxed);
        if left == 0 || critical_section::with(|section| armed.handle.borrow_ref(section).is_some())
        {
            return;
        }
        if let Ok(handle) = self.executor.submit(move || left) {
            // Relaxed: only this interrupt reads it until the handle is there.
            armed.tasks.store(left - 1, Ordering::Relaxed);
            critical_section::with(|section| armed.handle.replace(section, Some(handle)));
        }
    }

    pub(crate) fn promise_kept_by_interrupt<S: Spawn<H>>(
        &'static self,
        board: &Board<'_, S>,
    ) -> Verdict {
        self.open(board)?;
        for _ in 0..10 {
            let (promise, handle) = self.executor.promise()?;
            critical_section::with(|section| self.armed.promise.replace(section, Some(promise)));
            check!(handle.result()? != H::current_id());
        }
        Ok(())
    }

    pub(crate) fn future_woken_by_interrupt<S: Spawn<H>>(
        &'static self,
        board: &Board<'_, S>,
    ) -> Verdict {
        self.open(board)?;
        for _ in 0..10 {
            self.armed.woken_in.store(0, Ordering::Relaxed);
            let handle = self.executor.submit_future(poll_fn(|context| {
                // Acquire: pairs with the interrupt's store.
                let woken_in = self.armed.woken_in.load(Ordering::Acquire);
                if woken_in != 0 {
                    return Poll::Ready(woken_in);
                }
                let waker = context.waker().clone();
                drop(critical_section::with(|section| {
                    self.armed.waker.replace(section, Some(waker))
                }));
                Poll::Pending
            }))?;
            check!(handle.result()? != H::current_id());
        }
        Ok(())
    }

    pub(crate) fn submitted_by_interrupt<S: Spawn<H>>(
        &'static self,
        board: &Board<'_, S>,
    ) -> Verdict {
        const TASKS: usize = 10;
        self.open(board)?;
        self.armed.tasks.store(TASKS, Ordering::Relaxed); // the interrupt sees it in time
        for expected in (1..=TASKS).rev() {
            let handle = loop {
                if let Some(handle) =
                    critical_section::with(|section| self.armed.handle.take(section))
                {
                    break handle;
                }
                core::hint::spin_loop();
            };
            check!(handle.result()? == expected);
        }
        Ok(())
    }
}
