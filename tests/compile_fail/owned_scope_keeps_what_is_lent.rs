//! A task of a scope keeps what the owner lends.
//~ error-contains: lifetime may not live long enough
use slotted::Owned;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    #[cfg(not(control))]
    owned.scope(|scope| {
        let _ = scope.submit(|own: &mut u32| own).unwrap();
    });
    #[cfg(control)]
    owned.scope(|scope| {
        let _ = scope.submit(|own: &mut u32| *own).unwrap();
    });
}
