//! The handle of a scope's task outlives the scope.
//~ error-contains: lifetime may not live long enough
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    #[cfg(not(control))]
    let _ = executor.scope(|scope| scope.submit(|| 1).unwrap());
    #[cfg(control)]
    let _ = executor.scope(|scope| scope.submit(|| 1).unwrap().result());
}
