//! A promise of a value that is not `Send`.
//~ error-contains: error[E0277]
//~ error-contains: cannot be sent between threads safely
#[cfg(not(control))]
use std::rc::Rc as Shared;
#[cfg(control)]
use std::sync::Arc as Shared;

use slotted::Promise;

fn keep(promise: Promise<'_, Shared<u8>>) {
    let _ = promise.set_result(Shared::new(1));
}

fn main() {
    let _ = keep;
}
