//! An owner's scope itself outlives its body.
//~ error-contains: lifetime may not live long enough
use slotted::Owned;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.scope(|scope| scope);
    #[cfg(control)]
    let _ = owned.scope(|_| 7);
}
