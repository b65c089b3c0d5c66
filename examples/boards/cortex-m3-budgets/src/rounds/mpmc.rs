//! heapless: a queue of function pointers without a lock. It has no closure and no handle; argument
//! and result are in a variable.

use core::sync::atomic::{AtomicU32, Ordering};

use heapless::mpmc::Queue;

use super::work;

#[expect(deprecated, reason = "it is not lock-free; a peer all the same")]
static QUEUE: Queue<fn(), 16> = Queue::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn task() {
    NUMBER.store(work(NUMBER.load(Ordering::Relaxed)), Ordering::Relaxed);
}

/// Pushes a function pointer, pops it, calls it.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        NUMBER.store(number, Ordering::Relaxed);
        QUEUE.enqueue(task).ok()?;
        QUEUE.dequeue()?();
        Some(NUMBER.load(Ordering::Relaxed))
    }
}
