//! What the worlds that are not a model have in common: plain cells, and constants.
#![forbid(unsafe_code)]

/// Interior mutability with loom's signatures.
pub(crate) struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the pointer for reading.
    #[inline(always)]
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    /// Lends the pointer for writing.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// An array built from one expression, in a constant.
macro_rules! array {
    ($length:expr, $element:expr) => {
        [const { $element }; $length]
    };
}
pub(crate) use array;

/// `const` everywhere but under loom, whose objects register themselves when made.
macro_rules! const_fn {
    ($(#[$meta:meta])* $visibility:vis const fn $($rest:tt)*) => {
        $(#[$meta])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;
