//! A function that takes any submitter submits a future.
//~ error-contains: error[E0521]
//~ error-contains: borrowed data escapes outside of function
use slotted::{Executor, Submitter};

static EXECUTOR: Executor<0, 1> = Executor::new();

#[cfg(control)]
fn use_it(pool: Submitter<'static>) {
    let _ = pool.submit_future(async { 1 });
}

#[cfg(not(control))]
fn use_it(pool: Submitter<'_>) {
    let _ = pool.submit_future(async { 1 });
}

fn main() {
    use_it(EXECUTOR.submitter());
}
