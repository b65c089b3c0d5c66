//! The heap of FreeRTOS, and what takes from it.

use slotted::Shutdown;

use crate::PRIORITY;
use crate::scenario::{Pool, Verdict, check, tasks};

/// `HeapStats_t`.
#[derive(Clone, Copy, Default, PartialEq)]
#[repr(C)]
struct Heap {
    free: usize,
    largest: usize,
    smallest: usize,
    blocks: usize,
    least: usize,
    allocations: usize,
    frees: usize,
}

unsafe extern "C" {
    fn vPortGetHeapStats(heap: *mut Heap);
}

fn heap() -> Heap {
    let mut heap = Heap::default();
    // SAFETY: `heap` is a `HeapStats_t`.
    unsafe { vPortGetHeapStats(&mut heap) };
    heap
}

/// The number of free bytes.
pub(crate) fn free() -> usize {
    heap().free
}

/// The number of blocks in use.
pub(crate) fn blocks() -> usize {
    let heap = heap();
    heap.allocations - heap.frees
}

/// The most bytes that one allocation can get. The kernel keeps the size of a block before it.
pub(crate) fn largest() -> usize {
    heap().largest.saturating_sub(8)
}

/// While they run, the executor and its tasks allocate nothing, not even for a moment.
pub(crate) fn none() -> Verdict {
    const TASKS: usize = 10_000;
    static POOL: Pool<2> = Pool::new();
    POOL.start(&tasks(PRIORITY))?;
    let before = heap();
    let mut sum = 0;
    for number in POOL.map(0..TASKS / 2, |number| number) {
        sum += number?;
    }
    for number in TASKS / 2..TASKS {
        sum += POOL.submit(move || number)?.result()?;
    }
    check!(sum == TASKS * (TASKS - 1) / 2);
    check!(POOL.stats().completed == TASKS);
    check!(heap() == before && before.allocations > 0);
    POOL.shutdown(Shutdown::Drain)?;
    Ok(())
}
