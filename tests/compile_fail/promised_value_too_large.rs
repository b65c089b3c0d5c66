//! A promise of a value that is larger than a slot.
//~ error-contains: error[E0080]
//~ error-contains: bytes, a slot has 64: raise SLOT_BYTES
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 64 } else { 65 };

fn main() {
    let executor: Executor<0, 1, 64> = Executor::new();
    let _ = executor.promise::<[u8; BYTES]>();
}
