//! Tasks that borrow from the caller's stack, for an owner.
#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;

use super::{Owned, OwnedSubmitter};
use crate::error::SubmitError;
use crate::handle::JoinHandle;
use crate::host::{DefaultHost, Park};
use crate::scope::{LentScope, lent_scope};
use crate::slot::Stop;

/// Submits tasks that borrow to an owner. See [`Owned::scope`].
///
/// `Copy`: a task that submits to its own scope takes it along by `move`.
pub struct OwnedScope<'scope, 'env: 'scope, L, const SLOT_BYTES: usize = 64, H: Park = DefaultHost>
{
    /// Takes plain tasks too: it must not leave this file (*All Lent*).
    scope: &'scope LentScope<'scope, 'env, SLOT_BYTES, H>,
    owns: PhantomData<fn(L) -> L>,
}

impl<L, const SLOT_BYTES: usize, H: Park> Clone for OwnedScope<'_, '_, L, SLOT_BYTES, H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> Copy for OwnedScope<'_, '_, L, SLOT_BYTES, H> {}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Owned<L, QUEUE, SLOT_BYTES, H> {
    /// Runs `body` with an [`OwnedScope`], whose tasks may borrow from the caller's stack, and
    /// returns when all of them have ended. So a caller has the owner send its buffer, say.
    ///
    /// Also when `body` or a task panics: the panic is raised again then (that of a task if no
    /// handle took its result).
    ///
    /// # Blocking
    ///
    /// Until the last task of the scope has ended. The caller runs none of them: it has nothing to
    /// lend. Two waits at the end of the scope would last for ever. There the caller cancels the
    /// tasks that wait in the queue:
    ///
    /// - No owner is there: it has not come, or has left. In `body` a wait for the handle says
    ///   [`NotStarted`](crate::TaskError::NotStarted).
    /// - The caller is the owner itself, in a task. In `body` a wait for the handle says
    ///   [`WouldDeadlock`](crate::TaskError::WouldDeadlock).
    ///
    /// So whether a task was done is asked of its handle, in `body`. A loop that calls
    /// [`run_one`](crate::OwnedWorker::run_one) runs the tasks there too, or cancels them: at the
    /// end it would wait for itself, see [waits](Owned#waits). A handle that
    /// [cancels on drop](JoinHandle::cancel_on_drop) does that if `body` panics.
    ///
    /// # Context
    ///
    /// Any thread that may park; not an interrupt handler.
    ///
    /// ```
    /// use slotted::{Owned, StdThreads, TaskError};
    ///
    /// /// Writes what it is given.
    /// struct Uart(Vec<u8>);
    ///
    /// fn send(uart: &Owned<Uart, 8>, line: &[u8]) -> Result<usize, TaskError> {
    ///     uart.scope(|s| {
    ///         let written = s.submit(|uart| {
    ///             uart.0.extend(line);
    ///             uart.0.len()
    ///         });
    ///         written.expect("a slot is free").result()
    ///     })
    /// }
    ///
    /// let (uart, line) = (Owned::new(), *b"on my stack");
    /// assert_eq!(send(&uart, &line), Err(TaskError::NotStarted));
    /// let written = uart.run(&StdThreads::new(), || Ok(Uart(vec![])), |uart| send(uart, &line));
    /// assert_eq!(written.unwrap(), Ok(11));
    /// ```
    pub fn scope<'env, R>(
        &'env self,
        body: impl for<'scope> FnOnce(OwnedScope<'scope, 'env, L, SLOT_BYTES, H>) -> R,
    ) -> R {
        self.submitter().scope(body)
    }
}

impl<'e, L, const SLOT_BYTES: usize, H: Park> OwnedSubmitter<'e, L, SLOT_BYTES, H> {
    /// Runs `body` with an [`OwnedScope`], whose tasks have the level of the submitter. See
    /// [`Owned::scope`].
    ///
    /// ```
    /// # use slotted::{Owned, Ran};
    /// let log: Owned<Vec<u8>, 4> = Owned::new();
    /// let (mut worker, mut bytes, text) = (log.worker().unwrap(), vec![], *b"text");
    /// log.submitter().scope(|s| {
    ///     s.submit(|bytes| bytes.extend(&text)).unwrap().detach();
    ///     assert_eq!(worker.run_one(&mut bytes), Ran::Task);
    /// });
    /// assert_eq!(bytes, text);
    /// ```
    pub fn scope<R>(
        self,
        body: impl for<'scope> FnOnce(OwnedScope<'scope, 'e, L, SLOT_BYTES, H>) -> R,
    ) -> R {
        lent_scope(self.submitter, |scope| {
            body(OwnedScope {
                scope,
                owns: PhantomData,
            })
        })
    }
}

impl<'scope, L, const SLOT_BYTES: usize, H: Park> OwnedScope<'scope, '_, L, SLOT_BYTES, H> {
    /// Submits a closure that may borrow whatever outlives the scope. See [`Owned::submit`].
    ///
    /// If the task panics, the handle that takes its result gets the panic. If none takes it, the
    /// scope panics when it ends.
    ///
    /// # Errors
    ///
    /// As [`Owned::submit`]. The error holds the closure, which borrows; `?` makes it a
    /// [`Refusal`](crate::Refusal), which does not.
    ///
    /// ```
    /// use slotted::{Owned, Refusal, StdThreads};
    ///
    /// fn append(log: &Owned<String, 4>, text: &str) -> Result<bool, Refusal> {
    ///     log.scope(|s| Ok(s.submit(|log| log.push_str(text))?.result().is_ok()))
    /// }
    /// let log = Owned::new();
    /// let done = log.run(&StdThreads::new(), || Ok(String::new()), |log| append(log, "four"));
    /// assert_eq!(done.unwrap(), Ok(true));
    /// ```
    pub fn submit<F, T>(self, task: F) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.scope.submit_lent::<L, F, T>(task)
    }

    /// Submits a closure that may borrow whatever outlives the scope, and that may be asked to stop
    /// while it runs. See [`Owned::submit_stoppable`].
    ///
    /// The scope itself asks none of its tasks to stop, also when its body panics: it waits for
    /// them.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// use slotted::{Owned, StdThreads, Stopped};
    ///
    /// let radio: Owned<u8, 4> = Owned::new();
    /// let pattern = [3, 5];
    /// let heard = radio.run(&StdThreads::new(), || Ok(0), |radio| {
    ///     radio.scope(|s| {
    ///         let listen = s.submit_stoppable(|radio, stop| {
    ///             while !pattern.contains(radio) {
    ///                 stop.check()?;
    ///                 *radio = radio.wrapping_add(1);
    ///             }
    ///             Ok::<_, Stopped>(*radio)
    ///         });
    ///         listen.unwrap().result()
    ///     })
    /// });
    /// assert_eq!(heard.unwrap(), Ok(Ok(3)));
    /// ```
    pub fn submit_stoppable<F, T>(self, task: F) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.scope.submit_lent_stoppable::<L, F, T>(task)
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> fmt::Debug for OwnedScope<'_, '_, L, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedScope")
            .field("owns", &core::any::type_name::<L>())
            .field("scope", self.scope)
            .finish()
    }
}
