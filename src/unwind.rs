//! The panic boundary: what a task, a callback or a destructor does when it panics.
//!
//! Invariant **Contained**: nothing unwinds across an erased call. With `std` the crate catches a
//! panic and makes it a value. Without `std` a panic normally never returns (boards abort, reset or
//! loop). Where it does unwind, a [`Bomb`] ends the task as broken on the way out.
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
mod imp {
    use core::any::Any;
    use core::panic::AssertUnwindSafe;
    use std::boxed::Box;
    use std::panic::catch_unwind;
    use std::string::String;
    use std::sync::{Mutex, PoisonError};

    /// What a panicking task threw.
    ///
    /// The type exists without `std` too, where the crate never catches a panic.
    pub struct Panic(Payload);

    /// The payload. It keeps what `panic!` throws by type, so that any thread may read it without a
    /// lock.
    enum Payload {
        Static(&'static str),
        Text(String),
        /// Only `Send`, so no thread reads it. A mutex that no thread locks makes its owner `Sync`.
        Other(Mutex<Box<dyn Any + Send>>),
    }

    impl Panic {
        pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
            let payload = match payload.downcast::<&'static str>() {
                Ok(text) => return Self(Payload::Static(*text)),
                Err(payload) => payload,
            };
            match payload.downcast::<String>() {
                Ok(text) => Self(Payload::Text(*text)),
                Err(payload) => Self(Payload::Other(Mutex::new(payload))),
            }
        }

        /// The panic of another process or machine, of which only the text is known. No panic hook
        /// runs.
        ///
        /// ```
        /// use slotted::{Executor, Panic, TaskError};
        ///
        /// let executor: Executor<0, 1> = Executor::new();
        /// let (promise, handle) = executor.promise::<u32>().unwrap();
        /// promise.complete(Err(TaskError::Panicked(Panic::with_message("no")))).unwrap();
        /// let error = handle.result().unwrap_err();
        /// assert_eq!(error.to_string(), "the task panicked: no");
        /// ```
        #[must_use]
        pub fn with_message(text: &str) -> Self {
            Self(Payload::Text(String::from(text)))
        }

        /// Takes the payload, as [`std::panic::catch_unwind`] would have given it.
        ///
        /// ```
        /// # use slotted::{Executor, TaskError};
        /// let executor: Executor<0, 4> = Executor::new();
        /// let handle = executor.submit(|| std::panic::panic_any(7_u8)).unwrap();
        /// let Err(TaskError::Panicked(panic)) = handle.result() else { unreachable!() };
        /// assert_eq!(panic.into_payload().downcast_ref(), Some(&7_u8));
        /// ```
        #[must_use]
        pub fn into_payload(self) -> Box<dyn Any + Send> {
            match self.0 {
                Payload::Static(text) => Box::new(text),
                Payload::Text(text) => Box::new(text),
                Payload::Other(other) => other.into_inner().unwrap_or_else(PoisonError::into_inner),
            }
        }

        /// Goes on panicking with the payload in the calling thread, without running the panic hook
        /// again.
        ///
        /// ```should_panic
        /// # use slotted::{Executor, TaskError};
        /// let executor: Executor<0, 4> = Executor::new();
        /// let handle = executor.submit(|| panic!("no")).unwrap();
        /// if let Err(TaskError::Panicked(panic)) = handle.result() {
        ///     panic.resume();
        /// }
        /// ```
        pub fn resume(self) -> ! {
            std::panic::resume_unwind(self.into_payload())
        }

        /// The panic message, if the payload is a string: what `panic!("…")` throws. Takes no lock.
        ///
        /// ```
        /// # use slotted::{Executor, TaskError};
        /// let executor: Executor<0, 4> = Executor::new();
        /// let handle = executor.submit(|| panic!("no")).unwrap();
        /// let Err(TaskError::Panicked(panic)) = handle.result() else { unreachable!() };
        /// assert_eq!(panic.message(), Some("no"));
        /// ```
        #[must_use]
        pub fn message(&self) -> Option<&str> {
            match &self.0 {
                Payload::Static(text) => Some(text),
                Payload::Text(text) => Some(text),
                Payload::Other(_) => None,
            }
        }
    }

    /// That a task panicked.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Caught;

    impl Panic {
        /// That there was one.
        pub(crate) fn caught(&self) -> Caught {
            Caught
        }
    }

    /// Calls `work`; a panic in it becomes an error.
    pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Panic> {
        // Asserted: the caller drops or overwrites what `work` borrowed, and never looks at it.
        catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new)
    }

    /// Calls `work` and swallows a panic in it, and one in the payload's destructor. Returns true
    /// if all went well.
    pub(crate) fn contain(work: impl FnOnce()) -> bool {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(()) => true,
            Err(payload) => {
                discard_payload(payload);
                false
            }
        }
    }

    /// Drops a payload whose destructor may panic in turn. It leaks a second payload.
    fn discard_payload(payload: Box<dyn Any + Send>) {
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(second);
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    /// What a panicking task threw. Without `std` the crate never catches a panic.
    ///
    /// No value of this type exists on such targets.
    pub struct Panic(core::convert::Infallible);

    impl Panic {
        /// Goes on panicking. Cannot be called: there is no value of this type without `std`.
        pub fn resume(self) -> ! {
            match self.0 {}
        }

        /// The panic message. Cannot be called: there is no value of this type without `std`.
        #[must_use]
        pub fn message(&self) -> Option<&str> {
            match self.0 {}
        }
    }

    /// That a task panicked: never, so that the program needs no code for it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Caught(core::convert::Infallible);

    impl Panic {
        /// That there was one.
        pub(crate) fn caught(&self) -> Caught {
            match self.0 {}
        }
    }

    /// Calls `work`. A panic in it passes through.
    #[inline(always)]
    pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Panic> {
        Ok(work())
    }

    /// Calls `work`. A panic in it passes through.
    #[inline(always)]
    pub(crate) fn contain(work: impl FnOnce()) -> bool {
        work();
        true
    }
}

pub use imp::Panic;
pub(crate) use imp::{Caught, catch, contain};

impl core::fmt::Debug for Panic {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Panic")
            .field(&self.message().unwrap_or(".."))
            .finish()
    }
}

impl PartialEq for Panic {
    /// Returns true if both have the same message.
    fn eq(&self, other: &Self) -> bool {
        self.message().is_some() && self.message() == other.message()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Panic {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Panic({})", self.message().unwrap_or(".."));
    }
}

/// Drops a value whose destructor may be foreign, and swallows a panic in it.
pub(crate) fn discard<T>(value: T) {
    contain(|| drop(value));
}

/// Calls a function when it is dropped, unless the caller defuses it first. So the call happens
/// when a panic passes by.
pub(crate) struct Bomb<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Bomb<F> {
    #[inline(always)]
    pub(crate) fn new(action: F) -> Self {
        Self(Some(action))
    }

    #[inline(always)]
    pub(crate) fn defuse(mut self) {
        drop(self.0.take());
        // The destructor has nothing to do, and no code for it is left on this path.
        core::mem::forget(self);
    }
}

impl<F: FnOnce()> Drop for Bomb<F> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}
