//! The panic boundary: what a task, a callback or a destructor does when it panics.
//!
//! Invariant **Contained**: nothing unwinds across an erased call. With `std` a panic is caught and
//! becomes a value. Without `std` a panic normally never returns (boards abort, reset or loop);
//! where it does unwind, a [`Bomb`] ends the task as broken on the way out.
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
mod imp {
    use core::any::Any;
    use core::panic::AssertUnwindSafe;
    use std::boxed::Box;
    use std::panic::catch_unwind;
    use std::sync::{Mutex, PoisonError};

    /// What a panicking task threw.
    ///
    /// Exists without `std` too, where nothing is ever caught.
    pub struct Panic(Mutex<Box<dyn Any + Send>>);

    impl Panic {
        pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
            Self(Mutex::new(payload))
        }

        /// Takes the payload, as [`std::panic::catch_unwind`] would have given it.
        #[must_use]
        pub fn into_payload(self) -> Box<dyn Any + Send> {
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
        }

        /// Goes on panicking with the payload in the calling thread, without running the panic hook
        /// again.
        pub fn resume(self) -> ! {
            std::panic::resume_unwind(self.into_payload())
        }

        /// The panic message, if the payload is a string: what `panic!("…")` throws.
        #[must_use]
        pub fn with_message<R>(&self, read: impl FnOnce(Option<&str>) -> R) -> R {
            let payload = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let message = payload.downcast_ref::<&'static str>().copied().or_else(|| {
                payload
                    .downcast_ref::<std::string::String>()
                    .map(|message| &**message)
            });
            read(message)
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
        // Asserted: whatever `work` borrowed is dropped or overwritten by the caller, never looked
        // at.
        catch_unwind(AssertUnwindSafe(work)).map_err(Panic::new)
    }

    /// Calls `work` and swallows a panic in it, and one in the payload's destructor. Says whether
    /// all went well.
    pub(crate) fn contain(work: impl FnOnce()) -> bool {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(()) => true,
            Err(payload) => {
                discard_payload(payload);
                false
            }
        }
    }

    /// Drops a payload whose destructor may panic in turn; a second payload is leaked rather than
    /// chased.
    fn discard_payload(payload: Box<dyn Any + Send>) {
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(second);
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    /// What a panicking task threw: nothing that can be had without `std`, where a panic is never
    /// caught.
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
        pub fn with_message<R>(&self, _read: impl FnOnce(Option<&str>) -> R) -> R {
            match self.0 {}
        }
    }

    /// That a task panicked: never, so that no code need be there for it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Caught(core::convert::Infallible);

    impl Panic {
        /// That there was one.
        pub(crate) fn caught(&self) -> Caught {
            match self.0 {}
        }
    }

    /// Calls `work`. A panic in it is not caught.
    #[inline(always)]
    pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, Panic> {
        Ok(work())
    }

    /// Calls `work`. A panic in it is not caught.
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
        self.with_message(|message| {
            f.debug_tuple("Panic")
                .field(&message.unwrap_or(".."))
                .finish()
        })
    }
}

/// Drops a value whose destructor may be foreign; a panic in it is swallowed.
pub(crate) fn discard<T>(value: T) {
    contain(|| drop(value));
}

/// Calls a function unless it is defused first: what must still happen when a panic passes by.
pub(crate) struct Bomb<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Bomb<F> {
    #[inline(always)]
    pub(crate) fn new(action: F) -> Self {
        Self(Some(action))
    }

    #[inline(always)]
    pub(crate) fn defuse(mut self) {
        self.0 = None;
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
