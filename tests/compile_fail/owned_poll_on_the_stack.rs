//! A polled task for an owner that is not `'static`: its waker may outlive it.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use core::task::Poll;
use slotted::Owned;

#[cfg(control)]
static OWNED: Owned<u32, 4> = Owned::new();

fn main() {
    #[cfg(control)]
    let owned = &OWNED;
    #[cfg(not(control))]
    let owned: Owned<u32, 4> = Owned::new();
    let _ = owned.submit_poll(|own, _| Poll::Ready(*own));
}
