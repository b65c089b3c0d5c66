//! The error for a future whose result is too large tells both sizes.
//~ error-contains: error[E0080]
//~ error-contains: the task's result takes 72 bytes, a slot has 64: raise SLOT_BYTES
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 64 } else { 72 };

static EXECUTOR: Executor<0, 1, 64> = Executor::new();

fn main() {
    let _ = EXECUTOR.submit_future(async { [0_u8; BYTES] });
}
