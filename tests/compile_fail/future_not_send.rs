//! A future that is not `Send`.
//~ error-contains: future cannot be sent between threads safely
#[cfg(not(control))]
use std::rc::Rc as Shared;
#[cfg(control)]
use std::sync::Arc as Shared;

use core::future::ready;
use slotted::Executor;

static EXECUTOR: Executor<0, 1> = Executor::new();

fn main() {
    let _ = EXECUTOR.submit_future(async {
        let held = Shared::new(1);
        ready(()).await;
        *held
    });
}
