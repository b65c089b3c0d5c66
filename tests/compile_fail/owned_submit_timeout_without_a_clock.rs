//! A time limit on a host without a clock.
//~ error-contains: time limits need a host with a clock
use core::time::Duration;
use slotted::{Owned, SpinHost};

fn main() {
    let owned: Owned<u32, 4, 64, SpinHost> = Owned::new();
    #[cfg(not(control))]
    let _ = owned.submit_timeout(|own| *own, Duration::ZERO);
    #[cfg(control)]
    let _ = (owned.submit(|own| *own), Duration::ZERO);
}
