//! As many workers as a machine word has bits, although one bit has another use.
//~ error-contains: error[E0080]
//~ error-contains: lower WORKERS
use slotted::Executor;

const WORKERS: usize = usize::BITS as usize - if cfg!(control) { 1 } else { 0 };

static EXECUTOR: Executor<WORKERS, 1> = Executor::new();

fn main() {
    let _ = EXECUTOR.stats();
}
