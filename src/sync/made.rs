//! What the worlds of models and schedules have in common: their objects register themselves when
//! made, so nothing is `const`.
#![forbid(unsafe_code)]

/// An array built from one expression.
macro_rules! array {
    ($length:expr, $element:expr) => {
        core::array::from_fn::<_, $length, _>(|_| $element)
    };
}
pub(crate) use array;

/// Not `const` here.
macro_rules! const_fn {
    ($(#[$meta:meta])* $visibility:vis const fn $($rest:tt)*) => {
        $(#[$meta])* $visibility fn $($rest)*
    };
}
pub(crate) use const_fn;
