//! More workers than a machine word has bits.
//~ error-contains: error[E0080]
//~ error-contains: lower WORKERS
use slotted::Executor;

const WORKERS: usize = usize::BITS as usize + if cfg!(control) { 0 } else { 1 };

static EXECUTOR: Executor<WORKERS, 1> = Executor::new();

fn main() {
    let _ = EXECUTOR.stats();
}
