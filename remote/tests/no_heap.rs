//! Neither a pool that has started nor a link allocates for a call. Of both ends of a line, and of
//! all threads of the submitting process.

use std::alloc::System;

use core::alloc::{GlobalAlloc, Layout};
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};
use slotted::{Shutdown, as_completed};
use slotted_remote::process::{Command, Processes, serve};
use slotted_remote::{LineWorker, Link, Task, Timing, frame_bytes};

/// The system's allocator, which counts.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Serialize, Deserialize)]
struct Square(u64);

impl Task for Square {
    const NAME: &str = "square/1";
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * self.0
    }
}

/// How many allocations `work` makes, in all threads.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    work();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn a_pool_that_has_started_allocates_for_no_call() {
    static POOL: Processes<2, 64, 128> = Processes::new();
    let calls = || {
        for number in 0..500 {
            assert_eq!(
                POOL.submit(Square(number)).unwrap().result(),
                Ok(number * number)
            );
        }
        let squares = POOL.map((0..500).map(Square)).map(Result::unwrap);
        assert_eq!(squares.sum::<u64>(), 41_541_750);
        let handles = [1, 2, 3].map(|number| POOL.submit(Square(number)).unwrap());
        assert_eq!(
            as_completed(handles)
                .map(|handle| handle.result().unwrap())
                .sum::<u64>(),
            14
        );
        let cancelled = POOL.submit(Square(1)).unwrap();
        drop(POOL.submit(Square(2)));
        drop(cancelled);
    };
    POOL.start(&Command::current_exe().kill_cancelled(false))
        .unwrap();
    calls(); // each thread makes its own things once
    assert_eq!(allocations(calls), 0);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn neither_end_of_a_line_allocates() {
    let link: Link<4, 32> = Link::new();
    let mut worker: LineWorker<Square, 4, 32> = LineWorker::new(2);
    let mut frame = [0; frame_bytes(32)];
    link.open(1, Timing::resend_after(10));
    let mut calls = || {
        for number in 0..100 {
            let mut call = pin!(link.call(Square(number)).unwrap());
            let mut context = Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(&mut context).is_pending());
            for _ in 0..2 {
                while let Some(len) = link.next(0, &mut frame) {
                    frame[..len].iter().for_each(|&byte| worker.push(byte));
                }
                worker.run_one();
                while let Some(len) = worker.next(&mut frame) {
                    frame[..len].iter().for_each(|&byte| link.push(0, byte));
                }
            }
            assert_eq!(call.poll(&mut context), Poll::Ready(Ok(number * number)));
        }
    };
    assert_eq!(allocations(&mut calls), 0);
}

fn main() {
    serve::<Square>();
    neither_end_of_a_line_allocates();
    a_pool_that_has_started_allocates_for_no_call();
    println!("no allocation");
}
