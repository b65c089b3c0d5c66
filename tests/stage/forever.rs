//! Executors that a test makes anew in each round, for hosts that want a `static` one.

/// A value that is never dropped.
pub(crate) fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
