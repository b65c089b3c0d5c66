//! More slots than a 16-bit index can name.
//~ error-contains: error[E0080]
//~ error-contains: lower QUEUE to 65534
use slotted::Executor;

static EXECUTOR: Executor<1, { if cfg!(control) { 65_534 } else { 65_535 } }> = Executor::new();

fn main() {
    let _ = EXECUTOR.stats();
}
