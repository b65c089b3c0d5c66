//! Two tasks of a scope change the same value.
//~ error-contains: error[E0499]
//~ error-contains: cannot borrow `count` as mutable more than once at a time
use slotted::Executor;

fn main() {
    let executor: Executor<0, 2> = Executor::new();
    let mut count = 0;
    executor.scope(|scope| {
        scope.submit(|| count += 1).unwrap().detach();
        #[cfg(not(control))]
        scope.submit(|| count += 1).unwrap().detach();
    });
}
