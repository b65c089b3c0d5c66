//! An executor that can hold no task.
//~ error-contains: error[E0080]
//~ error-contains: raise QUEUE
use slotted::Executor;

static EXECUTOR: Executor<1, { if cfg!(control) { 1 } else { 0 } }> = Executor::new();

fn main() {
    let _ = EXECUTOR.stats();
}
