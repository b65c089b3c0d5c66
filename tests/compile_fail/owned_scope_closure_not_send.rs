//! The closure of an owner's scope cannot go to the owner's thread.
//~ error-contains: cannot be shared between threads safely
use slotted::Owned;
use std::cell::Cell;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    let number = Cell::new(7);
    #[cfg(not(control))]
    owned.scope(|scope| scope.submit(|own| number.set(*own)).unwrap().detach());
    #[cfg(control)]
    owned.scope(|scope| scope.submit(|own| *own = 7).unwrap().detach());
    number.set(8);
}
