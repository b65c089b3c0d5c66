//! A timeout for several results on a host without a clock.
//~ error-contains: error[E0277]
//~ error-contains: time limits need a host with a clock, and `SpinHost` has none
use core::time::Duration;
#[cfg(not(control))]
use slotted::SpinHost as Host;
#[cfg(control)]
use slotted::StdHost as Host;

use slotted::{Executor, ReturnWhen};

fn main() {
    let executor: Executor<0, 1, 64, Host> = Executor::new();
    let mut handles = [executor.submit(|| 1).unwrap()];
    let _ = slotted::wait_timeout(&mut handles, Duration::ZERO, ReturnWhen::AllCompleted);
}
