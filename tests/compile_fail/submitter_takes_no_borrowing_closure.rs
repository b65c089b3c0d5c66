//! A closure that borrows, for a submitter outside of a scope.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let text = String::from("borrowed");
    let borrowed = &text;
    #[cfg(not(control))]
    let _ = executor.submitter().submit(move || borrowed.len());
    #[cfg(control)]
    let _ = executor
        .submitter()
        .scope::<1, _>(|s| s.submit(move || borrowed.len()).is_ok());
}
