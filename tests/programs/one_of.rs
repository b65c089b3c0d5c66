//! One of several strategies. What is chosen shrinks to an earlier one.

use core::fmt;

use proptest::strategy::{BoxedStrategy, Union};

/// A value of one of these kinds, by weight.
pub(crate) fn one_of<T: fmt::Debug>(
    kinds: Vec<(u32, BoxedStrategy<T>)>,
) -> Union<BoxedStrategy<T>> {
    Union::new_weighted(kinds)
}
