//! A closure that captures more than a reserved slot holds.
//~ error-contains: error[E0080]
//~ error-contains: bytes, a slot has 64: raise SLOT_BYTES (or capture less)
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 64 } else { 65 };

fn main() {
    let executor: Executor<0, 1, 64> = Executor::new();
    let captured = [0_u8; BYTES];
    let permit = executor.reserve().unwrap();
    let _ = permit.submit(move || captured[0]);
}
