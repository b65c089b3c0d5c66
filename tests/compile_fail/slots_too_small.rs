//! Slots that are too small for a task's error.
//~ error-contains: error[E0080]
//~ error-contains: raise SLOT_BYTES
use slotted::{Executor, TaskError};

const BYTES: usize = if cfg!(control) {
    size_of::<TaskError>()
} else {
    size_of::<TaskError>() - 1
};

static EXECUTOR: Executor<1, 1, BYTES> = Executor::new();

fn main() {
    let _ = EXECUTOR.stats();
}
