//! Starts that fail, shutdowns, restarts, and what is left afterwards: nothing.

use core::time::Duration;
use std::os::unix::process::CommandExt;
use std::sync::Mutex;

use slotted::Shutdown;
use slotted::error::{Refusal, ShutdownError, TaskError};
use slotted_remote::RemoteError;
use slotted_remote::process::{Command, ProcessStartError, Processes};

use crate::part::{self, endless, exists, first_line, until, workers};
use crate::table::{Abort, AwaitsFile, Square};

part::tests![
    a_pool_that_is_not_started_refuses_and_the_task_comes_back,
    a_program_that_is_missing_or_no_worker_fails_the_start,
    a_program_that_forgets_to_serve_is_no_fork_bomb,
    a_worker_of_another_version_or_that_babbles_fails_the_start,
    a_silent_program_fails_the_start_when_its_time_is_up,
    a_pool_that_failed_to_start_starts_later,
    a_second_start_is_refused,
    shutting_down_runs_what_was_accepted,
    shutting_down_with_cancel_runs_what_has_begun_and_cancels_the_rest,
    shutting_down_with_stop_kills_what_runs,
    a_pool_starts_again_after_each_shutdown_and_leaves_nothing,
    a_parent_that_is_killed_leaves_no_process,
    a_start_that_meets_a_limit_of_the_system_says_so_and_leaves_nothing,
    run_shuts_the_pool_down_also_when_its_work_panics,
    killing_idle_processes_again_and_again_breaks_no_pool,
    a_grace_without_end_is_no_fault,
    a_callback_in_the_pools_own_thread_cannot_end_or_start_the_pool,
    a_process_that_a_worker_has_started_keeps_no_crash_secret,
];

fn a_pool_that_is_not_started_refuses_and_the_task_comes_back() {
    static POOL: Processes<1, 4, 128> = Processes::new();
    let refused = POOL.submit(Square(1)).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()),
        (Refusal::ShutDown, Square(1))
    );
    POOL.start(&Command::current_exe()).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
    let refused = POOL.submit(Square(2)).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()),
        (Refusal::ShutDown, Square(2))
    );
}

fn a_program_that_is_missing_or_no_worker_fails_the_start() {
    static POOL: Processes<2, 4, 128> = Processes::new();
    let start = |command: Command| POOL.start(&command).unwrap_err();
    let error = start(Command::program("/no/such/program"));
    assert!(matches!(error, ProcessStartError::System(_)), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = start(Command::program(folder.path())); // may not be run
    assert!(matches!(error, ProcessStartError::System(_)), "{error}");
    let error = start(Command::program("/bin/true"));
    assert!(matches!(error, ProcessStartError::Ended(_)), "{error}");
    // It echoes the greeting.
    let error = start(Command::program("/bin/cat"));
    assert!(
        matches!(
            error,
            ProcessStartError::Ended(_) | ProcessStartError::Silent
        ),
        "{error}"
    );
    assert!(POOL.processes().iter().all(|process| process.pid.is_none()));
}

fn a_program_that_forgets_to_serve_is_no_fork_bomb() {
    let status = part::start("part-no-serve", "").wait().unwrap();
    assert!(
        status.success(),
        "the start in the worker, and so the pool's, failed as it should"
    );
}

fn a_worker_of_another_version_or_that_babbles_fails_the_start() {
    static POOL: Processes<1, 4, 64> = Processes::new();
    let error = POOL.start(&workers("part-other-version", "")).unwrap_err();
    assert!(
        matches!(error, ProcessStartError::Version { theirs: 77 }),
        "{error}"
    );
    let error = POOL.start(&workers("part-babbles", "")).unwrap_err();
    assert!(matches!(error, ProcessStartError::Silent), "{error}");
}

/// A shell reads the greeting, and waits for the end of the line.
fn a_silent_program_fails_the_start_when_its_time_is_up() {
    static POOL: Processes<2, 4, 128> = Processes::new();
    let silent = Command::program("/bin/sh")
        .argument("-c")
        .argument("exec tail -f /dev/null")
        .start_timeout(Duration::from_millis(100));
    let error = POOL.start(&silent).unwrap_err();
    assert!(matches!(error, ProcessStartError::Silent), "{error}");
}

fn a_pool_that_failed_to_start_starts_later() {
    static POOL: Processes<2, 4, 128> = Processes::new();
    for _ in 0..3 {
        assert!(POOL.start(&Command::program("/bin/true")).is_err());
        POOL.start(&Command::current_exe()).unwrap();
        assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
        POOL.shutdown(Shutdown::Drain).unwrap();
    }
}

fn a_second_start_is_refused() {
    static POOL: Processes<1, 4, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let error = POOL.start(&Command::current_exe()).unwrap_err();
    assert!(matches!(error, ProcessStartError::AlreadyStarted));
    assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn shutting_down_runs_what_was_accepted() {
    static POOL: Processes<2, 64, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let squares: Vec<_> = (0..60).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    POOL.shutdown(Shutdown::Drain).unwrap();
    for (number, square) in (0..).zip(squares) {
        assert_eq!(square.result(), Ok(number * number));
    }
}

fn shutting_down_with_cancel_runs_what_has_begun_and_cancels_the_rest() {
    static POOL: Processes<1, 16, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL
        .submit_within(task, Duration::from_millis(300))
        .unwrap();
    let waits: Vec<_> = (0..10).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    until(|| mark.exists());
    POOL.shutdown(Shutdown::Cancel).unwrap();
    assert!(
        matches!(runs.result(), Err(TaskError::Remote(_))),
        "its own end, not the shutdown's"
    );
    assert!(
        waits
            .into_iter()
            .all(|task| task.result() == Err(TaskError::Cancelled))
    );
}

fn shutting_down_with_stop_kills_what_runs() {
    static POOL: Processes<1, 16, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL.submit(task).unwrap();
    let waits = POOL.submit(Square(1)).unwrap();
    until(|| mark.exists());
    POOL.shutdown(Shutdown::Stop).unwrap();
    assert_eq!(runs.result(), Err(TaskError::Cancelled));
    assert_eq!(waits.result(), Err(TaskError::Cancelled));
}

/// Descriptors of this process, but for those of the directory that is read.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// In a process of its own, since other tests open descriptors too. `SLOTTED_RESTARTS`: how often.
fn a_pool_starts_again_after_each_shutdown_and_leaves_nothing() {
    let status = part::start("part-restarts", "").wait().unwrap();
    assert!(status.success());
}

/// The part of the test above.
pub(crate) fn restarts() {
    static POOL: Processes<2, 8, 128> = Processes::new();
    let rounds = std::env::var("SLOTTED_RESTARTS").map_or(100, |rounds| rounds.parse().unwrap());
    let mut before = 0;
    for round in 0..rounds {
        POOL.start(&Command::current_exe()).unwrap();
        let pids = POOL.processes().map(|process| process.pid.unwrap());
        let squares = [1, 2, 3].map(|n| POOL.submit(Square(n)).unwrap());
        assert_eq!(squares.map(|square| square.result().unwrap()), [1, 4, 9]);
        POOL.shutdown(Shutdown::Drain).unwrap();
        match round {
            0 => before = descriptors(),
            _ => assert_eq!(descriptors(), before, "round {round}"),
        }
        assert!(
            pids.iter().all(|pid| !exists(*pid)),
            "no process is left, dead or alive"
        );
    }
    assert_eq!(POOL.stats().slots_in_use, 0);
}

/// At each limit up to the first that suffices. The superuser plays the part as another user,
/// because the limit of processes does not bind it.
fn a_start_that_meets_a_limit_of_the_system_says_so_and_leaves_nothing() {
    for of in ["files", "processes"] {
        let mut part = std::process::Command::new(std::env::current_exe().unwrap());
        part.args(["part-limits", of]);
        if of == "processes" && rustix::process::geteuid().is_root() {
            part.uid(65534).gid(65534);
        }
        assert!(part.status().unwrap().success(), "{of}");
    }
}

fn a_parent_that_is_killed_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = part::start("part-parent", folder.path());
    let line = first_line(&mut parent);
    let pids: Vec<u32> = line
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| exists(*pid)));
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Init takes them in, and so they may stay a moment as dead ones.
    until(|| pids.iter().all(|pid| !lives(*pid)));
}

/// Returns true if a process is there and not dead.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z")
}

fn run_shuts_the_pool_down_also_when_its_work_panics() {
    static POOL: Processes<1, 4, 128> = Processes::new();
    let panicked = std::panic::catch_unwind(|| {
        POOL.run(&Command::current_exe(), |_| panic!("on purpose"))
            .unwrap();
    });
    assert!(panicked.is_err());
    assert!(POOL.submit(Square(1)).is_err());
    let run = POOL.run(&Command::current_exe(), |pool| {
        pool.submit(Square(2)).unwrap().result()
    });
    assert_eq!(run.unwrap(), Ok(4));
}

/// No process has been asked for anything.
fn killing_idle_processes_again_and_again_breaks_no_pool() {
    static POOL: Processes<6, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    for number in 0..10 {
        POOL.kill_all();
        assert_eq!(
            POOL.submit(Square(number)).unwrap().result(),
            Ok(number * number)
        );
        POOL.kill_all();
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_grace_without_end_is_no_fault() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe().grace(Duration::MAX))
        .unwrap();
    assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
    let [process] = POOL.processes();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert!(!exists(process.pid.unwrap()));
}

fn a_callback_in_the_pools_own_thread_cannot_end_or_start_the_pool() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    static SAID: Mutex<Option<(bool, bool)>> = Mutex::new(None);
    POOL.start(&Command::current_exe()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    // A callback of a task that is done runs in the thread that adds it: this task ends later.
    let waits = POOL
        .submit(AwaitsFile(file.to_string_lossy().into_owned()))
        .unwrap();
    waits
        .add_done_callback(|_| {
            let ended = POOL.shutdown(Shutdown::Drain);
            let started = POOL.start(&Command::current_exe());
            *SAID.lock().unwrap() = Some((
                ended == Err(ShutdownError::WouldDeadlock),
                matches!(started, Err(ProcessStartError::WouldDeadlock)),
            ));
        })
        .unwrap();
    waits.detach(); // no other thread waits for it, so the pool's runs the callback
    std::fs::write(&file, []).unwrap();
    until(|| SAID.lock().unwrap().is_some());
    assert_eq!(*SAID.lock().unwrap(), Some((true, true)));
    assert_eq!(POOL.submit(Square(4)).unwrap().result(), Ok(16));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The helper lives on when its worker has died, and holds what it inherited.
fn a_process_that_a_worker_has_started_keeps_no_crash_secret() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    let helpers = folder.path().join("helpers");
    let command = workers("part-helper", &helpers.to_string_lossy());
    POOL.start(&command).unwrap();
    let crashed = POOL.submit(Abort(())).unwrap().result();
    assert_eq!(
        crashed,
        Err(TaskError::Remote(RemoteError::Crashed { signal: 6 }))
    );
    assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
    let pids = std::fs::read_to_string(helpers).unwrap();
    for pid in pids.lines() {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}
