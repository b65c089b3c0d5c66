//! A thread of its own needs an executor that lives for ever.
//~ error-contains: does not live long enough
use slotted::{Owned, StdThreads};

fn main() {
    #[cfg(not(control))]
    let owned: Owned<u32, 4> = Owned::new();
    #[cfg(control)]
    static OWNED: Owned<u32, 4> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.start(&StdThreads::new(), || Ok(7));
    #[cfg(control)]
    let _ = OWNED.start(&StdThreads::new(), || Ok(7));
}
