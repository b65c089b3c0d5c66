//! `run_on` for an executor that is not `'static`.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::{Executor, StdThreads};

fn main() {
    let executor: Executor<1, 1> = Executor::new();
    #[cfg(not(control))]
    let _ = executor.run_on(&StdThreads::new(), |_| ());
    #[cfg(control)]
    let _ = executor.run(&StdThreads::new(), |_| ());
}
