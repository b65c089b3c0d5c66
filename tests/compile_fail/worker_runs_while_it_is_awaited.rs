//! A worker runs a task while a future still awaits it.
//~ error-contains: error[E0499]
//~ error-contains: cannot borrow `worker` as mutable more than once at a time
use slotted::Worker;

fn use_it(mut worker: Worker<'static>) {
    let ready = worker.ready();
    #[cfg(control)]
    drop(ready);
    let _ = worker.run_one();
    #[cfg(not(control))]
    drop(ready);
}

fn main() {
    let _: fn(Worker<'static>) = use_it;
}
