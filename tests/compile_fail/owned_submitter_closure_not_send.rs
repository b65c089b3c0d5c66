//! The closure of an owner's level cannot go to the owner's thread.
//~ error-contains: cannot be sent between threads safely
use slotted::Owned;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    #[cfg(not(control))]
    let number = std::rc::Rc::new(7);
    #[cfg(control)]
    let number = std::sync::Arc::new(7);
    let _ = owned.submitter().submit(move |_| *number);
}
