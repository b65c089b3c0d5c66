//! The error for a future that is too large for a permit tells both sizes.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 72 bytes, a slot has 64: raise SLOT_BYTES
use core::future::pending;
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 40 } else { 55 };

static EXECUTOR: Executor<0, 1, 64> = Executor::new();

fn main() {
    let captured = [0_u8; BYTES];
    let _ = EXECUTOR.reserve().unwrap().submit_future(async move {
        pending::<()>().await;
        captured[0]
    });
}
