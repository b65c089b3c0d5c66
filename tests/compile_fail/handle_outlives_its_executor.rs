//! A handle that outlives the executor whose slot it names.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::Executor;

fn main() {
    #[cfg(control)]
    let executor: Executor<0, 1> = Executor::new();
    let handle;
    {
        #[cfg(not(control))]
        let executor: Executor<0, 1> = Executor::new();
        handle = executor.submit(|| 1).unwrap();
    }
    let _ = handle.result();
}
