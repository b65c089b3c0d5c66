//! An owner that lends a shorter-lived value than its tasks expect.
//~ error-contains: does not live long enough
use slotted::{Owned, OwnedWorker};

fn lend<'a>(mut worker: OwnedWorker<'_, &'a u32>, mut number: &'a u32) {
    let _ = worker.run_one(&mut number);
}

fn main() {
    let owned: Owned<&'static u32, 4> = Owned::new();
    let _ = owned.submit(|own: &mut &'static u32| *own); // keeps it for ever
    #[cfg(not(control))]
    let number = 7;
    #[cfg(control)]
    static NUMBER: u32 = 7;
    #[cfg(not(control))]
    lend(owned.worker().unwrap(), &number);
    #[cfg(control)]
    lend(owned.worker().unwrap(), &NUMBER);
}
