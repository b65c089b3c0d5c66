//! A closure for an owner is sent to it. What the owner lends need not be `Send`.
//~ error-contains: cannot be sent between threads safely
use slotted::Owned;
use std::rc::Rc;

fn main() {
    let owned: Owned<Rc<u32>, 4> = Owned::new();
    #[cfg(not(control))]
    let number = Rc::new(7);
    #[cfg(control)]
    let number = 7;
    let _ = owned.submit(move |own| {
        drop(number.clone());
        **own
    });
}
