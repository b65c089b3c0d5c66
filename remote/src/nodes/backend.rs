//! What runs the calls that come to a node.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;

use slotted::{Executor, Submitter};

use super::reply::Reply;
use crate::link::Link;
use crate::task::{TaskId, Tasks};

/// The future of a call at a node. Dropping it cancels the call, as far as its backend can.
pub type ReplyFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// What runs the calls that come to a node, with arguments and results of at most `BYTES`.
///
/// A [`Node`](super::Node) polls the futures in its own thread, so they must not block. Three kinds
/// are here: a pool of processes, an executor of this process, and a board behind a [`Link`].
///
/// A fourth, for tasks that are very short:
///
/// ```
/// # #[derive(serde::Deserialize, serde::Serialize)]
/// # struct Square(u32);
/// # impl slotted_remote::Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use slotted_remote::TaskId;
/// use slotted_remote::nodes::{Backend, Reply, ReplyFuture};
///
/// /// Runs each task in the node's own thread.
/// struct Inline;
///
/// impl Backend<64> for Inline {
///     fn workers(&self) -> usize {
///         1
///     }
///
///     fn capacity(&self) -> usize {
///         1
///     }
///
///     fn call(&self, id: TaskId, argument: Vec<u8>) -> ReplyFuture {
///         Box::pin(async move { Reply::run::<(Square,)>(id, argument, 64) })
///     }
/// }
/// # use core::task::{Context, Poll, Waker};
/// # let mut call = Inline.call(TaskId::of::<Square>(), vec![7]);
/// # let reply = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
/// # let Poll::Ready(reply) = reply else { panic!("it has not run") };
/// # assert_eq!(format!("{reply:?}"), "Reply { status: Done, bytes: 1 }");
/// ```
pub trait Backend<const BYTES: usize>: Send + 'static {
    /// How many calls run at the same time.
    fn workers(&self) -> usize;

    /// The most calls that the node may begin before one of them ends.
    fn capacity(&self) -> usize;

    /// Begins a call. `argument` is the task, encoded.
    fn call(&self, id: TaskId, argument: Vec<u8>) -> ReplyFuture;
}

/// Runs the tasks of the table `T` in an executor of this process.
///
/// A task that crashes takes the whole node with it, and a task that runs cannot be cancelled. A
/// pool of processes is better off with both.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::Task;
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use slotted::{Executor, StdThreads};
/// use slotted_remote::nodes::{Backend, ExecutorBackend};
///
/// static EXECUTOR: Executor<2, 16> = Executor::new();
///
/// EXECUTOR.start(&StdThreads::new()).unwrap();
/// // Arguments and results of at most 512 bytes.
/// let backend = ExecutorBackend::<(Square,), 512>::new(&EXECUTOR);
/// assert_eq!(backend.workers(), 2);
/// ```
pub struct ExecutorBackend<T, const BYTES: usize> {
    submitter: Submitter<'static, 64>,
    workers: usize,
    capacity: usize,
    tasks: PhantomData<fn() -> T>,
}

impl<T: Tasks, const BYTES: usize> ExecutorBackend<T, BYTES> {
    /// The backend over an executor, which the program starts and shuts down.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted::Executor;
    /// use slotted_remote::nodes::{Backend, ExecutorBackend};
    ///
    /// static EXECUTOR: Executor<2, 16> = Executor::new();
    /// let backend = ExecutorBackend::<(Square,), 512>::new(&EXECUTOR);
    /// assert_eq!((backend.workers(), backend.capacity()), (2, 16));
    /// ```
    #[must_use]
    pub fn new<const WORKERS: usize, const QUEUE: usize>(
        executor: &'static Executor<WORKERS, QUEUE, 64>,
    ) -> Self {
        const { T::DISTINCT }
        Self {
            submitter: executor.submitter(),
            workers: WORKERS,
            capacity: QUEUE,
            tasks: PhantomData,
        }
    }
}

impl<T: Tasks + 'static, const BYTES: usize> Backend<BYTES> for ExecutorBackend<T, BYTES> {
    fn workers(&self) -> usize {
        self.workers
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn call(&self, id: TaskId, argument: Vec<u8>) -> ReplyFuture {
        let submitter = self.submitter;
        Box::pin(async move {
            // The program's own tasks may fill the executor for a while.
            let permit = match submitter.reserve_async().await {
                Ok(permit) => permit,
                Err(reason) => return reason.into(),
            };
            let handle = permit.submit(move || Reply::run::<T>(id, argument, BYTES));
            match handle {
                Ok(handle) => handle.cancel_on_drop().await.unwrap_or_else(Reply::from),
                Err(refused) => refused.reason().into(),
            }
        })
    }
}

impl<T, const BYTES: usize> fmt::Debug for ExecutorBackend<T, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorBackend").finish_non_exhaustive()
    }
}

/// A board runs the calls, one at a time.
impl<const CALLS: usize, const BYTES: usize> Backend<BYTES> for &'static Link<CALLS, BYTES> {
    fn workers(&self) -> usize {
        1
    }

    fn capacity(&self) -> usize {
        CALLS
    }

    fn call(&self, id: TaskId, argument: Vec<u8>) -> ReplyFuture {
        let link = *self;
        // A slot may be in use: of others, or of a call that was cancelled and not answered yet.
        Box::pin(async move { link.begin_when_room(id, &argument).await.await })
    }
}

#[cfg(all(unix, feature = "process"))]
mod processes {
    use super::{Backend, ReplyFuture, TaskId};
    use crate::process::Processes;

    /// Worker processes run the calls: a crash costs the call that ran, and a call that is
    /// cancelled while it runs ends its process. A shutdown of the pool waits for the node's calls
    /// as for its own; the node leaves when the pool has refused one.
    impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Backend<BYTES>
        for &'static Processes<PROCS, QUEUE, BYTES>
    {
        fn workers(&self) -> usize {
            PROCS
        }

        fn capacity(&self) -> usize {
            QUEUE
        }

        fn call(&self, id: TaskId, argument: Vec<u8>) -> ReplyFuture {
            let pool = *self;
            Box::pin(async move {
                match pool.call_encoded(id, &argument).await {
                    Ok(reply) => reply,
                    Err(reason) => reason.into(),
                }
            })
        }
    }
}
