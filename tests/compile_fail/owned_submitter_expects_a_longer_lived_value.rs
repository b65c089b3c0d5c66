//! A task that expects a longer-lived value than its owner lends, through a submitter.
//~ error-contains: is invariant over the parameter `L`
use slotted::{Owned, OwnedSubmitter};

fn keep(submitter: OwnedSubmitter<'_, &'static u32>) {
    let _ = submitter.submit(|own: &mut &'static u32| *own); // keeps it for ever
}

#[cfg(not(control))]
fn lend<'a>(owned: &Owned<&'a u32, 4>, mut number: &'a u32) {
    keep(owned.submitter());
    let _ = owned.worker().unwrap().run_one(&mut number);
}

#[cfg(control)]
fn lend(owned: &Owned<&'static u32, 4>, mut number: &'static u32) {
    keep(owned.submitter());
    let _ = owned.worker().unwrap().run_one(&mut number);
}

fn main() {
    lend(&Owned::new(), &7);
}
