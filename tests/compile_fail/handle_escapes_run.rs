//! A handle that is submitted through the argument of `run` leaves the block.
//~ error-contains: lifetime may not live long enough
use slotted::{Executor, StdThreads};

fn main() {
    let executor: Executor<1, 1> = Executor::new();
    #[cfg(not(control))]
    let handle = executor.run(&StdThreads::new(), |pool| pool.submit(|| 1).unwrap());
    #[cfg(control)]
    let handle = executor.run(&StdThreads::new(), |_| executor.submit(|| 1).unwrap());
    let _ = handle.unwrap().result();
}
