//! A loop that keeps a reference to what it lends to a task.
//~ error-contains: E0499
use slotted::{Owned, OwnedWorker};

fn main() {
    let owned: Owned<u32, 4> = Owned::new();
    let (mut worker, mut number): (OwnedWorker<'_, u32>, _) = (owned.worker().unwrap(), 7);
    let lent = &mut number;
    #[cfg(not(control))]
    let _ = worker.run_one(&mut number);
    *lent += 1;
    #[cfg(control)]
    let _ = worker.run_one(&mut number);
}
