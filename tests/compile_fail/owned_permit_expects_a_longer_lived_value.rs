//! A permit for a task that expects a longer-lived value than its owner lends.
//~ error-contains: borrowed data escapes outside of function
use slotted::{Owned, OwnedPermit};

fn keep(permit: OwnedPermit<'_, &'static u32>) {
    let _ = permit.submit(|own: &mut &'static u32| *own); // keeps it for ever
}

#[cfg(not(control))]
fn lend<'a>(owned: &Owned<&'a u32, 4>, mut number: &'a u32) {
    keep(owned.reserve().unwrap());
    let _ = owned.worker().unwrap().run_one(&mut number);
}

#[cfg(control)]
fn lend(owned: &Owned<&'static u32, 4>, mut number: &'static u32) {
    keep(owned.reserve().unwrap());
    let _ = owned.worker().unwrap().run_one(&mut number);
}

fn main() {
    lend(&Owned::new(), &7);
}
