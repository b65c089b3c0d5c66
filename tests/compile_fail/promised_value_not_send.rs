//! An executor makes a promise of a value that is not `Send`.
//~ error-contains: error[E0277]
//~ error-contains: cannot be sent between threads safely
#[cfg(not(control))]
use std::rc::Rc as Shared;
#[cfg(control)]
use std::sync::Arc as Shared;

use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let _ = executor.promise::<Shared<u8>>();
}
