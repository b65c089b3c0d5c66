//! A handle used after its value was moved out.
//~ error-contains: error[E0382]
//~ error-contains: use of moved value: `handle`
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| 1).unwrap();
    let _ = handle.result();
    #[cfg(not(control))]
    let _ = handle.result();
}
