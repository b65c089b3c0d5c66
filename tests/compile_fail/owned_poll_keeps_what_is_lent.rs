//! A poll keeps what the owner lends until the next poll.
//~ error-contains: borrowed data escapes outside of closure
use core::task::Poll;
use slotted::Owned;

static OWNED: Owned<u32, 4> = Owned::new();

fn main() {
    let mut kept = None;
    let _ = OWNED.submit_poll(move |own: &mut u32, _| {
        #[cfg(not(control))]
        let seen = own;
        #[cfg(control)]
        let seen = *own;
        match kept.replace(seen) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    });
}
