//! A permit is used for two tasks.
//~ error-contains: error[E0382]
//~ error-contains: use of moved value: `permit`
use slotted::Executor;

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let permit = executor.reserve().unwrap();
    let _ = permit.submit(|| 1);
    #[cfg(control)]
    let permit = executor.reserve().unwrap();
    let _ = permit.submit(|| 2);
}
