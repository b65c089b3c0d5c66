//! The error for a closure that is too large tells the size of this executor's slots.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 136 bytes, a slot has 128: raise SLOT_BYTES
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 128 } else { 136 };

fn main() {
    let executor: Executor<0, 1, 128> = Executor::new();
    let captured = [0_u8; BYTES];
    let _ = executor.submit_blocking(move || captured[0]);
}
