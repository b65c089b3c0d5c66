//! The error for a scope's closure that is too large tells both sizes.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 72 bytes, a slot has 64: raise SLOT_BYTES
use slotted::Executor;

const BYTES: usize = if cfg!(control) { 64 } else { 72 };

fn main() {
    let executor: Executor<0, 1, 64> = Executor::new();
    let captured = [0_u8; BYTES];
    executor.scope(|scope| scope.submit(move || captured[0]).unwrap().detach());
}
