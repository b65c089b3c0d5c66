//! A wait of a submitter for a slot with a time limit, on a host without a clock.
//~ error-contains: error[E0277]
//~ error-contains: time limits need a host with a clock, and `SpinHost` has none
//~ error-contains: implement `slotted::Clock` for the host
use core::time::Duration;
#[cfg(not(control))]
use slotted::SpinHost as Host;
#[cfg(control)]
use slotted::StdHost as Host;

use slotted::Executor;

fn main() {
    let executor: Executor<0, 1, 64, Host> = Executor::new();
    let _ = executor.submitter().submit_timeout(|| 1, Duration::ZERO);
}
