//! What the owner lends, sent away. It is lent for the length of the call.
//~ error-contains: borrowed data escapes outside of closure
use slotted::Owned;
use std::sync::mpsc::channel;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    let (send, _receive) = channel();
    let _ = owned.submit(move |own: &mut u32| {
        #[cfg(not(control))]
        let _ = send.send(own);
        #[cfg(control)]
        let _ = send.send(*own);
    });
}
