//! A closure that borrows, submitted without a scope.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::Executor;

static EXECUTOR: Executor<1, 1> = Executor::new();

fn main() {
    let text = String::from("on the stack");
    let borrowed = &text;
    #[cfg(not(control))]
    let _ = EXECUTOR.submit(move || borrowed.len());
    #[cfg(control)]
    let _ = EXECUTOR.scope(|scope| scope.submit(move || borrowed.len()).unwrap().result());
}
