//! A closure that is aligned more strictly than any slot.
//~ error-contains: error[E0080]
//~ error-contains: the task needs an alignment of 32, a slot has 16
use slotted::Executor;

#[cfg_attr(not(control), repr(align(32)))]
#[cfg_attr(control, repr(align(16)))]
struct Strict(u8);

fn main() {
    let executor: Executor<0, 1, 256> = Executor::new();
    let captured = Strict(1);
    let _ = executor.submit(move || {
        let whole = captured;
        whole.0
    });
}
