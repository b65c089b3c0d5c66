//! A closure whose result is aligned more strictly than any slot.
//~ error-contains: error[E0080]
//~ error-contains: the task's result needs an alignment of 32, a slot has 16
use slotted::Executor;

#[cfg_attr(not(control), repr(align(32)))]
#[cfg_attr(control, repr(align(16)))]
struct Strict(u8);

fn main() {
    let executor: Executor<0, 1, 256> = Executor::new();
    let _ = executor
        .submit(|| Strict(1))
        .unwrap()
        .result()
        .map(|strict| strict.0);
}
