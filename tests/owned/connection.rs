//! What the tests' workers own: a connection that is not `Send`.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, ThreadId};

/// Stays in the thread that made it. Two users at once would borrow `sent` twice, which panics.
pub(crate) struct Connection {
    sent: Rc<RefCell<Vec<u32>>>,
    busy: Cell<bool>,
    home: ThreadId,
    drops: Arc<AtomicUsize>,
}

impl Connection {
    pub(crate) fn new() -> Self {
        Self::counted(&Arc::default())
    }

    /// Counts how often it is dropped.
    pub(crate) fn counted(drops: &Arc<AtomicUsize>) -> Self {
        Self {
            sent: Rc::default(),
            busy: Cell::new(false),
            home: thread::current().id(),
            drops: Arc::clone(drops),
        }
    }

    /// Sends a number. Returns how many were sent.
    pub(crate) fn send(&mut self, number: u32) -> usize {
        self.alone(|connection| {
            connection.sent.borrow_mut().push(number);
            connection.sent.borrow().len()
        })
    }

    /// Does `work` and checks that nothing else uses the connection meanwhile.
    pub(crate) fn alone<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        assert_eq!(thread::current().id(), self.home, "it left its thread");
        assert!(!self.busy.replace(true), "two tasks have it at once");
        let result = work(self);
        self.busy.set(false);
        result
    }

    pub(crate) fn sent(&self) -> Vec<u32> {
        self.sent.borrow().clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.home, "it left its thread");
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts its drops.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(drops: &Arc<AtomicUsize>) -> Self {
        Self(Arc::clone(drops))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn drops(count: &Arc<AtomicUsize>) -> usize {
    count.load(Ordering::Relaxed)
}
