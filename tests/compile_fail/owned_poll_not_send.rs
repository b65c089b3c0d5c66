//! A polled closure is sent to its owner. What the owner lends need not be `Send`.
//~ error-contains: cannot be sent between threads safely
use core::task::Poll;
use slotted::Owned;
use std::rc::Rc;

static OWNED: Owned<Rc<u32>, 4> = Owned::new();

fn main() {
    #[cfg(not(control))]
    let number = Rc::new(7);
    #[cfg(control)]
    let number = 7;
    let _ = OWNED.submit_poll(move |own, _| {
        drop(number.clone());
        Poll::Ready(**own)
    });
}
