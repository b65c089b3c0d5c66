//! A polled closure for an owner that does not fit its slot, with its waker beside it.
//~ error-contains: slotted: the task takes 72 bytes, a slot has 64
use core::task::Poll;
use slotted::Owned;

static OWNED: Owned<u8, 4> = Owned::new();

fn main() {
    #[cfg(not(control))]
    let bytes = [1_u8; 56];
    #[cfg(control)]
    let bytes = [1_u8; 48];
    let _ = OWNED.submit_poll(move |own, _| Poll::Ready(bytes[usize::from(*own)]));
}
