//! The cases of CPython's `Lib/test/test_concurrent_futures/test_process_pool.py`, by name, and
//! those of `executor.py` that processes share with threads.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;

use slotted::error::{Refusal, TaskError};
use slotted::{Executor, ReturnWhen, Shutdown, as_completed, wait};
use slotted_remote::RemoteError;
use slotted_remote::process::{Command, Processes};

use crate::part::{self, endless, exists, pid, until};
use crate::table::{Abort, AbortsAt, Panics, Pid, Square, Takes};

part::tests![
    submit,
    submit_keyword,
    map,
    map_exception,
    map_timeout,
    map_buffersize,
    free_reference,
    max_workers_negative_or_too_large,
    killed_child,
    map_chunksize,
    a_crash_ends_each_item_of_its_chunk_and_no_other,
    a_chunk_that_is_too_large_is_an_error_of_each_of_its_items,
    traceback,
    ressources_gced_in_workers,
    saturation,
    idle_process_reuse_one,
    idle_process_reuse_multiple,
    max_tasks_per_child,
    max_tasks_early_shutdown,
    kill_workers,
    as_completed_over_processes_and_threads,
    wait_for_the_first_error,
    callbacks_get_the_outcome,
    a_handle_is_awaited,
    a_full_pool_refuses_and_the_task_comes_back,
];

fn submit() {
    static POOL: Processes<2, 8, 128> = Processes::new();
    POOL.run(&Command::current_exe(), |pool| {
        assert_eq!(pool.submit(Square(16)).unwrap().result(), Ok(256));
    })
    .unwrap();
}

/// Keyword arguments are named fields: a task is its own argument.
fn submit_keyword() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    let task = crate::table::Insists::new(&folder.path().join("file"), 1);
    let run = POOL.run(&Command::current_exe(), |pool| {
        pool.submit(task).unwrap().result()
    });
    assert_eq!(run.unwrap(), Ok(1));
}

fn map() {
    static POOL: Processes<2, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let squares: Vec<u64> = POOL.map((0..100).map(Square)).map(Result::unwrap).collect();
    assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<u64>>());
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Python's iterator ends with the first exception. This one yields it, and goes on.
fn map_exception() {
    static POOL: Processes<2, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let mut outcomes = POOL.map(["one", "two"].map(|text| Panics(text.into())));
    for text in ["one", "two"] {
        let Some(Err(TaskError::Panicked(panic))) = outcomes.next() else {
            panic!("it panicked")
        };
        assert!(panic.message().unwrap().starts_with(text));
    }
    assert!(outcomes.next().is_none());
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn map_timeout() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (task, _) = endless(&folder, "never");
    let mut outcomes = POOL.map([task]).timeout(Duration::from_millis(20));
    assert_eq!(outcomes.next(), Some(Err(TaskError::TimedOut)));
    drop(outcomes); // cancels what is left, which kills the process
    assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The input is read no further than the window.
fn map_buffersize() {
    static POOL: Processes<2, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let read = AtomicUsize::new(0);
    let tasks = (0..20).map(|number| {
        read.fetch_add(1, Ordering::Relaxed);
        Square(number)
    });
    let mut squares = POOL.map(tasks).buffersize(3);
    assert_eq!(squares.next(), Some(Ok(0)));
    assert!(read.load(Ordering::Relaxed) <= 4);
    assert_eq!(squares.count(), 19);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A slot is free as soon as its result was taken.
fn free_reference() {
    static POOL: Processes<1, 1, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    for number in 0..100 {
        assert_eq!(
            POOL.submit(Square(number)).unwrap().result(),
            Ok(number * number)
        );
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Their number is a constant of the type, and 0 does not compile. More processes than processors
/// are no fault.
fn max_workers_negative_or_too_large() {
    static POOL: Processes<9, 16, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    assert_eq!(
        POOL.map((0..50).map(Square))
            .filter(|square| square.is_ok())
            .count(),
        50
    );
    let pids: BTreeSet<_> = POOL.processes().iter().map(|process| process.pid).collect();
    assert_eq!(pids.len(), 9);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// In Python the pool is broken afterwards.
fn killed_child() {
    static POOL: Processes<2, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL.submit(task).unwrap();
    until(|| mark.exists());
    POOL.kill_all();
    let crashed = TaskError::Remote(RemoteError::Crashed { signal: 9 });
    assert_eq!(runs.result(), Err(crashed));
    assert_eq!(POOL.submit(Square(6)).unwrap().result(), Ok(36));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The items of a chunk are one call, and each has an outcome.
fn map_chunksize() {
    static POOL: Processes<2, 8, 512> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let squares = POOL.map((0..100).map(Square)).chunksize::<8>();
    let squares: Vec<u64> = squares.map(Result::unwrap).collect();
    assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<u64>>());
    assert_eq!(POOL.stats().completed, 13, "calls");

    let texts = ["one", "two", "three"].map(|text| Panics(text.into()));
    for (outcome, text) in POOL
        .map(texts)
        .chunksize::<2>()
        .zip(["one", "two", "three"])
    {
        let Err(TaskError::Panicked(panic)) = outcome else {
            panic!("it panicked")
        };
        assert!(panic.message().unwrap().starts_with(text));
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// In Python the pool is broken afterwards, and no later chunk runs.
fn a_crash_ends_each_item_of_its_chunk_and_no_other() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let tasks = (0..6).map(|n| AbortsAt(n, 2));
    let outcomes: Vec<_> = POOL.map(tasks).chunksize::<2>().collect();
    let crashed = || Err(TaskError::Remote(RemoteError::Crashed { signal: 6 }));
    let expected = [Ok(0), Ok(1), crashed(), crashed(), Ok(4), Ok(5)];
    assert_eq!(outcomes, expected);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_chunk_that_is_too_large_is_an_error_of_each_of_its_items() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let tasks = [300, 300, 10, 10].map(|n| Takes(vec![0; n]));
    let outcomes: Vec<_> = POOL.map(tasks).chunksize::<2>().collect();
    let large = || Err(TaskError::Remote(RemoteError::TooLarge));
    assert_eq!(outcomes, [large(), large(), Ok(10), Ok(10)]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A traceback names the place in the worker.
fn traceback() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let outcome = POOL.submit(Panics("here".into())).unwrap().result();
    let Err(TaskError::Panicked(panic)) = outcome else {
        panic!("it panicked")
    };
    assert!(
        panic
            .message()
            .unwrap()
            .contains("remote/tests/process/table.rs:")
    );
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Nothing of a task is left in the worker or in the pool.
fn ressources_gced_in_workers() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let descriptors = || {
        POOL.submit(crate::table::Descriptors(()))
            .unwrap()
            .result()
            .unwrap()
    };
    let (first, later) = (descriptors(), descriptors());
    assert_eq!(first, later);
    assert_eq!(first.0, 0, "the input of a worker is at its end");
    assert_eq!(
        first.1.iter().filter(|kind| *kind == "socket").count(),
        1,
        "{first:?}"
    );
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

/// Python starts no more processes than it needs. Here all are there from the beginning.
fn saturation() {
    static POOL: Processes<2, 64, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let tasks: Vec<_> = (0..60).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    assert!(tasks.into_iter().all(|task| task.result().is_ok()));
    assert_eq!(POOL.processes().map(|process| process.restarts), [0, 0]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn idle_process_reuse_one() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let pids = [pid(&POOL), pid(&POOL), pid(&POOL)];
    assert_eq!(pids, [pids[0]; 3]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn idle_process_reuse_multiple() {
    static POOL: Processes<3, 32, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let ours: BTreeSet<u32> = POOL
        .processes()
        .iter()
        .filter_map(|process| process.pid)
        .collect();
    let theirs: BTreeSet<u32> = POOL
        .map((0..30).map(|_| Pid(())))
        .map(Result::unwrap)
        .collect();
    assert!(theirs.is_subset(&ours));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn max_tasks_per_child() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe().tasks_per_process(3))
        .unwrap();
    let first = [pid(&POOL), pid(&POOL), pid(&POOL)];
    assert_eq!(first, [first[0]; 3]);
    assert_ne!(pid(&POOL), first[0]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Work that is left when a process leaves is done by the next, also while the pool shuts down.
fn max_tasks_early_shutdown() {
    static POOL: Processes<2, 32, 128> = Processes::new();
    POOL.start(&Command::current_exe().tasks_per_process(1))
        .unwrap();
    let tasks: Vec<_> = (0..6).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    POOL.shutdown(Shutdown::Drain).unwrap();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.result(), Ok(number * number));
    }
}

/// Python's pool ends with its workers. This one goes on.
fn kill_workers() {
    static POOL: Processes<2, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let pids = POOL.processes().map(|process| process.pid.unwrap());
    POOL.kill_all();
    until(|| pids.iter().all(|pid| !exists(*pid)));
    assert_eq!(POOL.submit(Square(2)).unwrap().result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn as_completed_over_processes_and_threads() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    static THREADS: Executor<0, 8> = Executor::new();
    POOL.start(&Command::current_exe()).unwrap();
    let far = POOL.submit(Square(3)).unwrap();
    let near = THREADS.submit(|| 16).unwrap();
    let sum: u64 = as_completed([far, near])
        .map(|handle| handle.result().unwrap())
        .sum();
    assert_eq!(sum, 25);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn wait_for_the_first_error() {
    static POOL: Processes<2, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let runs = POOL.submit(endless(&folder, "runs").0).unwrap();
    let crash = POOL.submit(Abort(())).unwrap();
    let mut handles = [runs, crash];
    let waited = wait(&mut handles, ReturnWhen::FirstError);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    until(|| handles.iter().any(|handle| handle.cancel()));
    drop(handles);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn callbacks_get_the_outcome() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    POOL.start(&Command::current_exe()).unwrap();
    let square = POOL.submit(Square(5)).unwrap();
    square
        .add_done_callback(|outcome| {
            assert_eq!(outcome, Ok(&25));
            CALLED.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    // No thread waits for it.
    square.detach();
    until(|| CALLED.load(Ordering::Relaxed) == 1);
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(CALLED.load(Ordering::Relaxed), 1);
}

fn a_handle_is_awaited() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    static LOCAL: Executor<0, 4, 512> = Executor::new();
    POOL.start(&Command::current_exe()).unwrap();
    let sum = async {
        let three = POOL.submit(Square(3)).unwrap().await.unwrap();
        three + POOL.submit(Square(4)).unwrap().await.unwrap()
    };
    assert_eq!(LOCAL.submit_future(sum).unwrap().result(), Ok(25));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_full_pool_refuses_and_the_task_comes_back() {
    static POOL: Processes<1, 2, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let handles = ["one", "two"].map(|name| POOL.submit(endless(&folder, name).0).unwrap());
    let refused = POOL.submit(Square(7)).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()),
        (Refusal::Full, Square(7))
    );
    handles.iter().for_each(|handle| until(|| handle.cancel()));
    drop(handles);
    assert_eq!(POOL.submit(Square(7)).unwrap().result(), Ok(49));
    POOL.shutdown(Shutdown::Drain).unwrap();
}
