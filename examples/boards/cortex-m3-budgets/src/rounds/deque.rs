//! heapless: a queue of function pointers in a critical section. It has no closure and no handle;
//! argument and result are in a variable.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::Mutex;
use heapless::Deque;

use super::work;

type Queue = RefCell<Deque<fn(), 16>>;

static QUEUE: Mutex<Queue> = Mutex::new(RefCell::new(Deque::new()));
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn task() {
    NUMBER.store(work(NUMBER.load(Ordering::Relaxed)), Ordering::Relaxed);
}

/// Pushes a function pointer, pops it, calls it.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        NUMBER.store(number, Ordering::Relaxed);
        critical_section::with(|section| QUEUE.borrow_ref_mut(section).push_back(task)).ok()?;
        critical_section::with(|section| QUEUE.borrow_ref_mut(section).pop_front())?();
        Some(NUMBER.load(Ordering::Relaxed))
    }
}
