//! Two threads share the handle of a task whose value is not `Sync`.
//~ error-contains: error[E0277]
//~ error-contains: cannot be shared between threads safely
#[cfg(control)]
use core::sync::atomic::AtomicU8 as Value;
#[cfg(not(control))]
use std::cell::Cell as Value;

use slotted::Executor;

fn shared<T: Sync>(_: &T) {}

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| Value::new(1_u8)).unwrap();
    shared(&handle);
}
