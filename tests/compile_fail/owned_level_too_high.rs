//! A level that the owner's host does not have.
//~ error-contains: error[E0080]
//~ error-contains: the host's order has fewer levels
use slotted::{Levels, Ordered, Owned, StdHost};

fn main() {
    let owned: Owned<u32, 4, 64, Ordered<StdHost, Levels<2>>> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.level::<2>().submit(|own| *own);
    #[cfg(control)]
    let _ = owned.level::<1>().submit(|own| *own);
}
