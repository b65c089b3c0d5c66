//! A user calls the scope's private way to turn a permit into a task. The permit could be of
//! another executor.
//~ error-contains: error[E0599]
//~ error-contains: no method named `admit` found
use slotted::{Executor, Permit};

fn main() {
    let (one, other): (Executor<0, 1>, Executor<0, 1>) = (Executor::new(), Executor::new());
    one.scope(|s| {
        let permit: Permit<'_> = other.reserve().unwrap();
        #[cfg(not(control))]
        let _ = (&s).admit(permit, || 1, ());
        #[cfg(control)]
        let _ = (s.submit(|| 1), permit);
    });
}
