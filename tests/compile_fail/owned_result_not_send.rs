//! A result that is not `Send`: a clone of what the owner lends would leave its thread.
//~ error-contains: cannot be sent between threads safely
use slotted::Owned;
use std::rc::Rc;

fn main() {
    let owned: Owned<Rc<u32>, 4> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.submit(|own| own.clone());
    #[cfg(control)]
    let _ = owned.submit(|own| **own);
}
