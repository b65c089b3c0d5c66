//! A node: the thread that gives calls to a backend, and sends what they became.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::hash::RandomState;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use slotted::Shutdown;

use super::LANES;
use super::backend::{Backend, ReplyFuture};
use super::node_state::{CallAt, NodeState};
use super::transport::{NodeEvents, NodeInbox, NodesStartError, Transport};
use crate::frame::HEADER;

/// How often a node that leaves tells a submitter so, until that submitter answers.
const REMINDER: Duration = Duration::from_millis(100);

/// How much a node takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    submitters: u8,
    credits: Option<u8>,
}

impl NodeOptions {
    /// Eight submitters at once. Each may have as many calls under way as the backend has workers,
    /// and one more, which waits here rather than there.
    ///
    /// ```
    /// use slotted_remote::nodes::NodeOptions;
    ///
    /// assert_eq!(NodeOptions::new().submitters(8), NodeOptions::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            submitters: 8,
            credits: None,
        }
    }

    /// How many submitters are served at once. A submitter too many waits until another is gone.
    ///
    /// # Panics
    ///
    /// If it is 0.
    ///
    /// ```
    /// use slotted_remote::nodes::NodeOptions;
    ///
    /// const FOR_TWO: NodeOptions = NodeOptions::new().submitters(2);
    /// # let _ = FOR_TWO;
    /// ```
    #[must_use]
    pub const fn submitters(self, submitters: u8) -> Self {
        assert!(submitters > 0, "a node without submitters does nothing");
        Self { submitters, ..self }
    }

    /// How many calls of each submitter may be under way. At most 32 are.
    ///
    /// # Panics
    ///
    /// If it is 0.
    ///
    /// ```
    /// use slotted_remote::nodes::NodeOptions;
    ///
    /// // For short tasks: more of them wait at the node, and it never waits for the network.
    /// const OPTIONS: NodeOptions = NodeOptions::new().credits(32);
    /// # let _ = OPTIONS;
    /// ```
    #[must_use]
    pub const fn credits(self, credits: u8) -> Self {
        assert!(credits > 0, "a node without credits gets no calls");
        Self {
            credits: Some(credits),
            ..self
        }
    }

    fn credits_for(self, workers: usize) -> u8 {
        let credits = self.credits.map_or(workers.saturating_add(1), usize::from);
        credits.clamp(1, LANES) as u8 // a small constant
    }
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What the threads of a node share.
struct Shared<const BYTES: usize> {
    state: Mutex<NodeState<BYTES>>,
    changed: Condvar,
}

impl<const BYTES: usize> Shared<BYTES> {
    fn lock(&self) -> MutexGuard<'_, NodeState<BYTES>> {
        // No foreign code runs inside, so nothing panics there half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, act: impl FnOnce(&mut NodeState<BYTES>)) {
        act(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until something has changed. Returns false if the node is to stop. A node that leaves
    /// reminds its submitters at `remind_at`, whatever else comes meanwhile.
    fn wait_for_change(&self, remind_at: &mut Instant) -> bool {
        let mut state = self.lock();
        // Endless for a reason: it waits for what others do.
        loop {
            let now = Instant::now();
            if state.is_leaving() && *remind_at <= now {
                *remind_at = now + REMINDER;
                state.remind();
            }
            if state.changed || state.is_stopped() {
                break;
            }
            state = if state.is_leaving() {
                let waited = self.changed.wait_timeout(state, *remind_at - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                { self.changed.wait(state) }.unwrap_or_else(PoisonError::into_inner)
            };
        }
        state.changed = false;
        !state.is_stopped()
    }
}

impl<const BYTES: usize> NodeEvents for Shared<BYTES> {
    fn left(&self, submitter: &str) {
        self.act(|state| state.left(submitter));
    }

    fn receive(&self, submitter: &str, frame: &[u8]) {
        self.act(|state| state.receive(submitter, frame));
    }
}

/// What ends a node.
trait Control: Send + Sync {
    fn begin_shutdown(&self, how: Shutdown);

    /// Waits until the node's thread has left. Returns false if the time is up before.
    fn wait_until_left(&self, timeout: Duration) -> bool;
}

impl<const BYTES: usize> Control for Shared<BYTES> {
    fn begin_shutdown(&self, how: Shutdown) {
        self.act(|state| state.leave(how));
    }

    fn wait_until_left(&self, timeout: Duration) -> bool {
        let (state, has_left) = (self.lock(), |state: &mut NodeState<BYTES>| !state.has_left);
        let waited = self.changed.wait_timeout_while(state, timeout, has_left);
        waited.unwrap_or_else(PoisonError::into_inner).0.has_left
    }
}

/// Says that the node's thread has left, also if it panicked.
struct Left<const BYTES: usize>(Arc<Shared<BYTES>>);

impl<const BYTES: usize> Drop for Left<BYTES> {
    fn drop(&mut self) {
        self.0.act(|state| state.has_left = true);
    }
}

/// A machine that works: it serves the calls of submitters until it is shut down or dropped.
///
/// The node's own thread gives the calls to the backend, which has room for at most
/// [`Backend::capacity`] of them. The others wait in the node.
///
/// [`shutdown`](Self::shutdown) lets it finish what it has. Dropping the node stops it: it
/// withdraws its presence first, and then cancels what runs. The submitters are told that those
/// calls are [`Lost`](crate::RemoteError::Lost).
#[must_use = "a node that is dropped stops"]
pub struct Node {
    shared: Arc<dyn Control>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node over a backend and a transport, which `connect` opens.
    ///
    /// # Errors
    ///
    /// See [`NodesStartError`]: the transport's, or the system's if it starts no thread.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Executor;
    /// # use slotted_remote::nodes::{ExecutorBackend, Node, NodeOptions, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static EXECUTOR: Executor<1, 8> = Executor::new();
    /// use slotted_remote::nodes::NodesStartError;
    ///
    /// let start = |is_connected| {
    ///     let backend = ExecutorBackend::<(Square,), 64>::new(&EXECUTOR);
    ///     Node::start(backend, NodeOptions::new(), |_inbox| match is_connected {
    ///         true => Ok(Nowhere),
    ///         false => Err("no network"),
    ///     })
    /// };
    /// assert!(matches!(start(false), Err(NodesStartError::Transport("no network"))));
    /// let node = start(true).unwrap();
    /// drop(node); // stops it
    /// ```
    pub fn start<B, T, E, const BYTES: usize>(
        backend: B,
        options: NodeOptions,
        connect: impl FnOnce(NodeInbox) -> Result<T, E>,
    ) -> Result<Self, NodesStartError<E>>
    where
        B: Backend<BYTES>,
        T: Transport,
    {
        let nonce = RandomState::new().build_hasher().finish() as u32;
        let credits = options.credits_for(backend.workers());
        // Built by a thread with a stack that is large enough. The places stay for the node's life.
        let build = || NodeState::new(options.submitters.into(), credits, nonce);
        let state = thread::scope(|scope| {
            let builder = thread::Builder::new().stack_size(NodeState::<BYTES>::STACK + (1 << 20));
            builder
                .spawn_scoped(scope, build)
                .map(thread::ScopedJoinHandle::join)
        });
        let state = match state {
            Ok(Ok(state)) => state,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => return Err(NodesStartError::System(error)),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let transport = connect(NodeInbox(shared.clone())).map_err(NodesStartError::Transport)?;
        let server = Server {
            shared: shared.clone(),
            backend,
            transport,
            running: Vec::new(),
            frame: Vec::with_capacity(HEADER + BYTES),
        };
        let left = Left(shared.clone());
        let thread = thread::Builder::new()
            .name("slotted-node".into())
            .spawn(move || {
                let _left = left;
                server.run();
            })
            .map_err(NodesStartError::System)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Waits for the node's end, after [`begin_shutdown`](Self::begin_shutdown). The node also ends
    /// when its backend was shut down, and a call came that the backend refused: that is a shutdown
    /// with `Cancel`.
    ///
    /// # Errors
    ///
    /// If the backend or the transport panicked. [`Deadlock`](io::ErrorKind::Deadlock) in the
    /// node's own thread, which then stops.
    ///
    /// ```
    /// use slotted_remote::nodes::Node;
    ///
    /// /// The end of a machine's `main`.
    /// fn serve(node: Node) -> std::io::Result<()> {
    ///     node.join()?;
    ///     println!("the pool of this node was shut down");
    ///     Ok(())
    /// }
    /// # let _ = serve;
    /// ```
    pub fn join(mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        if thread.thread().id() == thread::current().id() {
            return Err(io::ErrorKind::Deadlock.into());
        }
        thread
            .join()
            .map_err(|_| io::Error::other("the node's thread panicked"))
    }

    /// Ends the node: it takes no more calls, waits for those that are left, and closes the
    /// transport. Calls that it does not take run on other nodes. If there is none they wait for
    /// one, in the pool of their submitter.
    ///
    /// `Drain` runs all calls that have come. `Cancel` runs those that have begun, and gives the
    /// others back. `Stop` is as dropping the node: what runs is cancelled, and its submitters are
    /// told that it is [`Lost`](crate::RemoteError::Lost).
    ///
    /// With `Drain` and `Cancel` no call is lost, and none runs twice, whatever frames are lost.
    ///
    /// # Blocking
    ///
    /// Until the calls have ended, and each submitter has all its replies. A submitter that does
    /// not answer any more is waited for until the transport says that it is gone. So does a call
    /// that never ends: see [`shutdown_timeout`](Self::shutdown_timeout).
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// ```
    /// use slotted::Shutdown;
    /// use slotted_remote::nodes::Node;
    ///
    /// /// The end of a machine's `main`.
    /// fn serve(node: Node) -> std::io::Result<()> {
    ///     std::io::stdin().read_line(&mut String::new())?; // until it is told to leave
    ///     node.shutdown(Shutdown::Drain)
    /// }
    /// # let _ = serve;
    /// ```
    pub fn shutdown(self, how: Shutdown) -> io::Result<()> {
        self.begin_shutdown(how);
        self.join()
    }

    /// As [`shutdown`](Self::shutdown), and stops the node when the time is up. Returns false if it
    /// was: what was left is lost.
    ///
    /// # Blocking
    ///
    /// As [`shutdown`](Self::shutdown), for at most `timeout`. Then until the transport and the
    /// calls that run are dropped.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::Shutdown;
    /// use slotted_remote::nodes::Node;
    ///
    /// fn leave(node: Node) -> std::io::Result<()> {
    ///     if !node.shutdown_timeout(Shutdown::Drain, Duration::from_secs(30))? {
    ///         eprintln!("some calls took longer, and are lost");
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = leave;
    /// ```
    pub fn shutdown_timeout(self, how: Shutdown, timeout: Duration) -> io::Result<bool> {
        self.begin_shutdown(how);
        let me = Some(thread::current().id());
        let is_own = { self.thread.as_ref() }.map(|thread| thread.thread().id()) == me;
        let has_left = !is_own && self.shared.wait_until_left(timeout);
        self.begin_shutdown(Shutdown::Stop);
        self.join().map(|()| has_left)
    }

    /// Begins a [`shutdown`](Self::shutdown), and does not wait. A later one may be harder.
    ///
    /// # Context
    ///
    /// Any thread, also the node's own, in a backend or a transport.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Executor;
    /// # use slotted_remote::nodes::{ExecutorBackend, Node, NodeOptions, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static EXECUTOR: Executor<1, 8> = Executor::new();
    /// use slotted::Shutdown;
    ///
    /// # let backend = ExecutorBackend::<(Square,), 64>::new(&EXECUTOR);
    /// # let connect = |_| Ok::<_, std::convert::Infallible>(Nowhere);
    /// # let node = Node::start(backend, NodeOptions::new(), connect).unwrap();
    /// node.begin_shutdown(Shutdown::Drain);
    /// node.join().unwrap(); // there is no submitter: it leaves at once
    /// ```
    pub fn begin_shutdown(&self, how: Shutdown) {
        self.shared.begin_shutdown(how);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.begin_shutdown(Shutdown::Stop);
        let me = thread::current().id();
        // In the node's own thread, it leaves when it is through.
        if let Some(thread) = self
            .thread
            .take()
            .filter(|thread| thread.thread().id() != me)
        {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

/// Tells the node that a call is to be polled.
struct CallWaker<const BYTES: usize> {
    is_woken: AtomicBool,
    shared: Arc<Shared<BYTES>>,
}

impl<const BYTES: usize> Wake for CallWaker<BYTES> {
    fn wake(self: Arc<Self>) {
        // Before the change, inside the lock, is told.
        self.is_woken.store(true, Ordering::Release);
        self.shared.act(|state| state.changed = true);
    }
}

/// A call that runs.
struct Running<const BYTES: usize> {
    at: CallAt,
    future: ReplyFuture,
    waker: Arc<CallWaker<BYTES>>,
}

/// What the node's thread owns.
struct Server<B, T, const BYTES: usize> {
    // Dropped before what runs: first the node withdraws.
    transport: T,
    running: Vec<Running<BYTES>>,
    backend: B,
    shared: Arc<Shared<BYTES>>,
    frame: Vec<u8>,
}

impl<B: Backend<BYTES>, T: Transport, const BYTES: usize> Server<B, T, BYTES> {
    fn run(mut self) {
        // Endless for a reason: the node's life is.
        let mut remind_at = Instant::now();
        while self.shared.wait_for_change(&mut remind_at) {
            self.drop_unwanted();
            self.begin();
            if self.poll() {
                // What has ended makes room for another, at the next turn.
                self.shared.lock().changed = true;
            }
            self.send();
            if self.running.is_empty() && self.shared.lock().is_through() {
                break;
            }
        }
    }

    /// Cancels the calls that their submitters want no more.
    fn drop_unwanted(&mut self) {
        let mut at = 0;
        // Bound: each turn looks at another call. Outside the lock: a drop is foreign code.
        while let Some(running) = self.running.get(at) {
            let is_wanted = self.shared.lock().is_wanted(running.at);
            if is_wanted {
                at += 1;
            } else {
                drop(self.running.swap_remove(at));
            }
        }
    }

    /// Gives calls to the backend, as far as it has room.
    fn begin(&mut self) {
        while self.running.len() < self.backend.capacity() {
            let begun = self.shared.lock().begin();
            let Some(begun) = begun else { break };
            let waker = CallWaker {
                is_woken: AtomicBool::new(true),
                shared: self.shared.clone(),
            };
            self.running.push(Running {
                at: begun.at,
                future: self.backend.call(begun.id, begun.argument),
                waker: Arc::new(waker),
            });
        }
    }

    /// Polls the calls that were woken. Returns true if one has ended.
    fn poll(&mut self) -> bool {
        let (mut at, mut ended) = (0, false);
        // Bound: each turn looks at another call.
        while let Some(running) = self.running.get_mut(at) {
            if !running.waker.is_woken.swap(false, Ordering::Acquire) {
                at += 1;
                continue;
            }
            let waker = Waker::from(running.waker.clone());
            let polled = { running.future.as_mut() }.poll(&mut Context::from_waker(&waker));
            match polled {
                Poll::Pending => at += 1,
                Poll::Ready(reply) => {
                    self.shared.lock().end(running.at, &reply);
                    if reply.is_refusal() {
                        self.shared.lock().leave(Shutdown::Cancel);
                    }
                    drop(self.running.swap_remove(at));
                    ended = true;
                }
            }
        }
        ended
    }

    /// Sends what is due.
    fn send(&mut self) {
        // One frame at a time: the lock is not held while the transport waits.
        loop {
            let submitter = self.shared.lock().next_frame(&mut self.frame);
            let Some(submitter) = submitter else { break };
            self.transport.send(&submitter, &self.frame);
        }
    }
}
