//! `Command::kill_cancelled(false)`: a task that runs cannot be cancelled, as in Python.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::path::Path;

use slotted::error::TaskError;
use slotted::{JoinHandle, Shutdown, TaskState};
use slotted_remote::RemoteError;
use slotted_remote::process::{Command, Processes};
use tempfile::TempDir;

use crate::part::{self, endless, pid, until};
use crate::table::{Abort, AwaitsFile, Insists, Square};

part::tests![
    cancel,
    running,
    cancel_futures,
    a_task_that_was_not_sent_is_cancelled_and_never_runs,
    a_task_that_cannot_be_cancelled_keeps_its_time_limit,
    a_task_that_cannot_be_cancelled_crashes_alone,
    of_a_cancel_and_a_send_one_wins,
    dropping_a_handle_that_cancels_lets_the_task_run_on,
    a_stopping_shutdown_ends_it_all_the_same,
];

fn pythons_way() -> Command {
    Command::current_exe().kill_cancelled(false)
}

/// A task that runs until the test opens its gate.
fn gated<const QUEUE: usize>(
    pool: &'static Processes<1, QUEUE, 512>,
    gate: &Path,
) -> JoinHandle<'static, ()> {
    let task = AwaitsFile(gate.to_string_lossy().into_owned());
    pool.submit(task).unwrap()
}

fn gate(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("gate")
}

fn open(gate: &Path) {
    std::fs::write(gate, b"").unwrap();
}

/// `test_future.py`, `test_cancel`: false for what runs. Its result comes.
fn cancel() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&pythons_way()).unwrap();
    let before = pid(&POOL);
    let runs = gated(&POOL, &gate(&folder));
    runs.add_done_callback(|outcome| {
        assert_eq!(outcome, Ok(&()));
        CALLED.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    // It was sent by the submit itself.
    assert!(!runs.cancel() && !runs.canceller().cancel());
    assert!(!runs.request_stop() && !runs.canceller().request_stop());
    assert!(!runs.done() && !runs.cancelled());
    assert_eq!(CALLED.load(Ordering::Relaxed), 0);
    open(&gate(&folder));
    assert_eq!(runs.result(), Ok(()));
    assert_eq!(CALLED.load(Ordering::Relaxed), 1);
    assert_eq!(pid(&POOL), before, "no process was killed");
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

/// `test_future.py`, `test_running`.
fn running() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&pythons_way()).unwrap();
    let mut runs = gated(&POOL, &gate(&folder));
    let waits = POOL.submit(Square(3)).unwrap();
    assert!(runs.running());
    assert_eq!(runs.canceller().state(), TaskState::Running);
    let waited = runs.cancel_sync_timeout(Duration::from_millis(5));
    assert_eq!(waited, Err(TaskError::TimedOut));
    until(|| waits.cancel());
    assert!(!waits.running());
    open(&gate(&folder));
    assert_eq!(runs.cancel_sync(), Ok(()));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// `test_shutdown.py`, `test_cancel_futures`: what runs has its result, the others are cancelled.
fn cancel_futures() {
    static POOL: Processes<1, 64, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&pythons_way()).unwrap();
    let runs = gated(&POOL, &gate(&folder));
    let waiting: Vec<_> = (0..50).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| POOL.shutdown(Shutdown::Cancel).unwrap());
        until(|| waiting.iter().all(JoinHandle::done));
        assert!(!runs.done());
        open(&gate(&folder));
    });
    assert!(waiting.iter().all(JoinHandle::cancelled));
    assert_eq!(runs.result(), Ok(()));
}

fn a_task_that_was_not_sent_is_cancelled_and_never_runs() {
    static POOL: Processes<1, 2, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&pythons_way()).unwrap();
    let runs = gated(&POOL, &gate(&folder));
    let path = folder.path().join("ran");
    for _ in 0..20 {
        // Its slot is free at once.
        let waits = POOL.submit(Insists::new(&path, 1)).unwrap();
        until(|| waits.cancel());
        assert!(waits.cancelled());
    }
    open(&gate(&folder));
    assert_eq!(runs.result(), Ok(()));
    assert_eq!(POOL.submit(Square(5)).unwrap().result(), Ok(25));
    assert!(!path.exists(), "it never ran");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_task_that_cannot_be_cancelled_keeps_its_time_limit() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&pythons_way()).unwrap();
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL.submit_within(task, Duration::from_millis(50)).unwrap();
    until(|| mark.exists() || runs.done());
    assert!(!runs.cancel());
    let late = TaskError::Remote(RemoteError::TimeLimit);
    assert_eq!(runs.result(), Err(late));
    assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_task_that_cannot_be_cancelled_crashes_alone() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    POOL.start(&pythons_way()).unwrap();
    let crashes = POOL.submit(Abort(())).unwrap();
    let behind = POOL.submit(Square(4)).unwrap();
    crashes.cancel();
    let crashed = TaskError::Remote(RemoteError::Crashed { signal: 6 });
    assert_eq!(crashes.result(), Err(crashed));
    assert_eq!(behind.result(), Ok(16));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The process becomes free while another thread cancels the task that it would get.
fn of_a_cancel_and_a_send_one_wins() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ran");
    POOL.start(&pythons_way()).unwrap();
    let mut ran = 0;
    for round in 0..400_u32 {
        let before = POOL.submit(Square(1)).unwrap();
        let handle = POOL.submit(Insists::new(&path, 1)).unwrap();
        for _ in 0..round % 40 {
            core::hint::spin_loop();
        }
        let is_cancelled = handle.cancel();
        let outcome = handle.result();
        if is_cancelled {
            assert_eq!(outcome, Err(TaskError::Cancelled));
        } else {
            ran += 1;
            assert_eq!(outcome, Ok(ran));
        }
        assert_eq!(before.result(), Ok(1));
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    assert_eq!(
        bytes, ran,
        "what was cancelled never ran, and all others did"
    );
    assert_eq!(POOL.stats().slots_in_use, 0);
}

fn dropping_a_handle_that_cancels_lets_the_task_run_on() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&pythons_way()).unwrap();
    let path = folder.path().join("ran");
    drop(
        POOL.submit(Insists::new(&path, 1))
            .unwrap()
            .cancel_on_drop(),
    );
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1);
}

fn a_stopping_shutdown_ends_it_all_the_same() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    let command = pythons_way().grace(Duration::from_millis(10));
    POOL.start(&command).unwrap();
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL.submit(task).unwrap();
    until(|| mark.exists());
    assert!(!runs.cancel());
    POOL.shutdown(Shutdown::Stop).unwrap();
    assert_eq!(runs.result(), Err(TaskError::Cancelled));
    assert_eq!(POOL.stats().slots_in_use, 0);
}
