//! A submitter that is used after its executor is gone.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::{Executor, Submitter};

fn main() {
    #[cfg(control)]
    let executor: Executor<0, 1> = Executor::new();
    let pool: Submitter<'_>;
    {
        #[cfg(not(control))]
        let executor: Executor<0, 1> = Executor::new();
        pool = executor.submitter();
    }
    let _ = pool.submit(|| 1);
}
