//! The thread of a pool, and the threads that start a pool or shut it down, one after another.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};

/// The threads that must not wait for the pool's end.
struct Ids {
    /// The pool's own.
    own: Option<ThreadId>,
    /// The thread that starts the pool or shuts it down, and waits.
    controller: Option<ThreadId>,
}

/// The thread of a pool.
pub(crate) struct PoolThread {
    /// Held while a thread starts the pool or shuts it down.
    handle: Mutex<Option<JoinHandle<()>>>,
    ids: Mutex<Ids>,
}

impl PoolThread {
    pub(crate) const fn new() -> Self {
        Self {
            handle: Mutex::new(None),
            ids: Mutex::new(Ids {
                own: None,
                controller: None,
            }),
        }
    }

    /// Waits for other threads that start the pool or shut it down. `None`: the calling thread is
    /// the pool's, or does so already, and would wait for itself.
    pub(crate) fn enter(&'static self) -> Option<InControl> {
        let me = Some(thread::current().id());
        let ids = self.ids();
        if ids.own == me || ids.controller == me {
            return None;
        }
        drop(ids);
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        self.ids().controller = me;
        Some(InControl {
            pool_thread: self,
            handle,
        })
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that starts a pool or shuts it down.
pub(crate) struct InControl {
    pool_thread: &'static PoolThread,
    handle: MutexGuard<'static, Option<JoinHandle<()>>>,
}

impl InControl {
    /// Starts the pool's thread.
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let pool_thread = self.pool_thread;
        let work = move || {
            pool_thread.ids().own = Some(thread::current().id());
            work();
        };
        *self.handle = Some(thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// Waits for the pool's thread to leave. Returns false if there is none.
    pub(crate) fn join(&mut self) -> bool {
        let Some(handle) = self.handle.take() else {
            return false;
        };
        // A thread that panicked has said so.
        let _ = handle.join();
        self.pool_thread.ids().own = None;
        true
    }
}

impl Drop for InControl {
    fn drop(&mut self) {
        self.pool_thread.ids().controller = None;
    }
}
