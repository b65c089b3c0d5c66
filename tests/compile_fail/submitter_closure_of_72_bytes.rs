//! The error for a submitter's closure that is too large tells both sizes.
//~ error-contains: error[E0080]
//~ error-contains: the task takes 72 bytes, a slot has 64: raise SLOT_BYTES
use slotted::{Executor, Submitter};

const BYTES: usize = if cfg!(control) { 64 } else { 72 };

fn use_it(pool: Submitter<'_, 64>) {
    let captured = [0_u8; BYTES];
    let _ = pool.submit_fallible(move || if captured[0] == 0 { Ok(1) } else { Err(2) });
}

fn main() {
    let executor: Executor<0, 1, 64> = Executor::new();
    use_it(executor.submitter());
}
