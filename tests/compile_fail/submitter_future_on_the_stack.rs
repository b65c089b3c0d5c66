//! A future for the submitter of an executor that is not `'static`.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::Executor;

#[cfg(control)]
static EXECUTOR: Executor<0, 1> = Executor::new();

fn main() {
    #[cfg(control)]
    let executor = &EXECUTOR;
    #[cfg(not(control))]
    let executor: Executor<0, 1> = Executor::new();
    let _ = executor.submitter().submit_future(async { 1 });
}
