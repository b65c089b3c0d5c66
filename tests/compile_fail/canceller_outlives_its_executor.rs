//! A canceller that outlives the executor whose slot it names.
//~ error-contains: error[E0597]
//~ error-contains: does not live long enough
use slotted::Executor;

fn main() {
    #[cfg(control)]
    let executor: Executor<0, 1> = Executor::new();
    let canceller;
    {
        #[cfg(not(control))]
        let executor: Executor<0, 1> = Executor::new();
        canceller = executor.submit(|| 1).unwrap().canceller();
    }
    let _ = canceller.cancel();
}
