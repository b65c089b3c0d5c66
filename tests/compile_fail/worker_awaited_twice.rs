//! A worker is awaited by two futures at once.
//~ error-contains: error[E0499]
//~ error-contains: cannot borrow `worker` as mutable more than once at a time
use slotted::Worker;

fn use_it(mut worker: Worker<'static>) {
    let first = worker.ready();
    #[cfg(control)]
    drop(first);
    let second = worker.ready();
    #[cfg(not(control))]
    drop(first);
    drop(second);
}

fn main() {
    let _: fn(Worker<'static>) = use_it;
}
