//! The error for a future that is too large tells both sizes, its waker included, and where it is.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 72 bytes, a slot has 64: raise SLOT_BYTES
//~ error-contains: async block@
//~ error-contains: future_of_72_bytes.rs:18
use core::future::pending;
use slotted::Executor;

// A future that captures an array and rests once is one byte larger, and aligned to words.
const BYTES: usize = if cfg!(control) { 40 } else { 55 };

static EXECUTOR: Executor<0, 1, 64> = Executor::new();

fn main() {
    assert!(size_of::<usize>() == 8);
    let captured = [0_u8; BYTES];
    // The line that the error names:
    let _ = EXECUTOR.submit_future(async move {
        pending::<()>().await;
        captured[0]
    });
}
