//! A promise of a `'static` value, kept with a shorter-lived value.
//~ error-contains: error[E0597]
//~ error-contains: `short` does not live long enough
use slotted::{Executor, Promise};

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, handle) = executor.promise::<&'static str>().unwrap();
    {
        #[cfg(not(control))]
        let short = String::from("short");
        #[cfg(control)]
        let short = "short";
        let promise: &Promise<'_, &str> = &promise;
        #[cfg(not(control))]
        promise.set_result(&short).unwrap();
        #[cfg(control)]
        promise.set_result(short).unwrap();
    }
    println!("{}", handle.result().unwrap());
}
