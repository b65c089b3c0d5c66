//! One of several strategies, as libFuzzer's bytes choose.
//!
//! Proptest's own gives a part of the bytes that are left to each kind that it does not choose, so
//! that it could go back to that one. After a few choices none are left.

use core::fmt;

use proptest::strategy::{BoxedStrategy, NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// One of several strategies, by weight.
#[derive(Debug)]
pub(crate) struct OneOf<T>(Vec<(u32, BoxedStrategy<T>)>);

/// A value of one of these kinds, by weight.
pub(crate) fn one_of<T: fmt::Debug>(kinds: Vec<(u32, BoxedStrategy<T>)>) -> OneOf<T> {
    OneOf(kinds)
}

impl<T: fmt::Debug> Strategy for OneOf<T> {
    type Tree = Box<dyn ValueTree<Value = T>>;
    type Value = T;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let total = self.0.iter().map(|(weight, _)| weight).sum::<u32>();
        let mut chosen = (0..total).new_tree(runner)?.current();
        for (weight, kind) in &self.0 {
            match chosen.checked_sub(*weight) {
                Some(left) => chosen = left,
                None => return kind.new_tree(runner),
            }
        }
        unreachable!("the weights are more than the choice")
    }
}
