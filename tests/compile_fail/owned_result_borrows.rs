//! A result that borrows what the owner lends.
//~ error-contains: lifetime may not live long enough
use slotted::Owned;

fn main() {
    let owned: Owned<Vec<u32>, 4> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.submit(|own: &mut Vec<u32>| &own[0]);
    #[cfg(control)]
    let _ = owned.submit(|own: &mut Vec<u32>| own[0]);
}
