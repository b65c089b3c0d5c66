//! A task of a scope borrows a value that is dropped before the scope has ended.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    #[cfg(control)]
    let text = String::from("outside");
    executor.scope(|scope| {
        #[cfg(not(control))]
        let text = String::from("inside");
        let borrowed = &text;
        scope.submit(move || borrowed.len()).unwrap().detach();
    });
}
