//! From the end of `start` to the end of `shutdown` no thread allocates: no caller and no worker.
//!
//! The test is a program of its own, because the harness's threads would count too.

use core::alloc::{GlobalAlloc, Layout};
use core::future::{Future, poll_fn};
use core::hint::black_box;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::alloc::System;
use std::env;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::task::Wake;
use std::thread::{self, Thread};

use slotted::{
    Executor, JoinHandle, ReturnWhen, Shutdown, StdThreads, TaskState, as_completed,
    as_completed_timeout, wait, wait_timeout,
};

/// The system's allocator, with a count.
struct Counting;

/// Allocations by all threads since the program began.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work. Counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: as our caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    work();
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

const WORKERS: usize = 2;
type Pool = Executor<WORKERS, 16, 128>;
static EXECUTOR: Pool = Executor::new();

const LONG: Duration = Duration::from_secs(600);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls in this thread. The caller makes the waker before the count begins.
fn block_on<F: Future>(waker: &Waker, future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
            return output;
        }
        thread::park();
    }
}

fn three() -> [JoinHandle<'static, u32>; 3] {
    [1, 2, 3].map(|number| EXECUTOR.submit(move || number).expect("a slot is free"))
}

fn closures() {
    let handle = EXECUTOR.submit(|| 6 * 7).expect("a slot is free");
    assert_eq!(handle.result().expect("a value"), 42);
    let handle = EXECUTOR.submit_blocking(|| 1).expect("open");
    assert_eq!(handle.result_inline().expect("a value"), 1);
    let mut handle = EXECUTOR.submit_timeout(|| 2, LONG).expect("a slot is free");
    assert_eq!(handle.result_timeout(LONG).expect("a value"), 2);
    let handle = EXECUTOR
        .reserve()
        .expect("a slot is free")
        .submit(|| 3)
        .expect("open");
    assert!(handle.error().is_none());
    handle.detach();
    let handle = EXECUTOR
        .submit_fallible(|| Err::<(), u8>(4))
        .expect("a slot is free");
    assert_eq!(handle.result().expect("a value"), Err(4));
}

fn promises_and_callbacks() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    CALLED.store(0, Ordering::SeqCst);
    let (promise, handle) = EXECUTOR.promise::<usize>().expect("a slot is free");
    for _ in 0..2 {
        let added = handle.add_done_callback(|outcome| {
            CALLED.fetch_add(*outcome.expect("a value"), Ordering::SeqCst);
        });
        added.expect("a slot is free");
    }
    let keeper = EXECUTOR
        .submit(move || promise.set_result(10).is_ok())
        .expect("a slot is free");
    assert_eq!(handle.result().expect("kept"), 10);
    assert!(keeper.result().expect("a value"));
    assert_eq!(CALLED.load(Ordering::SeqCst), 20);
    let (promise, handle) = EXECUTOR.promise::<usize>().expect("a slot is free");
    drop(promise);
    assert!(handle.result().is_err());
}

fn cancels() {
    let gates: [_; WORKERS] =
        core::array::from_fn(|_| EXECUTOR.promise::<()>().expect("a slot is free"));
    let waiting = gates.map(|(gate, opened)| {
        let (up, arrived) = EXECUTOR.promise::<()>().expect("a slot is free");
        let busy = EXECUTOR.submit(move || {
            up.set_result(()).expect("first");
            opened.result().expect("opened");
        });
        arrived.result().expect("the worker is busy");
        (gate, busy.expect("a slot is free"))
    });
    // Every worker is busy, so a task that is submitted now stays pending.
    let [first, second, third] = three();
    assert!(first.cancel());
    assert!(second.canceller().cancel());
    let canceller = third.canceller();
    drop(third.cancel_on_drop());
    assert_eq!(canceller.state(), TaskState::Gone);
    assert!(first.result().is_err() && second.cancelled());
    for (gate, busy) in waiting {
        gate.set_result(()).expect("first");
        busy.result().expect("a value");
    }
}

fn nested_waits() {
    let outer = EXECUTOR.submit(|| {
        let inner = EXECUTOR.submit(|| {
            EXECUTOR
                .submit(|| 1)
                .expect("a slot is free")
                .result()
                .expect("a value")
                + 1
        });
        inner.expect("a slot is free").result().expect("a value") + 1
    });
    assert_eq!(outer.expect("a slot is free").result().expect("a value"), 3);
}

fn many_handles() {
    assert_eq!(
        as_completed(three())
            .map(|handle| handle.result().expect("a value"))
            .sum::<u32>(),
        6
    );
    let completed = as_completed_timeout(three(), LONG);
    assert_eq!(
        completed
            .map(|next| next.expect("in time").result().expect("a value"))
            .sum::<u32>(),
        6
    );
    let mut handles = three();
    assert!(
        !wait(&mut handles, ReturnWhen::FirstCompleted)
            .done
            .is_empty()
    );
    assert!(
        !wait_timeout(&mut handles, LONG, ReturnWhen::FirstError)
            .done
            .is_empty()
    );
    assert!(
        wait(&mut handles, ReturnWhen::AllCompleted)
            .not_done
            .is_empty()
    );
}

fn maps() {
    let double = |number: u32| number * 2;
    let sum = |results: &mut dyn Iterator<Item = Result<u32, slotted::TaskError>>| {
        results.map(|result| result.expect("a value")).sum::<u32>()
    };
    assert_eq!(sum(&mut EXECUTOR.map(0..100, double)), 9900);
    assert_eq!(
        sum(&mut EXECUTOR.map(0..100, double).buffersize(3).unordered()),
        9900
    );
    assert_eq!(
        sum(&mut EXECUTOR.map(0..100, double).timeout(LONG).inline()),
        9900
    );
    assert_eq!(sum(&mut EXECUTOR.map(0..10, double).chunksize::<2>()), 90);
    let mut endless = EXECUTOR.map(0.., double);
    assert_eq!(endless.next().expect("endless").expect("a value"), 0);
    drop(endless);
    let mut detached = EXECUTOR.map(0..5, double);
    assert!(detached.next().is_some());
    detached.detach();
}

fn scopes() {
    let mut numbers = [1_u32; 100];
    EXECUTOR.scope(|scope| {
        scope
            .for_each_chunk(&mut numbers, 7, |chunk| chunk.fill(2))
            .expect("open")
    });
    let total = EXECUTOR.scope(|scope| {
        let (left, right) = numbers.split_at(50);
        let left = scope
            .submit(|| left.iter().sum::<u32>())
            .expect("a slot is free");
        let right: u32 = scope
            .map(right, |number| *number)
            .map(|result| result.expect("a value"))
            .sum();
        left.result().expect("a value") + right
    });
    assert_eq!(total, 200);
}

fn futures(waker: &Waker) {
    let (promise, handle) = EXECUTOR.promise::<u32>().expect("a slot is free");
    let mut yields = 3;
    let task = EXECUTOR.submit_future(async move {
        poll_fn(|context| {
            if yields == 0 {
                return Poll::Ready(());
            }
            yields -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        handle.await.expect("kept") + 1
    });
    let keeper = EXECUTOR
        .submit(move || promise.set_result(41).is_ok())
        .expect("a slot is free");
    assert_eq!(
        block_on(waker, task.expect("a slot is free")).expect("a value"),
        42
    );
    assert!(block_on(waker, keeper).expect("a value"));
    let asleep = EXECUTOR
        .submit_future(core::future::pending::<()>())
        .expect("a slot is free");
    // It cannot be cancelled during a poll. After its first poll it is suspended.
    while !asleep.cancel() {
        thread::yield_now();
    }
}

/// Uses everything, so often that every slot and every worker gets its turn.
fn everything(waker: &Waker) {
    for _ in 0..50 {
        closures();
        promises_and_callbacks();
        cancels();
        nested_waits();
        many_handles();
        maps();
        scopes();
        futures(waker);
    }
}

/// Returns when every worker has run a task. By then std has set up the worker's thread.
fn meet_every_worker() {
    let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(WORKERS + 1)));
    let meetings: [_; WORKERS] =
        core::array::from_fn(|_| EXECUTOR.submit(|| barrier.wait().is_leader()));
    barrier.wait();
    for meeting in meetings {
        meeting.expect("a slot is free").result().expect("a value");
    }
}

/// Returns an error if a thread allocates.
fn nothing_is_allocated() -> Result<(), String> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    // Twice: a restart must not allocate either.
    for life in 1..=2 {
        EXECUTOR
            .start(&StdThreads::new())
            .map_err(|error| error.to_string())?;
        meet_every_worker();

        let boxes = allocations_of(|| {
            let task = EXECUTOR
                .submit(|| drop(black_box(Box::new(1))))
                .expect("a slot is free");
            task.result().expect("a value");
        });
        if boxes != 1 {
            return Err(format!(
                "life {life}: one box in a worker was counted as {boxes} allocations"
            ));
        }

        let allocations = allocations_of(|| {
            everything(&waker);
            for number in 0..8 {
                EXECUTOR
                    .submit(move || number)
                    .expect("a slot is free")
                    .detach();
            }
            EXECUTOR.shutdown(Shutdown::Drain).expect("not a worker");
        });
        if allocations != 0 {
            return Err(format!("life {life}: {allocations} allocations"));
        }
        let in_use = EXECUTOR.stats().slots_in_use;
        if in_use != 0 {
            return Err(format!("life {life}: {in_use} slots still in use"));
        }
    }
    Ok(())
}

/// Prints what the harness would print.
fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--list") {
        println!("nothing_is_allocated: test");
        return ExitCode::SUCCESS;
    }
    println!("\nrunning 1 test");
    match nothing_is_allocated() {
        Ok(()) => {
            println!("test nothing_is_allocated ... ok\n\ntest result: ok. 1 passed; 0 failed\n");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("test nothing_is_allocated ... FAILED\n\n{failure}\n");
            println!("test result: FAILED. 0 passed; 1 failed\n");
            ExitCode::FAILURE
        }
    }
}
