//! A result is taken while `wait` still lends it.
//~ error-contains: error[E0505]
//~ error-contains: cannot move out of `handle` because it is borrowed
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let mut handle = executor.submit(|| String::from("lent")).unwrap();
    let lent = handle.wait();
    #[cfg(control)]
    assert!(lent.is_ok());
    let _ = handle.result();
    #[cfg(not(control))]
    assert!(lent.is_ok());
}
