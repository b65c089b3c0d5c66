//! The error for the future of a function names the function.
//~ error-contains: error[E0080]
//~ error-contains: bytes, a slot has 64: raise SLOT_BYTES
//~ error-contains: async fn body of too_large
use core::future::pending;
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 16 } else { 64 };

static EXECUTOR: Executor<0, 1, 64> = Executor::new();

async fn too_large(captured: [u8; BYTES]) -> u8 {
    pending::<()>().await;
    captured[0]
}

fn main() {
    let _ = EXECUTOR.submit_future(too_large([0; BYTES]));
}
