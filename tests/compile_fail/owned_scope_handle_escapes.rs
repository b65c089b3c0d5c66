//! The handle of a task of an owner's scope outlives the scope.
//~ error-contains: lifetime may not live long enough
use slotted::Owned;

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.scope(|scope| scope.submit(|own| *own).unwrap());
    #[cfg(control)]
    let _ = owned.scope(|scope| scope.submit(|own| *own).unwrap().result());
}
