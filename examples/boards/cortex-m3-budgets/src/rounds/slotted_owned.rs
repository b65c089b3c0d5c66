//! A driver that owns its peripheral, in the program's own loop.
//!
//! A part of each program that measures it, and not of the library. If the library named `Owned`,
//! the compiler would inline otherwise in the programs that do not.

use slotted::{Owned, Ran, SpinHost};

use cortex_m3_budgets::rounds::work;

/// The peripheral: a register that it adds to.
struct Register(u32);

static DRIVER: Owned<Register, 8, 16, SpinHost> = Owned::new();

/// Submits a closure that gets the peripheral, makes the worker run it, takes its result.
pub(crate) fn start() -> impl FnMut(u32) -> Option<u32> {
    let (mut worker, mut register) = (DRIVER.worker().ok(), Register(0));
    move |number| {
        let task = move |register: &mut Register| {
            register.0 = register.0.wrapping_add(1);
            work(number)
        };
        let handle = DRIVER.submit(task).ok()?;
        if worker.as_mut()?.run_one(&mut register) != Ran::Task {
            return None;
        }
        handle.result().ok()
    }
}
