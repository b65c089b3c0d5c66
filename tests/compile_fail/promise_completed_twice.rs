//! A promise is completed a second time, after `complete` has given it up.
//~ error-contains: error[E0382]
//~ error-contains: use of moved value: `promise`
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, _handle) = executor.promise::<u8>().unwrap();
    #[cfg(not(control))]
    let _ = promise.complete(Ok(1));
    #[cfg(control)]
    let _ = promise.set_result(1);
    let _ = promise.complete(Ok(2));
}
