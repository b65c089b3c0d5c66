//! A task that expects a longer-lived value than its owner lends.
//~ error-contains: is invariant over the parameter `L`
use slotted::Owned;

type Of<'a> = Owned<&'a u32, 4>;

fn keep(owned: &Of<'static>) {
    let _ = owned.submit(|own: &mut &'static u32| *own); // keeps it for ever
}

#[cfg(not(control))]
fn lend<'a>(owned: &Of<'a>, mut number: &'a u32) {
    keep(owned);
    let _ = owned.worker().unwrap().run_one(&mut number);
}

#[cfg(control)]
fn lend(owned: &Of<'static>, mut number: &'static u32) {
    keep(owned);
    let _ = owned.worker().unwrap().run_one(&mut number);
}

fn main() {
    lend(&Owned::new(), &7);
}
