//! What `slotted::plan` promises: a bound is never optimistic, and the compiler can find it.
#![cfg(all(feature = "std", not(miri), not(loom)))]

mod beside_the_executor;
mod constants;
mod exact;
mod machine;
mod never_optimistic;
mod set;
mod words;
mod worked_example;
