//! A callback that is not `Send`.
//~ error-contains: error[E0277]
//~ error-contains: cannot be sent between threads safely
#[cfg(not(control))]
use std::rc::Rc as Shared;
#[cfg(control)]
use std::sync::Arc as Shared;

use slotted::Executor;

fn main() {
    let executor: Executor<0, 2> = Executor::new();
    let handle = executor.submit(|| 1).unwrap();
    let captured = Shared::new(1);
    let _ = handle.add_done_callback(move |_| drop(captured));
}
