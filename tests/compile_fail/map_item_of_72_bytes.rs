//! The error for a map's item that is too large, with its function, tells both sizes.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 72 bytes, a slot has 64: raise SLOT_BYTES
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 64 } else { 72 };

fn main() {
    let executor: Executor<0, 1, 64> = Executor::new();
    let items = [[0_u8; BYTES]];
    let _ = executor.map(items, |item| item[0]).count();
}
