//! What a task can do to its process, and what that costs: that task, and no other.

use core::time::Duration;

use rustix::process::{Pid as Number, Signal, kill_process};
use slotted::error::TaskError;
use slotted::{Shutdown, as_completed};
use slotted_remote::RemoteError;
use slotted_remote::process::{Command, ProcessStartError, Processes};

use crate::part::{self, endless, exists, pid, until, workers};
use crate::table::{
    Abort, AwaitsFile, Eats, Endless, Exit, Gives, Insists, Missing, Odd, Panics, Pid, Signalled,
    Square, Takes,
};

part::tests![
    each_way_to_die_is_the_error_of_the_task_that_did_and_the_next_task_runs,
    a_panic_is_the_tasks_error_with_its_message_and_place,
    a_crash_costs_one_task_however_many_were_sent_ahead,
    a_thousand_kills_cost_at_most_a_task_each,
    cancelling_a_task_that_runs_ends_its_process,
    asking_a_task_that_runs_to_stop_cancels_it_and_ends_its_process,
    cancelling_a_task_that_waits_takes_it_back,
    cancelling_tasks_that_were_sent_ahead_loses_no_other,
    a_task_that_takes_too_long_is_killed_and_the_others_are_not,
    a_task_that_eats_memory_is_told,
    a_process_is_replaced_after_its_tasks,
    arguments_and_results_that_do_not_fit_or_decode_are_errors_of_their_own_task,
    a_retried_task_runs_until_it_ends_and_no_more_often_than_asked,
    killing_all_processes_leaves_a_pool_that_works,
    a_worker_that_dies_at_any_byte_costs_its_task_or_the_start,
];

fn remote(error: RemoteError) -> TaskError {
    TaskError::Remote(error)
}

fn each_way_to_die_is_the_error_of_the_task_that_did_and_the_next_task_runs() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    for _ in 0..3 {
        let crashed = |signal| Err(remote(RemoteError::Crashed { signal }));
        assert_eq!(POOL.submit(Abort(())).unwrap().result(), crashed(6));
        assert_eq!(POOL.submit(Square(2)).unwrap().result(), Ok(4));
        assert_eq!(POOL.submit(Signalled(11)).unwrap().result(), crashed(11));
        assert_eq!(POOL.submit(Square(3)).unwrap().result(), Ok(9));
        let exited = |code| Err(remote(RemoteError::Exited { code }));
        assert_eq!(POOL.submit(Exit(3)).unwrap().result(), exited(3));
        assert_eq!(POOL.submit(Exit(0)).unwrap().result(), exited(0));
    }
    let [process] = POOL.processes();
    assert_eq!((process.restarts, process.completed), (12, 6));
    assert_eq!(process.last_error, Some(RemoteError::Exited { code: 0 }));
    POOL.shutdown(Shutdown::Drain).unwrap();
    let [process] = POOL.processes();
    assert_eq!(process.restarts, 12, "the end of the pool is no restart");
}

fn a_panic_is_the_tasks_error_with_its_message_and_place() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let before = pid(&POOL);
    let outcome = POOL.submit(Panics("no".into())).unwrap().result();
    let Err(TaskError::Panicked(panic)) = outcome else {
        panic!("it panicked")
    };
    let message = panic.message().unwrap();
    assert!(
        message.starts_with("no (") && message.contains("table.rs:"),
        "{message}"
    );
    assert_eq!(pid(&POOL), before, "the process goes on");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The tasks are so short that several are under way to each process.
fn a_crash_costs_one_task_however_many_were_sent_ahead() {
    static POOL: Processes<2, 64, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    // So the pool learns that they are short.
    assert!(POOL.map((0..200).map(Square)).all(|square| square.is_ok()));
    for round in 0..20 {
        let squares = |from: u64| (from..from + 20).map(|n| POOL.submit(Square(n)).unwrap());
        let mut before: Vec<_> = squares(0).collect();
        let crash = POOL.submit(Abort(())).unwrap();
        before.extend(squares(20));
        assert_eq!(
            crash.result(),
            Err(remote(RemoteError::Crashed { signal: 6 }))
        );
        for (number, square) in (0..).zip(before) {
            assert_eq!(square.result(), Ok(number * number), "round {round}");
        }
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

/// Another process kills them, at any moment. `SLOTTED_KILLS` is how often.
fn a_thousand_kills_cost_at_most_a_task_each() {
    let enough = std::env::var("SLOTTED_KILLS").map_or(1000, |kills| kills.parse().unwrap());
    static POOL: Processes<2, 64, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let (mut lost, mut kills, mut number) = (0, 0, 0);
    while kills < enough {
        let tasks = number..number + 40;
        number += 40;
        let handles: Vec<_> = tasks
            .clone()
            .map(|n| POOL.submit(Square(n)).unwrap())
            .collect();
        for process in POOL.processes() {
            let pid = process.pid.and_then(|pid| Number::from_raw(pid as i32));
            if pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
                kills += 1;
            }
        }
        for (number, handle) in tasks.zip(handles) {
            match handle.result() {
                Ok(square) => assert_eq!(square, number * number),
                Err(error) => {
                    assert_eq!(error, remote(RemoteError::Crashed { signal: 9 }));
                    lost += 1;
                }
            }
        }
    }
    assert!(lost <= kills, "{lost} tasks for {kills} kills");
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

fn cancelling_a_task_that_runs_ends_its_process() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let before = pid(&POOL);
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL.submit(task).unwrap();
    let next = POOL.submit(Pid(())).unwrap();
    until(|| mark.exists());
    until(|| runs.cancel());
    assert_eq!(runs.result(), Err(TaskError::Cancelled));
    assert_ne!(next.result().unwrap(), before);
    until(|| !exists(before));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A task in another process cannot be asked. Both calls cancel, also while another thread polls.
fn asking_a_task_that_runs_to_stop_cancels_it_and_ends_its_process() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    for waits in [false, true] {
        let before = pid(&POOL);
        let (task, mark) = endless(&folder, if waits { "waits" } else { "asks" });
        let runs = POOL.submit(task).unwrap();
        if waits {
            assert_eq!(runs.cancel_sync(), Err(TaskError::Cancelled));
        } else {
            until(|| mark.exists());
            until(|| runs.request_stop());
            assert!(runs.cancelled() && !runs.stop_requested());
            assert!(!runs.request_stop(), "it has ended");
            assert_ne!(pid(&POOL), before);
            until(|| !exists(before));
        }
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

fn cancelling_a_task_that_waits_takes_it_back() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (task, mark) = endless(&folder, "runs");
    let runs = POOL.submit(task).unwrap();
    until(|| mark.exists());
    let path = folder.path().join("waited");
    let waits = POOL.submit(Insists::new(&path, 1)).unwrap();
    until(|| waits.cancel());
    until(|| runs.cancel());
    assert_eq!(POOL.submit(Square(5)).unwrap().result(), Ok(25));
    assert!(!path.exists(), "it never ran");
    POOL.shutdown(Shutdown::Drain).unwrap();
    drop((waits, runs));
    assert_eq!(POOL.stats().slots_in_use, 0);
}

/// Eight calls are under way to one process, and the first one takes its time. Some behind it are
/// cancelled, and others take their places.
fn cancelling_tasks_that_were_sent_ahead_loses_no_other() {
    static POOL: Processes<1, 32, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    for round in 0..10 {
        // So the pool learns that its tasks are short.
        assert!(POOL.map((0..200).map(Square)).all(|square| square.is_ok()));
        let gates = ["one", "two"].map(|gate| folder.path().join(format!("{gate}-{round}")));
        let gated = gates.each_ref().map(|gate| {
            let task = AwaitsFile(gate.to_string_lossy().into_owned());
            POOL.submit(task).unwrap()
        });
        let ahead: Vec<_> = (1..7).map(|n| POOL.submit(Square(n)).unwrap()).collect();
        for handle in &ahead[1..5] {
            until(|| handle.cancel());
        }
        let more: Vec<_> = (7..16).map(|n| POOL.submit(Square(n)).unwrap()).collect();
        let [first, second] = gated;
        std::fs::write(&gates[0], b"").unwrap();
        assert_eq!(first.result(), Ok(()));
        // The places of the cancelled calls are taken while the second task runs.
        (0..2000).for_each(|_| std::thread::yield_now());
        std::fs::write(&gates[1], b"").unwrap();
        assert_eq!(second.result(), Ok(()));
        for (number, handle) in (1..).zip(ahead.into_iter().chain(more)) {
            let outcome = handle.result();
            match number {
                2..=5 => assert_eq!(outcome, Err(TaskError::Cancelled)),
                _ => assert_eq!(outcome, Ok(number * number)),
            }
        }
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

fn a_task_that_takes_too_long_is_killed_and_the_others_are_not() {
    static POOL: Processes<2, 16, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (task, _) = endless(&folder, "late");
    let late = POOL.submit_within(task, Duration::from_millis(50)).unwrap();
    let squares: Vec<_> = (0..10).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    assert_eq!(late.result(), Err(remote(RemoteError::TimeLimit)));
    for (number, square) in (0..).zip(squares) {
        assert_eq!(square.result(), Ok(number * number));
    }
    // The limit of the pool, for tasks that have none of their own.
    POOL.shutdown(Shutdown::Drain).unwrap();
    POOL.start(&Command::current_exe().time_limit(Duration::from_millis(50)))
        .unwrap();
    let late = POOL.submit(endless(&folder, "later").0).unwrap();
    assert_eq!(late.result(), Err(remote(RemoteError::TimeLimit)));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_task_that_eats_memory_is_told() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe().memory(64 << 20))
        .unwrap();
    let eaten = POOL.submit(Eats(())).unwrap().result();
    assert_eq!(eaten, Err(remote(RemoteError::MemoryLimit)));
    assert_eq!(POOL.submit(Square(4)).unwrap().result(), Ok(16));
    // An abort of another kind is none of memory.
    let crashed = Err(remote(RemoteError::Crashed { signal: 6 }));
    assert_eq!(POOL.submit(Abort(())).unwrap().result(), crashed);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_process_is_replaced_after_its_tasks() {
    static POOL: Processes<1, 32, 128> = Processes::new();
    POOL.start(&Command::current_exe().tasks_per_process(3))
        .unwrap();
    let pids: Vec<u32> = (0..12).map(|_| pid(&POOL)).collect();
    for life in pids.chunks(3) {
        assert!(life.iter().all(|pid| *pid == life[0]));
    }
    assert!(pids.windows(4).all(|four| four[0] != four[3]));
    let [process] = POOL.processes();
    assert_eq!(process.last_error, None, "leaving is no error");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn arguments_and_results_that_do_not_fit_or_decode_are_errors_of_their_own_task() {
    static POOL: Processes<1, 8, 128> = Processes::new();
    POOL.start(&Command::current_exe()).unwrap();
    let before = pid(&POOL);
    let too_large = remote(RemoteError::TooLarge);
    let takes = |len| POOL.submit(Takes(vec![1; len])).unwrap().result();
    assert_eq!((takes(127), takes(128)), (Ok(127), Err(too_large)));
    let gives = |len| POOL.submit(Gives(len)).unwrap().result();
    let too_large = remote(RemoteError::TooLarge);
    assert_eq!((gives(127), gives(128)), (Ok(vec![7; 127]), Err(too_large)));
    let odd = POOL.submit(Odd).unwrap().result();
    assert_eq!(odd, Err(remote(RemoteError::BadBytes)));
    let missing = POOL.submit(Missing(())).unwrap().result();
    assert_eq!(missing, Err(remote(RemoteError::Unknown)));
    assert_eq!(pid(&POOL), before, "the process goes on");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_retried_task_runs_until_it_ends_and_no_more_often_than_asked() {
    static POOL: Processes<1, 8, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let path = folder.path().join("enough");
    let outcome = POOL
        .submit_retry(Insists::new(&path, 3), 5)
        .unwrap()
        .result();
    assert_eq!(outcome, Ok(3));
    let path = folder.path().join("too-few");
    let outcome = POOL
        .submit_retry(Insists::new(&path, 9), 2)
        .unwrap()
        .result();
    assert_eq!(outcome, Err(remote(RemoteError::Crashed { signal: 6 })));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 3);
    let path = folder.path().join("once");
    let outcome = POOL.submit(Insists::new(&path, 9)).unwrap().result();
    assert_eq!(outcome, Err(remote(RemoteError::Crashed { signal: 6 })));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1, "at most once");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn killing_all_processes_leaves_a_pool_that_works() {
    static POOL: Processes<2, 16, 512> = Processes::new();
    let folder = tempfile::tempdir().unwrap();
    POOL.start(&Command::current_exe()).unwrap();
    let (tasks, marks): (Vec<Endless>, Vec<_>) = ["one", "two"]
        .map(|name| endless(&folder, name))
        .into_iter()
        .unzip();
    let run: Vec<_> = tasks
        .into_iter()
        .map(|task| POOL.submit(task).unwrap())
        .collect();
    let waits: Vec<_> = (0..4).map(|n| POOL.submit(Square(n)).unwrap()).collect();
    marks.iter().for_each(|mark| until(|| mark.exists()));
    POOL.kill_all();
    for handle in run {
        assert_eq!(
            handle.result(),
            Err(remote(RemoteError::Crashed { signal: 9 }))
        );
    }
    let squares = as_completed(waits.try_into_array::<4>()).map(|square| square.result().unwrap());
    assert_eq!(squares.sum::<u64>(), 1 + 4 + 9);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A vector as an array, which `as_completed` takes.
trait TryIntoArray<T> {
    fn try_into_array<const N: usize>(self) -> [T; N];
}

impl<T> TryIntoArray<T> for Vec<T> {
    fn try_into_array<const N: usize>(self) -> [T; N] {
        match self.try_into() {
            Ok(array) => array,
            Err(_) => panic!("another length"),
        }
    }
}

/// The greeting has 28 bytes and each reply 17. What ends before the greeting is whole ends the
/// start. What ends after it costs the tasks under way.
fn a_worker_that_dies_at_any_byte_costs_its_task_or_the_start() {
    static POOL: Processes<1, 8, 64> = Processes::new();
    for bytes in 1..=28 + 2 * 17 {
        let command = workers("part-cut-short", &bytes.to_string());
        if bytes < 28 {
            let error = POOL.start(&command).unwrap_err();
            assert!(
                matches!(error, ProcessStartError::Ended(_)),
                "{bytes}: {error}"
            );
            continue;
        }
        POOL.start(&command).unwrap();
        // Each life of the worker answers so many calls, and dies under the next one. If it dies
        // between two calls, the next one may already be under way.
        let (whole, dies_between) = ((bytes - 28) / 17, (bytes - 28) % 17 == 0);
        let exited = || Err(remote(RemoteError::Exited { code: 0 }));
        for life in 0..2 {
            for call in 0..=whole {
                let outcome = POOL.submit(Square(3)).unwrap().result();
                match call {
                    _ if bytes == 28 => assert!(outcome.is_err()),
                    _ if dies_between => assert!(outcome == Ok(9) || outcome == exited()),
                    _ if call < whole => assert_eq!(outcome, Ok(9), "{bytes}: life {life}"),
                    _ => assert_eq!(outcome, exited(), "{bytes}: life {life}"),
                }
                if bytes == 28 {
                    break;
                }
            }
        }
        POOL.shutdown(Shutdown::Stop).unwrap();
    }
}
