//! A future that, with the two words of its waker, is larger than a slot.
//~ error-contains: error[E0080]
//~ error-contains: bytes, a slot has 64: raise SLOT_BYTES (or capture less)
use core::future::ready;
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 16 } else { 64 };

static EXECUTOR: Executor<0, 1, 64> = Executor::new();

fn main() {
    let captured = [0_u8; BYTES];
    let _ = EXECUTOR.submit_future(async move {
        ready(()).await;
        captured[0]
    });
}
