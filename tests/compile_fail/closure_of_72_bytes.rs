//! The error for a closure that is too large tells both sizes, and where the closure is.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 72 bytes, a slot has 64: raise SLOT_BYTES
//~ error-contains: closure_of_72_bytes.rs:13
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 64 } else { 72 };

fn main() {
    let executor: Executor<0, 1, 64> = Executor::new();
    let captured = [0_u8; BYTES];
    // The line that the error names:
    let _ = executor.submit(move || captured[0]);
}
